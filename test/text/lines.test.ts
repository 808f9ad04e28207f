import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  insertion,
  lineBreak,
  lineEnd,
  lineIndex,
  lineStart,
  linesOf,
  removal,
  removals,
} from "../../provider/text/lines";
import { spliced } from "../../provider/text/splices";

const anyText = fc
  .array(fc.constantFrom("a", "\n", "\r\n", "\r", "b c", ""), { maxLength: 12 })
  .map((parts) => parts.join(""));

test("a line that is put in and taken out again leaves the very bytes", () => {
  fc.assert(
    fc.property(anyText, fc.nat(12), (text, nth) => {
      const ends = [0, ...[...linesOf(text)].map(({ end }) => Math.min(end + 1, text.length))];
      const end = ends[nth % ends.length]!;
      const longer = spliced(text, [insertion(text, end, "new")]);
      const start = longer.indexOf("new");
      assert.equal(lineStart(longer, start), start);
      assert.equal(spliced(longer, [removal(longer, start)]), text);
    }),
  );
});

test("several lines go as if one after the other from the last", () => {
  fc.assert(
    fc.property(anyText, fc.nat(2 ** 12), (text, chosen) => {
      const starts = [...linesOf(text)].filter(({ number }) => chosen & (1 << number)).map(({ start }) => start);
      const one = starts.toReversed().reduce((rest, start) => spliced(rest, [removal(rest, start)]), text);
      assert.equal(spliced(text, removals(text, starts)), one);
    }),
  );
});

test("where a line begins and ends, its number, and what ends it", () => {
  const text = "a\r\n\nb\nc";
  assert.deepEqual(
    [...linesOf(text)].map(({ number, start, end }) => [number, start, end]),
    [
      [1, 0, 2],
      [2, 3, 3],
      [3, 4, 5],
      [4, 6, 7],
    ],
  );
  const lineAt = lineIndex(text);
  assert.deepEqual([0, 2, 3, 4, 5, 6, 7].map(lineAt), [1, 1, 2, 3, 3, 4, 4]);
  assert.deepEqual(
    [0, 3, 4, 7].map((offset) => lineStart(text, offset)),
    [0, 3, 4, 6],
  );
  assert.deepEqual(
    [0, 3, 4, 7].map((offset) => lineEnd(text, offset)),
    [3, 4, 6, 7],
  );
  assert.deepEqual(
    [0, 3, 6].map((offset) => lineBreak(text, offset)),
    ["\r\n", "\n", "\n"],
  );
  assert.equal(lineBreak("a\r\nb", 3), "\r\n");
  assert.equal(lineBreak("a", 0), "\n");
  assert.equal(lineIndex("")(0), 1);
});

test("a line gets the line end of its neighbour, also where others have another one", () => {
  const text = "a\r\nb\nc\r\n";
  const added = (end: number) => insertion(text, end, "new").text;
  assert.deepEqual([0, 3, 5, 8].map(added), ["new\r\n", "new\r\n", "new\n", "new\r\n"]);
  assert.deepEqual(insertion("a", 1, "new"), { start: 1, end: 1, text: "\nnew" });
  assert.deepEqual(insertion("a\r", 2, "new"), { start: 2, end: 2, text: "\r\nnew" });
});

test("the only line goes as a whole, and an empty first line begins where the text does", () => {
  assert.deepEqual(removal("a", 0), { start: 0, end: 1, text: "" });
  assert.equal(lineStart("\na", 0), 0);
});
