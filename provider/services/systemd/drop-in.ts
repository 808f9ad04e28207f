/**
 * Our drop-in of a systemd unit (systemd.unit(5)), which only we write, and so as a whole: its one setting is LimitNOFILE,
 * the key `Service.LimitNOFILE`. A later drop-in with another limit is refused by name. This is no parser of unit files:
 * what counts in the end is what `systemctl show` says.
 */
import { posix } from "node:path";
import { beforeBlanks, behindBlanks, isTabOrSpace } from "../../text/blanks";
import { laterFiles } from "../../text/conf-folders";
import { Draft } from "../../text/draft";
import type { Format, Found, Tree } from "../../text/format";
import { changed, FormatError, inOrder, readEach, rootText, withRoot } from "../../text/format";
import { lineIndex } from "../../text/lines";

const KEY = "Service.LimitNOFILE";

/** The root file is our drop-in, the files after it are those that systemd reads later ({@link dropInOrder}). */
export const dropIn: Format = {
  /** The last limit, ours or one of a later drop-in. What the unit or an earlier drop-in says is of no account. */
  read: (tree, keys) => readEach(keys, (key) => deciding(tree, key)),

  /** Writes the file anew for another value, empties it for null. @throws FormatError where a later drop-in decides. */
  edit(tree, wanted) {
    let draft = Draft.of(rootText(tree));
    for (const [key, value] of Object.entries(wanted)) {
      const text = textWith(withRoot(tree, draft.text), key, value);
      if (text !== draft.text) draft = draft.with([{ start: 0, end: draft.text.length, text }]);
    }
    return changed([[tree.root, draft]]);
  },
};

function textWith(tree: Tree, key: string, value: string | null): string {
  const now = deciding(tree, key);
  if (value !== null && now && bothLimits(now.value) === bothLimits(value)) return rootText(tree);
  if (now && now.file !== tree.root) {
    const problem =
      value === null
        ? "sets LimitNOFILE, which no drop-in shall set; remove this line"
        : `sets LimitNOFILE to ${now.value} after ${tree.root}; remove this line or set ${value} here`;
    throw new FormatError(now.file, now.line, problem);
  }
  if (value === null) return now ? "" : rootText(tree);
  if (/^[!-\xff](?:[\t -\xff]*[!-\xff])?$/.test(value)) return `[Service]\nLimitNOFILE=${value}\n`;
  throw new FormatError(tree.root, 1, `LimitNOFILE can't be ${JSON.stringify(value)}; give a number`);
}

/** `N` is short for `N:N`, the soft limit and the hard one. */
function bothLimits(value: string): string {
  return value.includes(":") ? value : `${value}:${value}`;
}

function deciding(tree: Tree, key: string): Found | undefined {
  if (key !== KEY) throw new FormatError(tree.root, 1, `"${key}" is no setting of our drop-in; ask for ${KEY}`);
  return inOrder(tree)
    .flatMap(([file, text]) => limitsIn(file, text))
    .at(-1);
}

/** The lines that set a limit; systemd ignores an empty one. As for systemd, a lone CR ends a line too. */
function limitsIn(file: string, text: string): Found[] {
  const lineAt = lineIndex(text);
  const found: Found[] = [];
  let section: string | undefined;
  for (const { index, 1: header, 2: right } of text.matchAll(/^[ \t]*(?:\[(.*)\][ \t]*|LimitNOFILE[ \t]*=(.*))$/gm)) {
    section = header ?? section;
    const value = right && withoutBlanks(right);
    if (section === "Service" && value) found.push({ value, file, line: lineAt(index) });
  }
  return found;
}

function withoutBlanks(text: string): string {
  return text.slice(behindBlanks(text, 0, isTabOrSpace), beforeBlanks(text, text.length, isTabOrSpace));
}

/** Where systemd finds drop-ins, from the folder that overrides to the one that is overridden. */
const UNIT_PATH = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"].map((folder) => `${folder}/systemd/system`);

/**
 * The drop-ins that systemd reads after `root`, a unit's own, of all `paths` found on a server: of files with one name that
 * of the unit, or of the prefixes of its name (`a-.service.d`), wins over the one for all services, `service.d`.
 * @throws FormatError where another file takes the place of `root`.
 */
export function dropInOrder(paths: readonly string[], root: string): string[] {
  const unit = posix.basename(posix.dirname(root), ".service.d");
  const dashes = [...unit.matchAll(/-(?=.)/g)].reverse();
  const names = [unit, ...dashes.map(({ index }) => unit.slice(0, index + 1))];
  const folders = UNIT_PATH.flatMap((folder) => names.map((name) => `${folder}/${name}.service.d`));
  return laterFiles(paths, root, [...folders, ...UNIT_PATH.map((folder) => `${folder}/service.d`)]);
}
