/**
 * Files of sysctl.d(5) and sysctl.conf(5), edited so that both of their readers take the wanted value: `sysctl --system`
 * of procps when it is called, and systemd-sysctl at boot. A line that the two take differently (a stray carriage return,
 * a blank behind `-`, a doubled separator) is refused where it concerns a managed key.
 *
 * A key is written `net.core.somaxconn`. Its last assignment wins. A pattern (`net.core.*`) sets only keys that no line
 * assigns by name, wherever it stands; `-key` without `=` takes a key out of the patterns.
 */
import { foldersOrder } from "../../text/conf-folders";
import { type Format, FormatError, inOrder, isAfter, type Tree, textOf } from "../../text/format";
import { lineFormat } from "../../text/line-format";
import { insertion } from "../../text/lines";
import type { Base } from "../../transaction/observation";
import { type Statement, statementsOf } from "./sysctl-statement";

/**
 * Kernel settings by their dotted names. Values are compared as text; a file says nothing of the kernel's own value. A
 * missing setting becomes the root file's last line. Both functions throw where the two readers would disagree on a key.
 */
export const sysctl: Format = lineFormat({
  lines: statementsAbout,
  deciding,
  isSame: (one, other) => one === other,
  insertion(tree, file, key, value) {
    const exclusion = statementsAbout(tree, key).findLast(
      (statement) => statement.kind === "exclusion" && isAfter(tree, statement.file, file),
    );
    if (exclusion) {
      const problem = `-${key} takes back what ${file} sets when systemd-sysctl reads it; remove this line`;
      throw new FormatError(exclusion.file, exclusion.line, problem);
    }
    const text = textOf(tree, file);
    return insertion(text, text.length, `${key} = ${value}`);
  },
  name: (key) => key,
  remedy: "give one value without a line end or a remark",
  exclusion: (key) => `exclude it by a line -${key}`,
});

const KEY = /^\w[\w-]*(?:[./]\w[\w:@-]*)+$/;

function statementsAbout(tree: Tree, key: string): Statement[] {
  if (!KEY.test(key)) throw new FormatError(tree.root, 1, `"${key}" is no key; name it like "net.core.somaxconn"`);
  return inOrder(tree).flatMap(([file, text]) => statementsOf(file, text, key));
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

const FOLDERS = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"].map((folder) => `${folder}/sysctl.d`);

/** The file of WAPT's guide. */
const SYSCTL_FILE = "/etc/sysctl.d/wapt.conf";
const LAST = "/etc/sysctl.conf";

/** Behind it are the names that a package is likely to take to be read last. */
const OVERRIDE = "/etc/sysctl.d/zzz-pulumi-wapt.conf";

/**
 * The files that `sysctl --system` reads before `root` and after it, in its order, of all `paths` found on a server: those
 * of the five folders (in the manual's order, /etc first), then /etc/sysctl.conf. systemd-sysctl reads that only where a
 * link in a folder leads to it; what it sets must hold after both readers.
 */
export function sysctlOrder(paths: readonly string[], root: string): { before: string[]; after: string[] } {
  const last = paths.filter((path) => path === LAST && path !== root).slice(0, 1);
  const { before, after } = foldersOrder(paths, root, FOLDERS);
  return { before, after: [...after, ...last] };
}

/** The files with a server's own; /etc/sysctl.conf is the administrator's, since packages ship it without a setting. */
export function sysctlTree({ files, names, own }: Pick<Base, "files" | "names" | "own">): Tree {
  const order = sysctlOrder([...files.keys(), ...names, OVERRIDE], SYSCTL_FILE);
  return { root: SYSCTL_FILE, files, ...order, own: new Set([...own, LAST]), override: OVERRIDE };
}
