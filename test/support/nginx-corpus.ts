/** The corpus of nginx files: `NAME.conf` is nginx.conf, what it includes lies in `NAME.d`, `NAME.case.json` tells what is asked. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Tree, Wanted } from "../../provider/text/format";
import { FOLDER, ROOT } from "./nginx-arbitrary";

const CORPUS = join(__dirname, "..", "services", "nginx", "corpus");

/** Lines of a file of the case, `old` from `line` on, that the edit makes `new`. */
export interface Change {
  readonly file: string;
  readonly line: number;
  readonly old: readonly string[];
  readonly new: readonly string[];
}

export interface Case {
  readonly wanted: Wanted;
  /** Not given where reading fails too; `at` is file:line below the folder. */
  readonly read?: Readonly<Record<string, { value: string; at: string }>>;
  readonly change?: readonly Change[];
  /** The message, without the folder. */
  readonly error?: string;
}

export const names: readonly string[] = readdirSync(CORPUS)
  .filter((file) => file.endsWith(".case.json"))
  .map((file) => file.slice(0, -".case.json".length));

export function casesOf(name: string): readonly Case[] {
  return JSON.parse(readFileSync(join(CORPUS, `${name}.case.json`), "utf8")) as Case[];
}

export function treeOf(name: string): Tree {
  const files = new Map([[ROOT, readFileSync(join(CORPUS, `${name}.conf`), "latin1")]]);
  const folder = join(CORPUS, `${name}.d`);
  for (const entry of readdirSync(CORPUS, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !path.startsWith(`${folder}/`)) continue;
    files.set(`${FOLDER}/${relative(folder, path)}`, readFileSync(path, "latin1"));
  }
  return { root: ROOT, files };
}
