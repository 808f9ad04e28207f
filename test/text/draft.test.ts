import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Draft } from "../../provider/text/draft";
import { spliced } from "../../provider/text/splices";
import { runs } from "../support/runs";

/** RUNS=10 tries ten times as many texts. */
const RUNS = runs(5000);

const text = fc.string({ unit: fc.constantFrom("a", "b", "\n"), maxLength: 20 });
const splice = fc.record({ start: fc.nat(30), length: fc.nat(6), text: fc.string({ maxLength: 4 }) });
const edits = fc.array(fc.array(splice, { maxLength: 4 }), { maxLength: 4 });

test("the splices of a draft lead from the first text to the last, whatever was done between", () => {
  fc.assert(
    fc.property(text, edits, (first, rounds) => {
      let [draft, now] = [Draft.of(first), first];
      for (const round of rounds) {
        const splices = round.map(({ start, length, text }) => {
          const from = Math.min(start, now.length);
          return { start: from, end: Math.min(from + length, now.length), text };
        });
        now = spliced(now, splices);
        draft = draft.with(splices);
        assert.equal(draft.text, now);
      }
      assert.equal(spliced(first, draft.splices), now);
      let at = -1;
      for (const { start, end } of draft.splices) {
        assert.ok(start > at && end >= start, JSON.stringify(draft.splices));
        at = end;
      }
      assert.equal(draft.splices.length === 0, now === first);
    }),
    { numRuns: RUNS },
  );
});
