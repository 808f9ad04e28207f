/**
 * What every file format of this folder offers: it reads managed settings from text, and edits only their bytes.
 *
 * All text is Latin-1 decoded bytes (one character a byte), so that a file that is not valid UTF-8 survives an edit.
 */

/** A file with whatever it includes, as the service that reads it sees them. */
export interface Tree {
  /** The file where a missing setting is inserted. It need not exist yet: then `files` does not hold it. */
  readonly root: string;
  /** Every file that was read, by absolute path. */
  readonly files: ReadonlyMap<string, string>;
  /** Files that the service reads after the tree below `root`, in its order, and whose settings therefore win. */
  readonly after?: readonly string[];
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
   * The files whose bytes change, whole; empty when the wanted values already stand. A file that has no bytes left is
   * returned as "". Refuses with a {@link FormatError} what it cannot edit so that the service takes the wanted value.
   */
  edit(tree: Tree, wanted: Wanted): ReadonlyMap<string, string>;
}

/** A file that cannot be read or edited safely: what was found, where, and what to do. */
export class FormatError extends Error {
  constructor(
    readonly file: string,
    readonly line: number,
    readonly problem: string,
  ) {
    super(`${file}:${line}: ${problem}`);
    this.name = "FormatError";
  }
}
