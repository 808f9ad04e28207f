/**
 * What every file format of a service offers: it reads managed settings from text, and edits only their bytes.
 *
 * All text is Latin-1 decoded bytes (one character a byte), so that a file that is not valid UTF-8 survives an edit.
 */

import type { Draft } from "./draft";
import { harmlessSentence } from "./harmless";
import type { Splice } from "./splices";

/** A file with whatever it includes, as the service that reads it sees them. */
export interface Tree {
  /** The file where a missing setting is inserted. It need not exist yet: then `files` does not hold it. */
  readonly root: string;
  /** Every file that was read, by absolute path. */
  readonly files: ReadonlyMap<string, string>;
  /** Files that the service reads before `root`, in its order. */
  readonly before?: readonly string[];
  /** Files that the service reads after the tree below `root`, in its order, and whose settings therefore win. */
  readonly after?: readonly string[];
  /** Of those, the administrator's own: a setting that one of them decides is edited there. */
  readonly own?: ReadonlySet<string>;
  /** A file of ours among `after`, for a setting that one of another's decides behind `root`. It need not exist. */
  readonly override?: string;
}

/** A setting as the service would take it, and the place that decides it. */
export interface Found {
  /** The value without quotes or escapes. */
  readonly value: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Setting to value; null means that no file of the tree shall set it. */
export type Wanted = Readonly<Record<string, string | null>>;

/** A lossless editor of one file format. Its functions are pure and throw nothing but {@link FormatError}. */
export interface Format {
  /** The effective value of each key that some file sets; a key that none sets is left out. */
  read(tree: Tree, keys: readonly string[]): Readonly<Record<string, Found>>;
  /**
   * The files whose bytes change, with their splices, in ascending order and apart; empty when the wanted values already
   * stand. Refuses with a {@link FormatError} what it cannot edit so that the service takes the wanted value.
   *
   * The splices of a file whose unmanaged values are masked are those of the file itself: no text that an edit writes
   * comes from such a value.
   */
  edit(tree: Tree, wanted: Wanted): ReadonlyMap<string, readonly Splice[]>;
}

/** A file that cannot be read or edited safely: what was found, where, and what to do. */
export class FormatError extends Error {
  constructor(
    readonly file: string,
    readonly line: number,
    readonly problem: string,
  ) {
    super(harmlessSentence(`${file}:${line}: ${problem}`));
    this.name = "FormatError";
  }
}

/** Reads each key by `find`; a key of which that finds nothing is left out. */
export function readEach<T extends Found>(
  keys: readonly string[],
  find: (key: string) => T | undefined,
): Readonly<Record<string, Found>> {
  const found = keys.flatMap((key): [string, Found][] => {
    const at = find(key);
    return at ? [[key, { value: at.value, file: at.file, line: at.line }]] : [];
  });
  return Object.fromEntries(found);
}

/** A file's text; "" where it does not exist yet. */
export function textOf(tree: Tree, file: string): string {
  return tree.files.get(file) ?? "";
}

/** The tree with another text in a file. */
export function withText(tree: Tree, file: string, text: string): Tree {
  return { ...tree, files: new Map(tree.files).set(file, text) };
}

/** What an edit returns: of some drafts by file those whose text is another one now. */
export function changed(
  drafts: Iterable<readonly [file: string, draft: Draft]>,
): ReadonlyMap<string, readonly Splice[]> {
  return new Map(
    [...drafts].map(([file, { splices }]) => [file, splices] as const).filter(([, list]) => list.length > 0),
  );
}

/** The files in the order in which their service reads them, where nothing includes another. */
export function inOrder(tree: Tree): [file: string, text: string][] {
  return orderOf(tree).map((file) => [file, tree.files.get(file) ?? ""]);
}

const orderOf = ({ before = [], root, after = [] }: Tree): string[] => [...before, root, ...after];

/** Tells whether the service reads one file after another. */
export function isAfter(tree: Tree, file: string, other: string): boolean {
  const order = orderOf(tree);
  return order.indexOf(file) > order.indexOf(other);
}

/** Tells whether nobody but this package writes a file, beside what stood in it. */
export const isOurs = ({ root, override }: Tree, file: string): boolean => file === root || file === override;

/**
 * The file in which a setting gets its value: the one that decides it, where that may be edited; else ours that is read
 * after it; undefined where none is. `decides` is undefined for a setting that no file decides.
 */
export function fileToEdit(tree: Tree, decides: string | undefined): string | undefined {
  if (decides === undefined) return tree.root;
  if (isOurs(tree, decides) || tree.own?.has(decides)) return decides;
  if (isAfter(tree, tree.root, decides)) return tree.root;
  const { override } = tree;
  return override !== undefined && isAfter(tree, override, decides) ? override : undefined;
}
