/** The root file of a tree: the one file that formats without includes edit. */
import type { Tree } from "./format";

/** The root file's text; "" where it does not exist yet. */
export function rootText(tree: Tree): string {
  return tree.files.get(tree.root) ?? "";
}

/** The tree with another text in its root file. */
export function withRoot(tree: Tree, text: string): Tree {
  return { ...tree, files: new Map(tree.files).set(tree.root, text) };
}

/** What an edit returns: the root file if its text is another one now. */
export function changedRoot(before: Tree, after: Tree): ReadonlyMap<string, string> {
  const text = rootText(after);
  return text === rootText(before) ? new Map() : new Map([[before.root, text]]);
}

/** The files in the order in which their service reads them. */
export function inOrder(tree: Tree): [file: string, text: string][] {
  return [tree.root, ...(tree.after ?? [])].map((file) => [file, tree.files.get(file) ?? ""]);
}
