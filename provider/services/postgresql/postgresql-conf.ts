/**
 * postgresql.conf with the files that it includes, and postgresql.auto.conf after it. Includes are read as PostgreSQL
 * reads them (guc-file.l and conffiles.c of PostgreSQL 15; the same in 18).
 *
 * Values are compared as text, without quotes and escapes: `0x64` is not `100`. A value keeps its quotes; a bare one gets
 * quotes when PostgreSQL demands them. Escapes other than `''`, `\\` and `\n` are not written.
 */
import { posix } from "node:path";
import { Draft } from "../../text/draft";
import { changed, type Format, FormatError, readEach, type Tree, type Wanted } from "../../text/format";
import { insertion, lineStart, removals } from "../../text/lines";
import type { Splice } from "../../text/splices";
import { type Assignment, assignmentsIn, behindDefault, INCLUDES, isName, spelled } from "./scanner";

/** PostgreSQL reads the configuration file at depth 0, and refuses a file at a greater depth than this. */
const MAX_DEPTH = 10;

/** A tree of which it is known what is not there. */
export interface PostgresqlTree extends Tree {
  /**
   * What includes name beside files: what is not there, and folders whose files are all in the tree. Of any other file and
   * folder nothing is known. Without this map the tree has all that there is.
   */
  readonly named?: ReadonlyMap<string, "absent" | "folder">;
}

/** Settings of PostgreSQL, by their names (`max_connections`), case-insensitive. */
export const postgresqlConf: Format = {
  /** @throws FormatError where PostgreSQL would not start: a line it can't read, a missing or endless include. */
  read(tree, keys) {
    const settings = new Settings(tree, keys);
    return readEach(keys, (key) => settings.effective(nameOf(tree, key)));
  },

  /**
   * Edits the last assignment in reading order, in whichever file it stands; inserts a missing setting behind its
   * commented default in the root file, else at that file's end; removes every assignment for null.
   * @throws FormatError as read does, and where postgresql.auto.conf overrides what is wanted.
   */
  edit(tree, wanted: Wanted) {
    const drafts = new Map([...tree.files].map(([file, text]) => [file, Draft.of(text)]));
    const files = new Map(tree.files);
    const splice: Splicing = (file, splices) => {
      const draft = drafts.get(file)!.with(splices);
      drafts.set(file, draft);
      files.set(file, draft.text);
    };
    for (const [key, value] of Object.entries(wanted)) {
      const current = { ...tree, files };
      if (value === null) remove(current, nameOf(tree, key), splice);
      else set(current, nameOf(tree, key), value, splice);
    }
    return changed(drafts);
  },
};

/** What reading a file leads to. */
interface Reached {
  /** The last assignment of each name, includes read in place. */
  readonly last: ReadonlyMap<string, Assignment>;
  /** How many levels of includes stand below the file. */
  readonly height: number;
}

/** The assignments of some settings in all files that PostgreSQL reads, each file read once. */
class Settings {
  private readonly names: ReadonlySet<string>;
  private readonly reached = new Map<string, Reached | "being read">();
  private readonly assignments: Assignment[] = [];
  private readonly last: ReadonlyMap<string, Assignment>;
  private readonly lastAfter = new Map<string, Assignment>();

  constructor(
    private readonly tree: PostgresqlTree,
    keys: readonly string[],
  ) {
    this.names = new Set(keys.map((key) => nameOf(tree, key)));
    if (!tree.files.has(tree.root)) {
      throw new FormatError(tree.root, 1, "this file does not exist, and PostgreSQL does not start without it");
    }
    this.last = this.reach(tree.root, 0).last;
    for (const file of tree.after ?? []) {
      if (tree.files.has(file)) for (const [name, at] of this.reach(file, 0).last) this.lastAfter.set(name, at);
    }
  }

  effective(name: string): Assignment | undefined {
    return this.lastAfter.get(name) ?? this.last.get(name);
  }

  /** The assignment in a file that is read after the tree, against which the tree can do nothing. */
  override(name: string): Assignment | undefined {
    return this.lastAfter.get(name);
  }

  /** The files that were read. */
  files(): string[] {
    return [...this.reached.keys()];
  }

  all(name: string): Assignment[] {
    return this.assignments.filter((assignment) => assignment.name === name);
  }

  private reach(file: string, depth: number): Reached {
    const last = new Map<string, Assignment>();
    let height = 0;
    this.reached.set(file, "being read");
    for (const at of assignmentsIn(file, this.tree.files.get(file)!, this.names)) {
      if (!INCLUDES.has(at.name)) {
        this.assignments.push(at);
        last.set(at.name, at);
        continue;
      }
      for (const included of this.included(at)) {
        const below = this.include(included, at, depth + 1);
        height = Math.max(height, below.height + 1);
        for (const [name, assignment] of below.last) last.set(name, assignment);
      }
    }
    const result = { last, height };
    this.reached.set(file, result);
    return result;
  }

  private include(file: string, at: Assignment, depth: number): Reached {
    const known = this.reached.get(file);
    if (known === "being read") {
      throw new FormatError(at.file, at.line, `this include leads back to ${file}, without an end; remove it`);
    }
    if (depth + (known?.height ?? 0) > MAX_DEPTH) {
      const problem = `includes are nested deeper than ${MAX_DEPTH} levels, and PostgreSQL refuses that; include fewer`;
      throw new FormatError(at.file, at.line, problem);
    }
    return known ?? this.reach(file, depth);
  }

  /** The files that an include names, in the order in which PostgreSQL reads them. */
  private included(at: Assignment): string[] {
    if (/^[ \t\r\n]*$/.test(at.value)) {
      throw new FormatError(at.file, at.line, `${at.name} without a name; name what to include, or remove the line`);
    }
    const path = posix.resolve(posix.dirname(at.file), at.value);
    if (at.name === "include_dir") return this.folder(path, at);
    if (this.tree.files.has(path)) return [path];
    if (!this.isAbsent(path)) throw notRead(at, path);
    if (at.name === "include_if_exists") return [];
    throw missing(at, path);
  }

  private folder(path: string, at: Assignment): string[] {
    const { files, named } = this.tree;
    // A whole tree does not tell which folders exist, so a missing one counts as empty there.
    if (named && named.get(path) !== "folder") throw this.isAbsent(path) ? missing(at, path) : notRead(at, path);
    // JavaScript's order of Latin-1 strings is that of their bytes, so that of the C locale.
    return [...files.keys()].filter((file) => isIn(file, path)).sort();
  }

  private isAbsent(path: string): boolean {
    const { named } = this.tree;
    return named === undefined || named.get(path) === "absent";
  }
}

function missing(at: Assignment, path: string): FormatError {
  const problem = `${path} is included here, but does not exist, so that PostgreSQL would not start`;
  return new FormatError(at.file, at.line, `${problem}; create it or remove this line`);
}

function notRead(at: Assignment, path: string): FormatError {
  const problem = `${path} is included here, and was not read, so that what it sets is not known`;
  return new FormatError(at.file, at.line, `${problem}; write its name without escapes, and let root read it`);
}

/** Whether include_dir of `directory` reads the file. */
function isIn(file: string, directory: string): boolean {
  const name = posix.basename(file);
  return posix.dirname(file) === directory && name.endsWith(".conf") && !name.startsWith(".");
}

/** Changes the text of a file. */
type Splicing = (file: string, splices: readonly Splice[]) => void;

function set(tree: Tree, name: string, value: string, splice: Splicing): void {
  if (/[\0\u0100-\uffff]/.test(value)) {
    throw new FormatError(tree.root, 1, `the value wanted for ${name} holds a character that can't be written here`);
  }
  const settings = new Settings(tree, [name]);
  refuseOverride(settings.override(name), name, value);
  const at = settings.effective(name);
  if (at?.value === value) return;
  const file = at?.file ?? tree.root;
  const text = tree.files.get(file)!;
  if (at) {
    splice(file, [{ start: at.start, end: at.end, text: spelled(value, text[at.start] === "'") }]);
  } else {
    const place = behindDefault(text, name) ?? text.length;
    splice(file, [insertion(text, place, `${name} = ${spelled(value, false)}`)]);
  }
}

function remove(tree: Tree, name: string, splice: Splicing): void {
  const settings = new Settings(tree, [name]);
  refuseOverride(settings.override(name), name, null);
  for (const file of settings.files()) {
    const text = tree.files.get(file)!;
    const assignments = settings.all(name).filter((at) => at.file === file);
    const starts = assignments.map((at) => lineStart(text, at.start));
    splice(file, removals(text, starts));
  }
}

function refuseOverride(override: Assignment | undefined, name: string, value: string | null): void {
  if (!override || override.value === value) return;
  const wanted = value === null ? `no file shall set ${name}` : `${name} = ${value} is wanted`;
  const problem = `${name} = ${override.value} is set here, which wins over postgresql.conf, but ${wanted}`;
  throw new FormatError(override.file, override.line, `${problem}; run ALTER SYSTEM RESET ${name}`);
}

function nameOf(tree: Tree, key: string): string {
  const name = key.toLowerCase();
  if (!isName(name)) {
    throw new FormatError(tree.root, 1, "a setting is asked for whose name PostgreSQL does not allow");
  }
  return name;
}
