/**
 * Files of sysctl.d(5) and sysctl.conf(5), edited so that both of their readers take the wanted value: `sysctl --system`
 * of procps when it is called, and systemd-sysctl at boot. A line that the two take differently (a stray carriage return,
 * a blank behind `-`, a doubled separator) is refused where it concerns a managed key.
 *
 * A key is written `net.core.somaxconn`. Its last assignment wins. A pattern (`net.core.*`) sets only keys that no line
 * assigns by name, wherever it stands; `-key` without `=` takes a key out of the patterns.
 */
import { posix } from "node:path";
import {
  changedRoot,
  type Format,
  FormatError,
  type Found,
  inOrder,
  rootText,
  type Tree,
  type Wanted,
  withRoot,
} from "../../text/format";
import { insertion, removal, removals } from "../../text/lines";
import { spliced } from "../../text/splices";
import { type Statement, statementsOf } from "./sysctl-statement";

/** Kernel settings by their dotted names. Values are compared as text; a file says nothing of the kernel's own value. */
export const sysctl: Format = {
  /** @throws FormatError where the two readers would disagree on one of the keys. */
  read(tree, keys) {
    const found = keys.flatMap((key): [string, Found][] => {
      const at = deciding(tree, key);
      return at ? [[key, { value: at.value, file: at.file, line: at.line }]] : [];
    });
    return Object.fromEntries(found);
  },

  /**
   * Changes the value of the last assignment; adds `key = value` as the root file's last line where nothing assigns the
   * key; removes every assignment for null.
   * @throws FormatError as read does; where a file read after the root file decides otherwise; for null, where a pattern
   * would set the key still; for a value that no line can hold.
   */
  edit(tree, wanted: Wanted) {
    let current = tree;
    for (const key of lastLineFirst(tree, Object.keys(wanted))) {
      const value = wanted[key] ?? null;
      const text = value === null ? withoutKey(current, key) : withValue(current, key, value);
      current = withRoot(tree, text);
    }
    return changedRoot(tree, current);
  },
};

const KEY = /^\w[\w-]*(?:[./]\w[\w:@-]*)+$/;

const DIRECTORIES = [
  "/etc/sysctl.d",
  "/run/sysctl.d",
  "/usr/local/lib/sysctl.d",
  "/usr/lib/sysctl.d",
  "/lib/sysctl.d",
] as const;

/**
 * The files that `sysctl --system` reads after `root`, in its order, of all `paths` found on a server: *.conf of the five
 * folders by file name, then /etc/sysctl.conf. Of files with one name only that of the first folder is read (in the
 * manual's order, /etc first), even where it is empty. `root` counts whether it exists or not. systemd-sysctl reads
 * /etc/sysctl.conf only where a link in a folder leads to it; what it sets must hold after both readers.
 */
export function sysctlOrder(paths: readonly string[], root: string): string[] {
  const read = new Map<string, string>();
  for (const directory of DIRECTORIES) {
    for (const path of [...paths, root]) {
      const name = posix.basename(path);
      if (posix.dirname(path) === directory && name.endsWith(".conf") && !read.has(name)) read.set(name, path);
    }
  }
  const after = [...read.keys()].filter((name) => name > posix.basename(root)).sort();
  const last = paths.filter((path) => path === "/etc/sysctl.conf" && path !== root).slice(0, 1);
  return [...after.map((name) => read.get(name)!), ...last];
}

/** The statement whose value the kernel gets; undefined where none sets the key. */
function deciding(tree: Tree, key: string): Statement | undefined {
  const statements = statementsAbout(tree, key);
  const assignment = statements.findLast(({ kind }) => kind === "assignment");
  const exclusion = statements.findLast(({ kind }) => kind === "exclusion");
  if (!assignment) return exclusion ? undefined : statements.at(-1);
  if (exclusion && statements.indexOf(exclusion) > statements.indexOf(assignment)) {
    const problem = `-${key} after an assignment of it: systemd-sysctl drops the assignment, sysctl does not; remove one`;
    throw new FormatError(exclusion.file, exclusion.line, problem);
  }
  return assignment;
}

function statementsAbout(tree: Tree, key: string): Statement[] {
  if (!KEY.test(key)) throw new FormatError(tree.root, 1, `"${key}" is no key; name it like "net.core.somaxconn"`);
  return inOrder(tree).flatMap(([file, text]) => statementsOf(file, text, key));
}

/** The root file's text with the key set to the value. */
function withValue(tree: Tree, key: string, value: string): string {
  const now = deciding(tree, key);
  if (now?.value === value) return rootText(tree);
  const text = now?.kind === "assignment" ? replaced(tree, key, value, now) : inserted(tree, key, value);
  if (deciding(withRoot(tree, text), key)?.value !== value) {
    throw new FormatError(
      tree.root,
      1,
      `no line can set ${key} to that; give one value without a line end or a remark`,
    );
  }
  return text;
}

function replaced(tree: Tree, key: string, value: string, now: Statement): string {
  if (now.file !== tree.root) {
    const problem = `sets ${key} to ${now.value} after ${tree.root}; remove this line or set ${value} here`;
    throw new FormatError(now.file, now.line, problem);
  }
  return (
    withoutInsertion(tree, key, value, now) ??
    spliced(rootText(tree), [{ start: now.valueStart, end: now.valueEnd, text: value }])
  );
}

/** A line that was added against a pattern, and is to say what the pattern says, goes: so a restored file is the old one. */
function withoutInsertion(tree: Tree, key: string, value: string, now: Statement): string | undefined {
  const text = rootText(tree);
  const candidate = withRoot(tree, spliced(text, [removal(text, now.start)]));
  const remaining = deciding(candidate, key);
  if (remaining?.kind !== "pattern" || remaining.value !== value) return undefined;
  return appended(candidate, key, now.value) === text ? rootText(candidate) : undefined;
}

function inserted(tree: Tree, key: string, value: string): string {
  const exclusion = statementsAbout(tree, key).findLast(({ kind, file }) => kind === "exclusion" && file !== tree.root);
  if (exclusion) {
    const problem = `-${key} takes back what ${tree.root} sets when systemd-sysctl reads it; remove this line`;
    throw new FormatError(exclusion.file, exclusion.line, problem);
  }
  return appended(tree, key, value);
}

function appended(tree: Tree, key: string, value: string): string {
  const text = rootText(tree);
  return spliced(text, [insertion(text, text.length, `${key} = ${value}`)]);
}

/** The root file's text without any assignment of the key. */
function withoutKey(tree: Tree, key: string): string {
  const own = statementsOf(tree.root, rootText(tree), key).filter(({ kind }) => kind === "assignment");
  const starts = own.map(({ start }) => start);
  const text = spliced(rootText(tree), removals(rootText(tree), starts));
  const still = deciding(withRoot(tree, text), key);
  if (still) {
    const remedy = still.kind === "pattern" ? `exclude it by a line -${key}` : "remove this line";
    throw new FormatError(still.file, still.line, `sets ${key}, which no file shall set; ${remedy}`);
  }
  return text;
}

/** What was added last is taken back first: only then does each earlier line stand where its insertion put it. */
function lastLineFirst(tree: Tree, keys: readonly string[]): string[] {
  const line = (key: string) => {
    const at = deciding(tree, key);
    return at?.kind === "assignment" ? at.line : 0;
  };
  const lines = new Map(keys.map((key) => [key, line(key)]));
  return keys.toSorted((one, other) => lines.get(other)! - lines.get(one)!);
}
