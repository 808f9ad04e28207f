/** Words as the shells of servers take them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { call, quote } from "../../provider/text/shell";
import { shells } from "../support/image";
import { ran } from "../support/shell-program";

const word = fc.string({
  unit: fc.constantFrom("'", "\\", '"', "$", "`", "\n", " ", "*", "!", "a", "\xe9"),
  maxLength: 8,
});

test("a word is one word, and a call a name and its words", () => {
  assert.equal(quote("it's"), "'it'\\''s'");
  assert.equal(call("name"), "name");
  assert.equal(call("name", "a b", ""), "name 'a b' ''");
});

for (const shell of shells) {
  test(`${shell.join(" ")} takes any words as they are`, () => {
    const lists = fc.sample(fc.array(word, { maxLength: 4 }), { numRuns: 50, seed: 1 });
    const told = "told() { printf '%s\\1' \"$@\"; printf '\\2'; }";
    const stdout = ran(shell, [told, ...lists.map((words) => call("told", "first", ...words))]);
    assert.equal(stdout, lists.map((words) => ["first", ...words, "\x02"].join("\x01")).join(""));
  });
}
