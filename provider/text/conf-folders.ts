/** Folders of *.conf files as systemd reads them, and sysctl: by file name, whichever folder holds it. */
import { posix } from "node:path";
import { FormatError } from "./format";

/**
 * The files that are read before `root` and after it, in their order, of all `paths` found on a server. Of files with one
 * name only that of the first folder is read, even where it is empty. `root` counts whether it exists or not.
 * @throws FormatError where a file of another folder takes the place of `root`.
 */
export function foldersOrder(
  paths: readonly string[],
  root: string,
  folders: readonly string[],
): { before: string[]; after: string[] } {
  const ranks = new Map(folders.map((folder, rank) => [folder, rank]));
  const read = new Map<string, { readonly path: string; readonly rank: number }>();
  for (const path of [...paths, root]) {
    const rank = path.endsWith(".conf") ? ranks.get(posix.dirname(path)) : undefined;
    if (rank === undefined) continue;
    const name = posix.basename(path);
    const known = read.get(name);
    if (known === undefined || rank < known.rank) read.set(name, { path, rank });
  }
  const own = posix.basename(root);
  const instead = read.get(own)?.path;
  if (instead !== undefined && instead !== root) {
    throw new FormatError(instead, 1, `this file is read in place of ${root}; remove or rename it`);
  }
  const sorted = [...read.keys()].sort();
  const files = (isMeant: (name: string) => boolean) => sorted.filter(isMeant).map((name) => read.get(name)!.path);
  return { before: files((name) => name < own), after: files((name) => name > own) };
}
