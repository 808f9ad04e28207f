/** What every edit of a sysctl file keeps, whatever the file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sysctl } from "../../../provider/services/kernel/sysctl";
import type { Tree, Wanted } from "../../../provider/text/format";
import {
  assertEdits,
  assertEnds,
  assertOneChange,
  assertRestores,
  edit,
  edited,
  orRefused,
  values,
} from "../../support/lossless";
import { runs } from "../../support/runs";
import { anyTree, KEYS, ROOT, treeOf, treeWithEarlier, value } from "../../support/sysctl-arbitrary";

const wanted: fc.Arbitrary<Wanted> = fc
  .tuple(fc.option(value), fc.option(value), fc.subarray([...KEYS], { minLength: 1 }))
  .map(([one, other, keys]) => Object.fromEntries(keys.map((key) => [key, key === KEYS[0] ? one : other])));

/** RUNS=10 tries ten times as many files. */
const RUNS = runs(4000);

/** The lines that do not set a managed key, comments on it included. */
function othersLines(tree: Tree): string[] {
  const managed = /^[^#;]*(?:somaxconn|tcp_max_syn_backlog|soma|\*)/;
  return tree.files
    .get(tree.root)!
    .split("\n")
    .map((line) => line.replace(/\r+$/, ""))
    .filter((line) => !managed.test(line) && line !== "");
}

test("an edit sets the value, repeats to nothing, restores to the very bytes, and keeps other lines", () => {
  let edits = 0;
  fc.assert(
    fc.property(anyTree, wanted, (tree, choice) => {
      const read = orRefused(() => sysctl.read(tree, Object.keys(choice)));
      if (!read || !orRefused(() => edit(sysctl, tree, choice))) return;
      edits++;
      const after = assertEdits(sysctl, tree, choice);
      assert.deepEqual(othersLines(after), othersLines(tree));
      assertOneChange(tree, after, choice, read);
      // A removed line is not put back where it stood.
      if (Object.keys(read).every((key) => choice[key] !== null)) assertRestores(sysctl, tree, choice);
    }),
    { numRuns: RUNS },
  );
  assert(edits > RUNS / 4, `only ${edits} of ${RUNS} files could be edited`);
});

test("beside an earlier file the same, and back to what that says", () => {
  let edits = 0;
  fc.assert(
    fc.property(treeWithEarlier, value, (tree, wanted) => {
      const read = orRefused(() => sysctl.read(tree, [KEYS[0]]));
      if (!read || !orRefused(() => edit(sysctl, tree, { [KEYS[0]]: wanted }))) return;
      edits++;
      const after = assertEdits(sysctl, tree, { [KEYS[0]]: wanted });
      const before = read[KEYS[0]]?.value;
      if (before === undefined) return;
      assert.equal(values(sysctl, edited(sysctl, after, { [KEYS[0]]: before }), [KEYS[0]])[KEYS[0]], before);
    }),
    { numRuns: RUNS / 2 },
  );
  assert(edits > RUNS / 8, `only ${edits} of ${RUNS / 2} files could be edited`);
});

test("null leaves no assignment", () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      const result = orRefused(() => edit(sysctl, tree, { [KEYS[0]]: null }));
      if (!result) return;
      const after = { ...tree, files: new Map([...tree.files, ...result]) };
      assert.deepEqual(sysctl.read(after, [KEYS[0]]), {});
    }),
    { numRuns: RUNS / 4 },
  );
});

test("10 MB are edited, and hostile lines end", () => {
  const usual = treeOf("net.ipv4.ip_forward = 1 # a remark\n".repeat(300_000));
  assert.match(edit(sysctl, usual, { [KEYS[0]]: "4096" }).get(ROOT)!, /= 4096\n$/);
  for (const part of ["-\n", "net.core.somaxconn # ", "net.core.*****[=\n", "\r", "a/../", "[", "*"]) {
    for (const text of [part.repeat(1e6 / part.length), `${part.repeat(1000)}\n`.repeat(1000 / part.length)]) {
      assertEnds(sysctl, treeOf(text), { [KEYS[0]]: "4096" });
    }
  }
});
