/**
 * The corpus of the formats whose lines are settings: `NAME.conf` (or another ending) holds a file with the quirk that
 * its name tells, `NAME.case.json` what is asked of it.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { type Format, FormatError, type Tree, type Wanted } from "../../provider/text/format";
import { edit } from "./lossless";

/** `before` gives way to `after` at `line`, in lines without LF; a change of the last line tells of a missing LF. */
interface Change {
  readonly file?: string;
  readonly line: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

interface Case {
  /** Other files by their paths, relative to the folder of the file itself: their lines, each to end with LF. */
  readonly files?: Readonly<Record<string, readonly string[]>>;
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** Those that are the administrator's own. */
  readonly own?: readonly string[];
  readonly override?: string;
  readonly wanted: Wanted;
  /** For each key that is read: its value, and `file:line` relative to the folder; not given where reading fails too. */
  readonly read?: Readonly<Record<string, readonly [value: string, place: string]>>;
  readonly expect: readonly Change[] | "unchanged" | { readonly error: string };
  /** Set where wanting what is read still changes the file. */
  readonly noOpChanges?: true;
}

/** Defines a test for each case of the folder; `root` is the absolute path that the files are read under. */
export function testCorpus(format: Format, folder: string, root: string): void {
  const names = readdirSync(folder);
  for (const name of names.filter((name) => name.endsWith(".case.json"))) {
    const stem = basename(name, ".case.json");
    const data = names.find((other) => other.startsWith(`${stem}.`) && other !== name);
    assert(data, `${name} has no file beside it`);
    const given = JSON.parse(readFileSync(join(folder, name), "utf8")) as Case;
    test(stem, () => check(format, given, treeOf(given, root, readFileSync(join(folder, data), "latin1"))));
  }
  assert(
    names.some((name) => name.endsWith(".case.json")),
    `${folder} holds no case`,
  );
}

function treeOf(given: Case, root: string, text: string): Tree {
  const folder = join(root, "..");
  const others = Object.entries(given.files ?? {}).map(([path, lines]): [string, string] => {
    return [join(folder, path), lines.map((line) => `${line}\n`).join("")];
  });
  const paths = (some: readonly string[] = []) => some.map((path) => join(folder, path));
  return {
    root,
    files: new Map([[root, text], ...others]),
    before: paths(given.before),
    after: paths(given.after),
    own: new Set(paths(given.own)),
    override: given.override && join(folder, given.override),
  };
}

function check(format: Format, given: Case, tree: Tree): void {
  const folder = join(tree.root, "..");
  const keys = Object.keys(given.wanted);
  if (given.read) {
    const places = Object.entries(format.read(tree, keys)).map(([key, { value, file, line }]) => {
      return [key, [value, `${file.slice(folder.length + 1)}:${line}`]];
    });
    assert.deepEqual(Object.fromEntries(places), given.read);
  }
  if (given.expect !== "unchanged" && "error" in given.expect) {
    const { error } = given.expect;
    if (!given.read) assert.throws(() => format.read(tree, keys), FormatError);
    assert.throws(
      () => edit(format, tree, given.wanted),
      (thrown) => thrown instanceof FormatError && thrown.message === `${folder}/${error}`,
    );
    return;
  }
  const edited = edit(format, tree, given.wanted);
  const expected = given.expect === "unchanged" ? new Map() : changed(tree, folder, given.expect);
  assert.deepEqual(edited, expected);
  const after = { ...tree, files: new Map([...tree.files, ...edited]) };
  assert.deepEqual(edit(format, after, given.wanted), new Map(), "a second edit changes something");
  const stands = Object.entries(format.read(tree, keys)).map(([key, found]) => [key, found.value]);
  if (!given.noOpChanges) assert.deepEqual(edit(format, tree, Object.fromEntries(stands)), new Map(), "no-op");
}

function changed(tree: Tree, folder: string, changes: readonly Change[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const { file, line, before, after } of changes) {
    const path = file ? join(folder, file) : tree.root;
    const lines = (files.get(path) ?? tree.files.get(path) ?? "").split("\n");
    assert.deepEqual(lines.slice(line - 1, line - 1 + before.length), before, `${path}:${line}`);
    lines.splice(line - 1, before.length, ...after);
    files.set(path, lines.join("\n"));
  }
  return files;
}
