import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { harmless, harmlessSentence } from "../../provider/text/harmless";
import { runs } from "../support/runs";

/** RUNS=10 tries ten times as many texts. */
const RUNS = runs(5000);

describe("text from a server", () => {
  const cases: Readonly<Record<string, string>> = {
    "nginx: [emerg] unknown directive": "nginx: [emerg] unknown directive",
    "\x1b[31mred\x07": "\\x1b[31mred\\x07",
    " a\r\n  b\n": "a b",
    "::error file=x::no": "\\::error file=x::no",
    "fe80::1 refused": "fe80::1 refused",
    "said ##vso[task.setvariable]x": "said #\\#vso[task.setvariable]x",
    "##[group]": "#\\#[group]",
    "##teamcity[buildStop]": "#\\#teamcity[buildStop]",
    "section_start:1:x\r\x1b[0K": "s\\ection_start:1:x \\x1b[0K",
    "--- a step": "\\--- a step",
    "travis_fold:start:x TRAVIS_TIME": "t\\ravis_fold:start:x T\\RAVIS_TIME",
    "travis_x section_start:x": "travis_x section_start:x",
    "a\v \f b\x85c\u2029d": "a b c d",
    // Text with a character above U+00FF is no text of bytes, and stays as it is.
    "caf\xc3\xa9 \u20ac": "caf\xc3\xa9 \u20ac",
    "\u202eabc\u2028d\u0000": "\\u{202e}abc d\\x00",
    "caf\xc3\xa9": "café",
    "caf\xe9\x9b": "caf\xe9\\x9b",
    "90\t; a note": "90\t; a note",
  };
  for (const [text, shown] of Object.entries(cases)) {
    test(JSON.stringify(text), () => assert.equal(harmless(text), shown));
  }

  test("is cut at a length, never within a pair of surrogates, and a sentence is cut later", () => {
    const [all, more] = ["x".repeat(600), "x".repeat(2000)];
    assert.deepEqual([harmless(all), harmless(`${all}y`)], [all, `${all}…`]);
    assert.deepEqual([harmlessSentence(more), harmlessSentence(`${more}y`)], [more, `${more}…`]);
    assert.equal(harmless(`${all.slice(1)}\u{1f600}`), `${all.slice(1)}…`);
    assert.equal(harmless(`${all.slice(2)}\u{1f600}y`), `${all.slice(2)}\u{1f600}…`);
    assert.equal(harmless(`\u{1f600}${all}`), `\u{1f600}${all.slice(2)}…`);
    assert.equal(harmless(`${" ".repeat(2400)}lost`), "", "what is behind four times the length is not looked at");
  });

  test("is one bounded line without control characters and commands, whatever it was", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary", maxLength: 5 }),
      fc.constantFrom(
        "\n",
        "\r",
        "\x1b",
        "::",
        "error",
        "##",
        "vso[",
        "teamcity[",
        "[",
        " ",
        "\x9b",
        "\u202e",
        "section_end:1",
        "x".repeat(700),
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const shown = harmless(pieces.join(""));
        assert.ok(shown.length <= 601);
        assert.doesNotMatch(shown, /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e]/);
        assert.doesNotMatch(shown, /^\s*::|##\w*\[|section_(start|end):\d/i);
      }),
      { numRuns: RUNS },
    );
  });
});
