import assert from "node:assert/strict";
import { test } from "node:test";
import { spliced } from "../../provider/text/splices";

const splice = (start: number, end: number, text: string) => ({ start, end, text });

test("what is between the splices stays, in whatever order they are given", () => {
  const splices = [splice(4, 6, "X"), splice(0, 1, "")];
  assert.equal(spliced("abcdefgh", splices), "bcdXgh");
  assert.deepEqual(splices, [splice(4, 6, "X"), splice(0, 1, "")], "the list is as it was");
  assert.equal(spliced("abc", []), "abc");
  assert.equal(spliced("abc", [splice(3, 3, "d")]), "abcd");
});

test("an insertion stands before what is replaced at the same place", () => {
  assert.equal(spliced("abc", [splice(1, 2, "B"), splice(1, 1, "+")]), "a+Bc");
});

test("of two that overlap the later one begins where the earlier one ends", () => {
  assert.equal(spliced("abcdef", [splice(1, 4, "X"), splice(2, 5, "Y")]), "aXYf");
  assert.equal(spliced("abcdef", [splice(1, 5, "X"), splice(2, 3, "Y")]), "aXYf");
});
