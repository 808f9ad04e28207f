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
  const read = new Map<string, string>();
  for (const folder of folders) {
    for (const path of [...paths, root]) {
      const name = posix.basename(path);
      if (posix.dirname(path) === folder && name.endsWith(".conf") && !read.has(name)) read.set(name, path);
    }
  }
  const own = posix.basename(root);
  const instead = read.get(own);
  if (instead !== undefined && instead !== root) {
    throw new FormatError(instead, 1, `this file is read in place of ${root}; remove or rename it`);
  }
  const sorted = [...read.keys()].sort();
  const files = (isMeant: (name: string) => boolean) => sorted.filter(isMeant).map((name) => read.get(name)!);
  return { before: files((name) => name < own), after: files((name) => name > own) };
}
