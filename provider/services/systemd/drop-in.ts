/**
 * A systemd unit's limit of open files (systemd.unit(5)), the key `Service.LimitNOFILE`: in its own file, in drop-ins, and
 * in ours, which only we write, and so as a whole. The administrator's own drop-in that decides is edited, a unit's own
 * file and a package's drop-in are overridden by ours, and what is read behind ours is refused by name. This is no parser
 * of unit files: what counts in the end is what `systemctl show` says.
 */
import { posix } from "node:path";
import { beforeBlanks, behindBlanks, isTabOrSpace } from "../../text/blanks";
import { foldersOrder } from "../../text/conf-folders";
import { Draft } from "../../text/draft";
import type { Format, Found, Tree } from "../../text/format";
import { changed, FormatError, inOrder, isAfter, readEach, textOf, withText } from "../../text/format";
import { lineIndex } from "../../text/lines";
import type { Splice } from "../../text/splices";
import type { Base } from "../../transaction/observation";

const KEY = "Service.LimitNOFILE";

/** The root file is our drop-in; `before` begins with the unit's own file. */
export const dropIn: Format = {
  /** The last limit of all. */
  read: (tree, keys) => readEach(keys, (key) => deciding(tree, key)),

  /**
   * Writes our file anew for another value, and empties it for null, or where what is read before it says the same.
   * @throws FormatError where a drop-in behind ours decides that may not be edited.
   */
  edit(tree, wanted) {
    const drafts = new Map<string, Draft>();
    let now = tree;
    for (const [key, value] of Object.entries(wanted)) {
      const [file, splices] = change(now, key, value);
      const draft = (drafts.get(file) ?? Draft.of(textOf(tree, file))).with(splices);
      drafts.set(file, draft);
      now = withText(now, file, draft.text);
    }
    return changed(drafts);
  },
};

/** What becomes of which file. */
function change(tree: Tree, key: string, value: string | null): [file: string, splices: readonly Splice[]] {
  const { root } = tree;
  const now = deciding(tree, key);
  if (value !== null && now && isSame(now.value, value)) return [root, []];
  const without = deciding(withText(tree, root, ""), key);
  if (without && !isAfter(tree, root, without.file) && (value === null || !tree.own?.has(without.file)))
    throw laterOne(tree, without, value);
  if (value === null) return [root, now?.file === root ? whole(tree, "") : []];
  if (!/^[!-\xff](?:[\t -\xff]*[!-\xff])?$/.test(value))
    throw new FormatError(root, 1, `LimitNOFILE can't be ${JSON.stringify(value)}; give a number`);
  if (now?.file === root && without && isSame(without.value, value)) return [root, whole(tree, "")];
  if (now && now.file !== root && tree.own?.has(now.file))
    return [now.file, [{ start: now.start, end: now.start + now.value.length, text: value }]];
  return [root, whole(tree, `[Service]\nLimitNOFILE=${value}\n`)];
}

function laterOne(tree: Tree, { file, line, value: now }: Limit, value: string | null): FormatError {
  const problem =
    value === null
      ? "sets LimitNOFILE, which no drop-in shall set; remove this line"
      : `sets LimitNOFILE to ${now} after ${tree.root}; remove this line or set ${value} here`;
  return new FormatError(file, line, problem);
}

/** Our drop-in as a whole. */
const whole = (tree: Tree, text: string): Splice[] => [{ start: 0, end: textOf(tree, tree.root).length, text }];

const isSame = (one: string, other: string): boolean => bothLimits(one) === bothLimits(other);

/** `N` is short for `N:N`, the soft limit and the hard one. */
function bothLimits(value: string): string {
  return value.includes(":") ? value : `${value}:${value}`;
}

/** A line that sets a limit. */
interface Limit extends Found {
  /** Where its value begins. */
  readonly start: number;
}

function deciding(tree: Tree, key: string): Limit | undefined {
  if (key !== KEY) throw new FormatError(tree.root, 1, `"${key}" is no setting of our drop-in; ask for ${KEY}`);
  return inOrder(tree)
    .flatMap(([file, text]) => limitsIn(file, text))
    .at(-1);
}

/** The lines that set a limit; systemd ignores an empty one. As for systemd, a lone CR ends a line too. */
function limitsIn(file: string, text: string): Limit[] {
  const lineAt = lineIndex(text);
  const found: Limit[] = [];
  let section: string | undefined;
  for (const { index, 0: all, 1: header, 2: right } of text.matchAll(
    /^[ \t]*(?:\[(.*)\][ \t]*|LimitNOFILE[ \t]*=(.*))$/gm,
  )) {
    section = header ?? section;
    const value = right && withoutBlanks(right);
    if (section !== "Service" || !value) continue;
    const start = index + all.length - right.length + behindBlanks(right, 0, isTabOrSpace);
    found.push({ value, file, line: lineAt(index), start });
  }
  return found;
}

function withoutBlanks(text: string): string {
  return text.slice(behindBlanks(text, 0, isTabOrSpace), beforeBlanks(text, text.length, isTabOrSpace));
}

/** Where systemd finds drop-ins, from the folder that overrides to the one that is overridden. */
const UNIT_PATH = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"].map((folder) => `${folder}/systemd/system`);

/** Sorts behind the drop-in that WAPT's package owns. */
const DROP_IN = "zz-pulumi-wapt.conf";

/** The drop-in of WAPT's package for nginx. */
const OF_WAPT = "nginx_worker_files_limit.conf";

/**
 * A unit's limit: in its own file `fragment`, then in its drop-ins in systemd's order. Of files with one name that of the
 * unit, or of the prefixes of its name (`a-.service.d`), wins over the one for all services, `service.d`. Only a drop-in in
 * the unit's own folder is the administrator's to be edited: another one is about other units, too.
 * @throws FormatError where another file takes the place of ours.
 */
export function limitTree(server: Pick<Base, "files" | "names" | "own">, unit: string, fragment?: string): Tree {
  const { files, names, own } = server;
  const folder = `/etc/systemd/system/${unit}.service.d`;
  const root = `${folder}/${DROP_IN}`;
  const { before, after } = dropInOrder([...files.keys(), ...names], root);
  const isOwn = (path: string) => posix.dirname(path) === folder && posix.basename(path) !== OF_WAPT;
  return {
    root,
    files,
    before: [...(fragment === undefined ? [] : [fragment]), ...before],
    after,
    own: new Set([...own].filter(isOwn)),
  };
}

/** The drop-ins that systemd reads before `root`, a unit's own, and after it, of all `paths` found on a server. */
export function dropInOrder(paths: readonly string[], root: string): { before: string[]; after: string[] } {
  const unit = posix.basename(posix.dirname(root), ".service.d");
  const dashes = [...unit.matchAll(/-(?=.)/g)].reverse();
  const names = [unit, ...dashes.map(({ index }) => unit.slice(0, index + 1))];
  const folders = UNIT_PATH.flatMap((folder) => names.map((name) => `${folder}/${name}.service.d`));
  return foldersOrder(paths, root, [...folders, ...UNIT_PATH.map((folder) => `${folder}/service.d`)]);
}
