/** What every edit of a sysctl file keeps, whatever the file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Tree, Wanted } from "../../provider/formats/format";
import { sysctl } from "../../provider/formats/sysctl";
import { assertEdits, assertRestores, milliseconds, orRefused } from "./lossless";
import { anyTree, KEYS, treeOf, value } from "./sysctl-arbitrary";

const wanted: fc.Arbitrary<Wanted> = fc
  .tuple(fc.option(value), fc.option(value), fc.subarray([...KEYS], { minLength: 1 }))
  .map(([one, other, keys]) => Object.fromEntries(keys.map((key) => [key, key === KEYS[0] ? one : other])));

/** The bytes of the lines that have no managed key in them. */
function othersLines(tree: Tree): string[] {
  const managed = /somaxconn|tcp_max_syn_backlog|soma|\*/;
  return tree.files
    .get(tree.root)!
    .split("\n")
    .filter((line) => !managed.test(line) && line !== "");
}

test("an edit sets the value, repeats to nothing, restores to the very bytes, and keeps other lines", () => {
  let edits = 0;
  fc.assert(
    fc.property(anyTree, wanted, (tree, values) => {
      const read = orRefused(() => sysctl.read(tree, Object.keys(values)));
      if (!read || !orRefused(() => sysctl.edit(tree, values))) return;
      edits++;
      const after = assertEdits(sysctl, tree, values);
      assert.deepEqual(othersLines(after), othersLines(tree));
      // A removed line is not put back where it stood.
      if (Object.keys(read).every((key) => values[key] !== null)) assertRestores(sysctl, tree, values);
    }),
    { numRuns: 4000 },
  );
  assert(edits > 1000, `only ${edits} of 4000 files could be edited`);
});

test("null leaves no assignment", () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      const result = orRefused(() => sysctl.edit(tree, { [KEYS[0]]: null }));
      if (!result) return;
      const after = { ...tree, files: new Map([...tree.files, ...result]) };
      assert.deepEqual(sysctl.read(after, [KEYS[0]]), {});
    }),
    { numRuns: 1000 },
  );
});

test("10 MB are edited in linear time", () => {
  const hard = ["-\n", "net.core.somaxconn # ", "a/../", "net.core.*****[=\n", "\r"];
  for (const line of ["net.ipv4.ip_forward = 1 # a remark\n", ...hard]) {
    const tree = treeOf(line.repeat(Math.ceil(1e7 / line.length)).replace(/(.{1000})/g, "$1\n"));
    const time = milliseconds(
      { ...sysctl, edit: (...args) => orRefused(() => sysctl.edit(...args)) ?? new Map() },
      tree,
      { [KEYS[0]]: "4096" },
    );
    assert(time < 5000, `${time} ms for lines like ${JSON.stringify(line)}`);
  }
});
