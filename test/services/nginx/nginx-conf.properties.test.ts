/** What every edit of nginx's configuration keeps, whatever the files. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { directives, nginxConf } from "../../../provider/services/nginx/nginx-conf";
import type { Tree } from "../../../provider/text/format";
import { assertEdits, assertRestores, edit, edited, orRefused, values } from "../../support/lossless";
import { anyBytes, KEYS, ROOT, soundTree, statementSalad, wanted } from "../../support/nginx-arbitrary";
import { runs } from "../../support/runs";

/** RUNS=10 tries ten times as many. */
const RUNS = runs(3000);

/** How many characters two texts have in common at the start and at the end, without counting any twice. */
function commonEnds(one: string, other: string): number {
  const most = Math.min(one.length, other.length);
  let start = 0;
  while (start < most && one[start] === other[start]) start++;
  let end = 0;
  while (end < most - start && one.at(-end - 1) === other.at(-end - 1)) end++;
  return start + end;
}

test("an edit sets the values, repeats to nothing, and restores to the very bytes", () => {
  fc.assert(
    fc.property(soundTree, wanted, (tree, settings) => {
      const read = nginxConf.read(tree, Object.keys(settings));
      // A directive with a comment inside stays where it is, and one that is gone is not put back where it stood.
      if (!orRefused(() => edit(nginxConf, tree, settings))) return Object.values(settings).includes(null);
      assertEdits(nginxConf, tree, settings);
      // Nor does a value lose quotes that another one needed.
      const isExact = Object.keys(read).every((key) => settings[key] !== null && !/[;"'{#\\]/.test(settings[key]!));
      if (isExact) assertRestores(nginxConf, tree, settings);
      return true;
    }),
    { numRuns: RUNS },
  );
});

test("an edit changes only the bytes of the value, or puts the directive in and nothing else", () => {
  fc.assert(
    fc.property(soundTree, wanted, fc.constantFrom(...KEYS), (tree, settings, key) => {
      const value = settings[key];
      if (value === undefined || value === null) return;
      const before = values(nginxConf, tree, [key])[key];
      const result = edit(nginxConf, tree, { [key]: value });
      assert.equal(result.size, before === value ? 0 : 1);
      for (const [file, text] of result) {
        const original = tree.files.get(file)!;
        const kept = commonEnds(original, text);
        assert(original.length - kept <= (before ?? "").length, "more than the value is gone");
        if (before !== undefined) assert(text.length - kept <= value.length * 2 + 2, "more than the value is new");
        else assert(text.includes(key.slice(key.indexOf(".") + 1)));
      }
    }),
    { numRuns: RUNS },
  );
});

test("null leaves no such directive", () => {
  fc.assert(
    fc.property(soundTree, fc.constantFrom(...KEYS), (tree, key) => {
      const result = orRefused(() => edit(nginxConf, tree, { [key]: null }));
      if (result) assert.deepEqual(nginxConf.read({ ...tree, files: new Map([...tree.files, ...result]) }, [key]), {});
    }),
    { numRuns: RUNS / 3 },
  );
});

test("whatever the bytes: only a FormatError, a value that is read back, and a missing one goes as it came", () => {
  let edits = 0;
  const salad = fc.tuple(fc.oneof({ weight: 5, arbitrary: statementSalad }, anyBytes), statementSalad, fc.boolean());
  fc.assert(
    fc.property(salad, wanted, ([text, included, isWrapped], settings) => {
      const root = isWrapped ? `${text}\nevents { }` : text;
      const tree: Tree = {
        root: ROOT,
        files: new Map([
          [ROOT, root],
          ["/etc/nginx/x", included],
        ]),
      };
      orRefused(() => directives(tree, "worker_connections"));
      const read = orRefused(() => values(nginxConf, tree, Object.keys(settings)));
      if (!read || !orRefused(() => edit(nginxConf, tree, settings))) return;
      edits++;
      const after = assertEdits(nginxConf, tree, settings);
      if (Object.keys(read).length > 0) return;
      const gone = Object.fromEntries(Object.keys(settings).map((key) => [key, null]));
      assert.deepEqual(edited(nginxConf, after, gone).files, tree.files);
    }),
    { numRuns: 2 * RUNS },
  );
  assert(edits > RUNS / 3, `only ${edits} of ${2 * RUNS} files could be edited`);
});

test("10 MB are edited", () => {
  const lines = [
    "  server { listen 127.0.0.1:80; # a remark\n    root /srv/www; }\n",
    '  log_format x "\\"\\\\" \'{};#\' ${a}b;\n',
    "#\n",
    "server{listen 80;}",
  ];
  for (const line of lines) {
    const text = (count: number) =>
      `http {${line.startsWith("server") ? "" : "\n"}${line.repeat(count)}}\nevents {\n}\n`;
    const count = Math.ceil(1e7 / line.length);
    const tree = { root: ROOT, files: new Map([[ROOT, text(count)]]) };
    const after = edit(nginxConf, tree, { [KEYS[0]]: "4096", [KEYS[1]]: "32768", [KEYS[2]]: "/srv/uploads" });
    for (const value of ["4096", "32768", "/srv/uploads"]) assert.ok(after.get(ROOT)!.includes(value));
  }
});
