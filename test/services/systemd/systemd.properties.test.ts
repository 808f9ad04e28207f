/** What every edit of a drop-in keeps, whatever the file. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limitNofile, dropIn as systemd } from "../../../provider/services/systemd/drop-in";
import type { Tree, Wanted } from "../../../provider/text/format";
import { edit, edited, milliseconds, orRefused, values } from "../../support/lossless";
import { oneChange } from "../../support/one-change";
import { anyTree, KEY, treeOf, value } from "../../support/systemd-arbitrary";

const RUNS = 4000;

test("an edit sets the value, repeats to nothing, restores to the very bytes, and keeps other lines", () => {
  let edits = 0;
  fc.assert(
    fc.property(anyTree, value, (tree, wanted) => {
      const result = orRefused(() => edit(systemd, tree, { [KEY]: wanted }));
      if (!result) return;
      edits++;
      const after = edited(systemd, tree, { [KEY]: wanted });
      assert.deepEqual(limitNofile(values(systemd, after, [KEY])[KEY]!), limitNofile(wanted));
      assert.deepEqual(edit(systemd, after, { [KEY]: wanted }), new Map());
      const before = values(systemd, tree, [KEY])[KEY] ?? null;
      assert.deepEqual(edited(systemd, after, { [KEY]: before }).files, tree.files);
      const { removed, added } = oneChange(rootText(tree), rootText(after));
      assert((before ?? "").includes(removed), removed);
      assert(before === null || wanted.includes(added), added);
    }),
    { numRuns: RUNS },
  );
  assert(edits > RUNS / 4, `only ${edits} of ${RUNS} files could be edited`);
});

/** The lines that are missing in `kept`, which has the others in their order. */
function linesWithout(lines: readonly string[], kept: readonly string[]): string[] {
  let at = 0;
  const gone = lines.filter((line) => line.trimEnd() !== kept[at]?.trimEnd() || ++at < 0);
  assert.equal(at, kept.length, "a line that was not there before");
  return gone;
}

test("null leaves no assignment that counts, and every other line", () => {
  fc.assert(
    fc.property(anyTree, (tree) => {
      if (!orRefused(() => edit(systemd, tree, { [KEY]: null }))) return;
      const after = edited(systemd, tree, { [KEY]: null });
      assert.deepEqual(systemd.read(after, [KEY]), {});
      const kept = rootText(after) === "" ? [] : rootText(after).split("\n");
      const gone = linesWithout(rootText(tree).split("\n"), kept);
      // The lines of a continued value say nothing of the setting themselves.
      if (rootText(tree).includes("\\")) return;
      for (const line of gone) assert.match(line, /LimitNOFILE|^\[Service\]\r?$|^\r?$/);
    }),
    { numRuns: 2000 },
  );
});

test("a setting of another kind is emptied, set and restored", () => {
  const user = fc.constantFrom(
    "[Service]\n",
    "User=\n",
    "User=wapt\n",
    "User = nginx # no remark\n",
    "# User=x\n",
    "[Unit]\n",
    "Nice=1\n",
  );
  fc.assert(
    fc.property(fc.array(user), (lines) => {
      const tree = treeOf(lines.join(""));
      const before = values(systemd, tree, ["Service.User"])["Service.User"] ?? null;
      const after = edited(systemd, tree, { "Service.User": "www-data" });
      assert.equal(values(systemd, after, ["Service.User"])["Service.User"], "www-data");
      assert.deepEqual(edited(systemd, after, { "Service.User": before }).files, tree.files);
    }),
  );
});

const rootText = ({ files, root }: Tree): string => files.get(root)!;

/** The file edits or is refused; either way in time. */
const timed = {
  ...systemd,
  edit: (tree: Tree, wanted: Wanted) => orRefused(() => systemd.edit(tree, wanted)) ?? new Map(),
};

test("10 MB are edited in well under a second or so, and hostile lines in linear time", () => {
  const usual = treeOf(`[Service]\n${'Environment="NAME=value" # a remark\n'.repeat(280_000)}`);
  const time = milliseconds(systemd, usual, { [KEY]: "32768" });
  assert(time < 4000, `${time} ms`);
  for (const part of [
    "LimitNOFILE=5\n",
    "\\\n",
    "a\\\n",
    "[Service]\n",
    "[",
    "\r",
    "\0",
    "\\",
    "\xe9\n",
    " ",
    "#",
    "\xef\xbb\xbf\n",
  ]) {
    const hostile = milliseconds(timed, treeOf(`[Service]\n${part.repeat(1e6 / part.length)}`), { [KEY]: "32768" });
    assert(hostile < 5000, `${hostile} ms for ${JSON.stringify(part)}`);
    const removed = milliseconds(timed, treeOf(`[Service]\n${part.repeat(1e4 / part.length)}`), { [KEY]: null });
    assert(removed < 5000, `${removed} ms to remove ${JSON.stringify(part)}`);
  }
});
