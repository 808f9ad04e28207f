/** What every edit of limits.conf keeps, whatever the file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../../../provider/services/kernel/limits";
import type { Tree, Wanted } from "../../../provider/text/format";
import { anyTree, KEYS, ROOT, treeOf, USER, value } from "../../support/limits-arbitrary";
import { assertEdits, assertEnds, assertOneChange, assertRestores, edit, orRefused } from "../../support/lossless";
import { runs } from "../../support/runs";

/** RUNS=10 tries ten times as many files. */
const RUNS = runs(4000);

const wanted: fc.Arbitrary<Wanted> = fc
  .tuple(fc.option(value), fc.option(value), fc.boolean(), fc.subarray([...KEYS], { minLength: 1 }))
  .map(([one, other, isSame, keys]) =>
    Object.fromEntries(keys.map((key) => [key, key === KEYS[0] || isSame ? one : other])),
  );

/** The lines that are not the user's. */
function othersLines(tree: Tree): string[] {
  const lines = tree.files
    .get(tree.root)!
    .split("\n")
    .map((line) => line.replace(/\r+$/, ""));
  return lines.filter((line) => !line.replace(/^[\t-\r ]+/, "").startsWith(USER) && line !== "");
}

function isFreed({ files }: Tree): boolean {
  return [...files.values()].some((text) => new RegExp(`${USER}[\\t-\\r ]+-`).test(text));
}

test("an edit sets the value, repeats to nothing, restores to the very bytes, and keeps other lines", () => {
  let edits = 0;
  fc.assert(
    fc.property(anyTree, wanted, (tree, values) => {
      const read = orRefused(() => limits.read(tree, Object.keys(values)));
      if (!read || !orRefused(() => edit(limits, tree, values))) return;
      edits++;
      const after = assertEdits(limits, tree, values);
      assert.deepEqual(othersLines(after), othersLines(tree));
      assertOneChange(tree, after, values, read);
      // A removed line is not put back where it stood; beside a line that frees the user, read finds none of them.
      const mayRemove = Object.keys(values).some((key) => values[key] === null && (read[key] || isFreed(tree)));
      if (!mayRemove) assertRestores(limits, tree, values);
    }),
    { numRuns: RUNS },
  );
  assert(edits > RUNS / 4, `only ${edits} of ${RUNS} files could be edited`);
});

test("null leaves no line of the type, and the other type as it was", () => {
  const [hard, soft] = KEYS;
  fc.assert(
    fc.property(anyTree, (tree) => {
      const before = orRefused(() => limits.read(tree, KEYS));
      const result = orRefused(() => edit(limits, tree, { [hard]: null }));
      if (!before || !result) return;
      const after = limits.read({ ...tree, files: new Map([...tree.files, ...result]) }, KEYS);
      assert.equal(after[hard], undefined);
      assert.equal(after[soft]?.value, before[soft]?.value);
    }),
    { numRuns: RUNS / 4 },
  );
});

test("10 MB are edited, and hostile lines end", () => {
  const usual = treeOf("someone   hard   nofile   500000 # a remark\n".repeat(230_000));
  assert.match(edit(limits, usual, { [KEYS[0]]: "4096" }).get(ROOT)!, / 4096\n$/);
  for (const part of [`${USER} hard nproc 5\n`, `${USER} `, " ", "#", "\r", "\0", `\n${USER}\0`]) {
    assertEnds(limits, treeOf(part.repeat(1e6 / part.length)), { [KEYS[0]]: "4096" });
  }
});
