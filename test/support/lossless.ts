/** What every edit of a format must keep, whatever the file. */
import assert from "node:assert/strict";
import { type Format, FormatError, type Found, type Tree, type Wanted } from "../../provider/text/format";
import { spliced } from "../../provider/text/splices";

/** The result; undefined when the format refuses the file. Anything thrown but a FormatError goes on. */
export function orRefused<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof FormatError) return undefined;
    throw thrown;
  }
}

/** The files that an edit changes, whole. */
export function edit(format: Format, tree: Tree, wanted: Wanted): Map<string, string> {
  const changed = [...format.edit(tree, wanted)];
  return new Map(changed.map(([file, splices]) => [file, spliced(tree.files.get(file) ?? "", splices)]));
}

export function edited(format: Format, tree: Tree, wanted: Wanted): Tree {
  return { ...tree, files: new Map([...tree.files, ...edit(format, tree, wanted)]) };
}

export function values(format: Format, tree: Tree, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(format.read(tree, keys)).map(([key, found]) => [key, found.value]));
}

/** A setting's value is read back as wanted, a second edit changes nothing, and only files that changed are returned. */
export function assertEdits(format: Format, tree: Tree, wanted: Wanted): Tree {
  const result = edit(format, tree, wanted);
  for (const [file, text] of result) assert.notEqual(text, tree.files.get(file), `${file} is returned unchanged`);
  const after = edited(format, tree, wanted);
  for (const [key, value] of Object.entries(wanted)) {
    if (value !== null) assert.equal(values(format, after, [key])[key], value, key);
  }
  assert.deepEqual(format.edit(after, wanted), new Map(), "a second edit changes something");
  return after;
}

/** Puts back what stood there before, null for what no file set, and expects the original bytes. */
export function assertRestores(format: Format, tree: Tree, wanted: Wanted): void {
  const before = values(format, tree, Object.keys(wanted));
  const restored = Object.fromEntries(Object.keys(wanted).map((key) => [key, before[key] ?? null]));
  const files = new Map(edited(format, edited(format, tree, wanted), restored).files);
  const { override = "" } = tree;
  // A file of ours goes when it is empty.
  if (!tree.files.has(override) && files.get(override) === "") files.delete(override);
  assert.deepEqual(files, tree.files);
}

/** One setting alone: its old value alone gives way, or a line is added, or one that an edit had added goes. */
export function assertOneChange(tree: Tree, after: Tree, wanted: Wanted, read: Readonly<Record<string, Found>>): void {
  const [[key, value], ...more] = Object.entries(wanted) as [[string, string | null], ...[string, string | null][]];
  if (more.length > 0 || value === null) return;
  const { removed, added } = oneChange(tree.files.get(tree.root)!, after.files.get(tree.root)!);
  assert(added === "" || (read[key]?.value ?? "").includes(removed), removed);
}

/** The text between what both begin with and what both end with. */
function oneChange(before: string, after: string): { readonly removed: string; readonly added: string } {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  return { removed: before.slice(head, before.length - tail), added: after.slice(head, after.length - tail) };
}

/**
 * Edits a large or hostile file, or is refused. How the time grows is shown by test/benchmark/formats.ts; here one that grew
 * with the square of the size would not end.
 */
export const assertEnds = (format: Format, tree: Tree, wanted: Wanted): void =>
  void orRefused(() => edit(format, tree, wanted));
