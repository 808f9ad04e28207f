/**
 * Drop-ins of systemd units (systemd.unit(5)). The root file is our own drop-in; the files after it are the drop-ins that
 * systemd reads later. What the unit itself or an earlier drop-in says is of no account: a later one replaces it.
 *
 * A key is `Section.Setting`: `Service.LimitNOFILE`. Its last assignment wins. An empty one takes back those before it, but
 * for LimitNOFILE, of which systemd ignores every value that {@link limitNofile} does not know, the empty one too.
 */
import { posix } from "node:path";
import { Draft } from "../../text/draft";
import {
  changed,
  type Format,
  FormatError,
  type Found,
  inOrder,
  rootText,
  type Tree,
  type Wanted,
  withRoot,
} from "../../text/format";
import { insertion, lineEnd, removals } from "../../text/lines";
import { type Splice, spliced } from "../../text/splices";
import { limitNofile } from "./systemd-limit";
import { type Assignment, type Key, readUnitFile } from "./systemd-syntax";

export { limitNofile, type OpenFiles } from "./systemd-limit";

/** Settings that take one value. Two values of LimitNOFILE are one if they mean the same: `1024` and `1024:1024`. */
export const dropIn: Format = {
  /** @throws FormatError where the key is set behind a line that is not valid UTF-8. */
  read(tree, keys) {
    const found = keys.flatMap((key): [string, Found][] => {
      const at = deciding(tree, keyOf(tree, key));
      return at ? [[key, { value: at.value, file: at.file, line: at.line }]] : [];
    });
    return Object.fromEntries(found);
  },

  /**
   * Changes the value of the last assignment; puts a missing one behind the last statement of its section, else into a new
   * section at the end; removes for null every assignment, with a section that holds nothing else and ends the file.
   * @throws FormatError as read does; where a later drop-in decides; where systemd gives up the root file before its end;
   * for a value that goes on over several lines; for a key or a value that no drop-in can hold.
   */
  edit(tree, wanted: Wanted) {
    let draft = Draft.of(rootText(tree));
    for (const [key, value] of Object.entries(wanted)) {
      const at = keyOf(tree, key);
      const current = withRoot(tree, draft.text);
      draft = draft.with(value === null ? without(current, at) : withValue(current, at, value));
    }
    return changed([[tree.root, draft]]);
  },
};

/** Where systemd finds units and drop-ins, from the folder that overrides to the one that is overridden. */
const UNIT_PATH = [
  "/etc/systemd/system.control",
  "/run/systemd/system.control",
  "/run/systemd/transient",
  "/run/systemd/generator.early",
  "/etc/systemd/system",
  "/etc/systemd/system.attached",
  "/run/systemd/system",
  "/run/systemd/system.attached",
  "/run/systemd/generator",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
  "/lib/systemd/system",
  "/run/systemd/generator.late",
];

/**
 * The drop-ins that systemd reads after `root`, in its order, of all `paths` found in the .d folders of one unit (its own,
 * those of its name's prefixes, and `service.d`). They are read by file name; of files with one name, only that of the
 * first folder, even where it is empty. `root` counts whether it exists or not.
 * @throws FormatError where another file takes the place of `root`.
 */
export function dropInOrder(paths: readonly string[], root: string): string[] {
  const read = new Map<string, string>();
  const found = [...new Set([...paths, root])].filter(
    (path) => path.endsWith(".conf") && UNIT_PATH.includes(above(path)),
  );
  for (const path of found.sort(overridingFirst)) {
    const name = posix.basename(path);
    if (!read.has(name)) read.set(name, path);
  }
  const own = posix.basename(root);
  const instead = read.get(own);
  if (instead !== undefined && instead !== root) {
    throw new FormatError(instead, 1, `systemd reads this file in place of ${root}; remove or rename it`);
  }
  const after = [...read.keys()].filter((name) => name > own).sort();
  return after.map((name) => read.get(name)!);
}

/** The folder of the unit path that holds a drop-in's .d folder. */
function above(path: string): string {
  return posix.dirname(posix.dirname(path));
}

/** The folder for all units of a type comes last; else the place in the unit path decides, then the longer unit name. */
function overridingFirst(one: string, other: string): number {
  const rank = (path: string) => {
    const folder = posix.basename(posix.dirname(path));
    return [folder.split(".").length < 3 ? 1 : 0, UNIT_PATH.indexOf(above(path)), -folder.length];
  };
  const ranks = rank(other);
  return rank(one).reduce((order, value, at) => order || value - ranks[at]!, 0);
}

function keyOf(tree: Tree, key: string): Key {
  const [section = "", name = "", ...more] = key.split(".");
  if (!/^[A-Za-z0-9-]+$/.test(section) || !/^[A-Za-z0-9-]+$/.test(name) || more.length > 0) {
    throw new FormatError(tree.root, 1, `"${key}" is no setting of a unit; name it like "Service.LimitNOFILE"`);
  }
  return { section, name };
}

/** The assignments of the key that count. */
function settings(tree: Tree, key: Key): Assignment[] {
  const assignments = inOrder(tree).flatMap(([file, text]) => readUnitFile(file, text, key).assignments);
  return assignments.filter(({ value }) => counts(key, value));
}

function counts({ section, name }: Key, value: string): boolean {
  return section !== "Service" || name !== "LimitNOFILE" || limitNofile(value) !== undefined;
}

function deciding(tree: Tree, key: Key): Assignment | undefined {
  const last = settings(tree, key).at(-1);
  return last?.value === "" ? undefined : last;
}

function isSame({ section, name }: Key, one: string, other: string): boolean {
  if (section !== "Service" || name !== "LimitNOFILE") return one === other;
  const [mine, theirs] = [limitNofile(one), limitNofile(other)];
  return mine?.soft === theirs?.soft && mine?.hard === theirs?.hard;
}

/** Sets the key to the value in the root file. */
function withValue(tree: Tree, key: Key, value: string): Splice[] {
  const last = settings(tree, key).at(-1);
  if (last && last.value !== "" && isSame(key, last.value, value)) return [];
  if (last && last.file !== tree.root) {
    const sets = last.value === "" ? `empties ${key.name}` : `sets ${key.name} to ${last.value}`;
    throw new FormatError(last.file, last.line, `${sets} after ${tree.root}; remove this line or set ${value} here`);
  }
  const splice = last && last.value !== "" ? replaced(tree, key, last, value) : inserted(tree, key, value);
  const now = deciding(withRoot(tree, spliced(rootText(tree), [splice])), key);
  if (now?.value !== value) {
    throw new FormatError(tree.root, 1, `${key.name} can't be "${value}"; give one value as systemd takes it`);
  }
  return [splice];
}

function replaced(tree: Tree, key: Key, { place, line }: Assignment, value: string): Splice {
  if (!place) {
    throw new FormatError(tree.root, line, `the value of ${key.name} goes on over several lines; write it on one`);
  }
  return { ...place, text: value };
}

function inserted(tree: Tree, { section, name }: Key, value: string): Splice {
  const text = rootText(tree);
  const { tail, stop } = readUnitFile(tree.root, text, { section, name });
  if (stop !== undefined) {
    throw new FormatError(tree.root, stop, "systemd gives up the file at this line; correct it");
  }
  refuseOddLineEnds(tree, name);
  const line = `${name}=${value}`;
  if (tail !== undefined) return insertion(text, lineEnd(text, tail), line);
  const feed = text.slice(0, lineEnd(text, 0)).endsWith("\r\n") ? "\r\n" : "\n";
  // The empty line also ends a statement that still waits for its continuation.
  const lines = text === "" ? [`[${section}]`, line] : ["", `[${section}]`, line];
  return insertion(text, text.length, lines.join(feed));
}

/** Lines are put in and taken out only where LF and CRLF end them, as every editor has it. */
function refuseOddLineEnds(tree: Tree, name: string): void {
  const text = rootText(tree);
  const at = text.search(/\0|\r(?!\n)/);
  if (at === -1) return;
  const line = text.slice(0, at).split("\n").length;
  throw new FormatError(tree.root, line, `a NUL or a lone CR, a line's end to systemd; remove it to edit ${name} here`);
}

/** Takes the key out of the root file. */
function without(tree: Tree, key: Key): Splice[] {
  const last = settings(tree, key).at(-1);
  if (!last || last.value === "") return [];
  if (last.file !== tree.root) {
    throw new FormatError(last.file, last.line, `sets ${key.name}, which no drop-in shall set; remove this line`);
  }
  refuseOddLineEnds(tree, key.name);
  const own = settings(tree, key).filter(({ file }) => file === tree.root);
  const standing = own.slice(own.findLastIndex(({ value }) => value === "") + 1);
  const text = rootText(tree);
  const starts = standing.flatMap(({ lineStarts }) => lineStarts);
  return withSection(text, key, standing) ?? removals(text, starts);
}

/** Takes out a last section that holds nothing else, with the empty line that an insertion put before it. */
function withSection(text: string, { section }: Key, standing: readonly Assignment[]): Splice[] | undefined {
  const { header } = standing[0]!;
  if (lineText(text, header) !== `[${section}]`) return undefined;
  let end = lineEnd(text, header);
  for (const start of standing.flatMap(({ lineStarts }) => lineStarts)) {
    if (start !== end) return undefined;
    end = lineEnd(text, start);
  }
  if (end < text.length) return undefined;
  const above = header === 0 ? 0 : text.lastIndexOf("\n", header - 2) + 1;
  const start = lineText(text, above) === "" ? above : header;
  if (text.endsWith("\n") || start === 0) return [{ start, end, text: "" }];
  return [{ start: start - (text.slice(0, start).endsWith("\r\n") ? 2 : 1), end, text: "" }];
}

/** The line that begins at `start`, without its line end. */
function lineText(text: string, start: number): string {
  return text.slice(start, lineEnd(text, start)).replace(/\r?\n$/, "");
}
