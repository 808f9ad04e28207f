import assert from "node:assert/strict";
import { test } from "node:test";
import { beforeBlanks, behindBlanks, isLineBlank, isSpace, isSpaceOfC, isTabOrSpace } from "../../provider/text/blanks";

test("each kind of blank has its own characters", () => {
  for (const [isBlank, blanks] of [
    [isTabOrSpace, "\t "],
    [isLineBlank, "\t\r "],
    [isSpace, "\t\n\r "],
    [isSpaceOfC, "\t\n\v\f\r "],
  ] as const) {
    const found = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter((one) =>
      isBlank(one.charCodeAt(0)),
    );
    assert.equal(found.join(""), blanks);
    assert.equal(isBlank("".charCodeAt(0)), false, "behind a text's end is none");
  }
});

test("a run of blanks ends at what is none, and at the bounds that are given", () => {
  const text = " \ta \t";
  assert.deepEqual(
    [0, 1, 2, 3, 5].map((from) => behindBlanks(text, from, isTabOrSpace)),
    [2, 2, 2, 5, 5],
  );
  assert.deepEqual(
    [5, 3, 2, 1, 0].map((end) => beforeBlanks(text, end, isTabOrSpace)),
    [3, 3, 0, 0, 0],
  );
  assert.equal(behindBlanks(text, 0, isTabOrSpace, 1), 1);
  assert.equal(behindBlanks(text, 2, isTabOrSpace, 1), 2);
  assert.equal(beforeBlanks(text, 2, isTabOrSpace, 1), 1);
  assert.equal(beforeBlanks(text, 1, isTabOrSpace, 2), 1);
});
