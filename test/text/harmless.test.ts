import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { harmless } from "../../provider/text/harmless";

/** RUNS=10 tries ten times as many texts. */
const RUNS = 5000 * Number(process.env.RUNS ?? 1);

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
    "\u202eabc\u2028d\u0000": "\\u{202e}abc d\\x00",
    "caf\xc3\xa9": "café",
    "caf\xe9\x9b": "caf\xe9\\x9b",
    "90\t; a note": "90\t; a note",
  };
  for (const [text, shown] of Object.entries(cases)) {
    test(JSON.stringify(text), () => assert.equal(harmless(text), shown));
  }

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
