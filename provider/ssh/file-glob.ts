/** The files that `Include` of an ssh configuration names. */
import { readdirSync } from "node:fs";
import { join, parse, sep } from "node:path";
import { fileNameMatcher, isPattern } from "../text/wildcards";

/** The files that an absolute path with wildcards stands for, sorted; a path without them is returned as it is. */
export function expandGlob(path: string): string[] {
  const { root } = parse(path);
  const parts = path
    .slice(root.length)
    .split(sep)
    .filter((part) => part !== "");
  return parts.reduce<string[]>((folders, part) => folders.flatMap((folder) => entries(folder, part)), [root]);
}

function entries(folder: string, part: string): string[] {
  if (!isPattern(part)) return [join(folder, part)];
  try {
    const names = readdirSync(folder).filter(fileNameMatcher(part));
    return names.sort().map((name) => join(folder, name));
  } catch {
    // No such folder: nothing fits, as with the shell's own patterns.
    return [];
  }
}
