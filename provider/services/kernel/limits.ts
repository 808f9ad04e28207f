/**
 * limits.conf(5) of pam_limits, which PAM applies to new sessions and not to systemd's services.
 *
 * A key is `<domain> <type> <item>` as in the file: `wapt hard nofile`; its type is `hard` or `soft`. Only lines whose
 * domain is that very word count. A line for a user wins over one for a group (`@group`), and that over `*`, whatever
 * their order; a later range of user ids (`1000:`) that holds the user's id would win too, and is not seen here.
 */
import { type Format, FormatError, inOrder, type Tree, textOf } from "../../text/format";
import { lineFormat } from "../../text/line-format";
import { insertion, lineEnd, lineStart } from "../../text/lines";
import type { Base } from "../../transaction/observation";
import { type DomainLine, domainLinesIn, sameLimit } from "./limits-line";

/**
 * Limits as written: pam_limits takes the number in front of a value, and the words of {@link sameLimit} for no limit. A
 * domain that a line `<domain> -` frees from all limits has none.
 *
 * A line of type `-` keeps its type only if hard and soft both get the same value; for null of one it becomes the other. A
 * missing line goes behind the domain's others, else before a closing `# End of file`, else to the end. Both functions
 * throw for a line that versions of Linux-PAM take differently.
 */
export const limits: Format = lineFormat({
  lines: (tree, key) => domainLines(tree, key).filter(({ sets }) => sets.includes(key)),
  deciding(tree, key) {
    const lines = domainLines(tree, key);
    return lines.some(isExemption) ? undefined : lines.findLast(({ sets }) => sets.includes(key));
  },
  isSame: sameLimit,
  insertion(tree, file, key, value) {
    const { domain, type, item } = limitOf(tree, key);
    const lines = domainLines(tree, key);
    const exemption = lines.find(isExemption);
    if (exemption) {
      const problem = `frees ${domain} from every limit, so that ${value} would have no effect; remove this line`;
      throw new FormatError(exemption.file, exemption.line, problem);
    }
    const text = textOf(tree, file);
    const own = lines.filter((line) => line.file === file);
    const neighbour = own.findLast((line) => line.kind === "limit" && line.item === item) ?? own.at(-1);
    const words = [domain, type, item, value];
    if (!neighbour) return insertion(text, closingRemark(text), columns(words, COLUMNS));
    return insertion(text, lineEnd(text, neighbour.start), likeNeighbour(text, neighbour, words));
  },
  narrowed: ({ fields }, key) => ({ ...fields[1]!, text: key.includes(" hard ") ? "soft" : "hard" }),
  name(key) {
    const [domain, type, item] = key.split(" ");
    return `${type} ${item} of ${domain}`;
  },
  remedy: 'give a number or "unlimited"',
});

interface Limit {
  readonly domain: string;
  readonly type: string;
  readonly item: string;
}

/** The items that have a hard and a soft value. */
const ITEMS = new Set(
  "as core cpu data fsize locks memlock msgqueue nofile nproc rss rtprio sigpending stack".split(" "),
);

function limitOf(tree: Tree, key: string): Limit {
  const [domain = "", type = "", item = "", ...more] = key.split(" ");
  // What ends a field, starts a comment, or is no byte, can't stand in a domain.
  const isDomain = /^[^\0\t-\r #\u0100-\uffff]+$/.test(domain);
  if (!isDomain || !/^(?:hard|soft)$/.test(type) || !ITEMS.has(item) || more.length > 0) {
    throw new FormatError(tree.root, 1, `"${key}" is no limit; name it like "wapt hard nofile"`);
  }
  return { domain, type, item };
}

const LIMITS_FILE = "/etc/security/limits.conf";
const FOLDER = "/etc/security/limits.d/";
const OVERRIDE = `${FOLDER}zzz-pulumi-wapt.conf`;

/** limits.conf, which is the administrator's, with the files that PAM reads after it. */
export function limitsTree({ files, own }: Pick<Base, "files" | "own">): Tree {
  const after = [...files.keys(), OVERRIDE].filter((file) => file.startsWith(FOLDER));
  return { root: LIMITS_FILE, files, after: [...new Set(after)].sort(), own, override: OVERRIDE };
}

/** The lines of the domain that a key names. */
function domainLines(tree: Tree, key: string): DomainLine[] {
  const { domain } = limitOf(tree, key);
  return inOrder(tree).flatMap(([file, text]) => domainLinesIn(file, text, domain));
}

const isExemption = ({ kind }: DomainLine): boolean => kind === "exemption";

/** Where a last line `# End of file` begins; else the end of the text. */
function closingRemark(text: string): number {
  const end = text.trimEnd().length;
  const start = lineStart(text, end);
  return end > start && /^#[ \t]*end of file$/i.test(text.slice(start, end)) ? start : text.length;
}

/** The widths of domain, type and item where the file shows none. */
const COLUMNS = [13, 8, 12];

function columns(words: readonly string[], widths: readonly number[]): string {
  return words.map((word, at) => (at < 3 ? word.padEnd(Math.max(widths[at] ?? 0, word.length + 1)) : word)).join("");
}

/** The words with the neighbour's indentation and blanks, its columns kept where the blanks are spaces. */
function likeNeighbour(text: string, { start, fields }: DomainLine, words: readonly string[]): string {
  if (fields.length < 4) return columns(words, COLUMNS);
  const indentation = text.slice(start, fields[0]!.start);
  const spaced = words.map((word, at) => {
    const next = fields[at + 1];
    if (!next) return word;
    const blanks = text.slice(fields[at]!.end, next.start);
    const width = next.start - fields[at]!.start;
    return /^ +$/.test(blanks) ? word.padEnd(Math.max(width, word.length + 1)) : word + blanks;
  });
  return indentation + spaced.join("");
}
