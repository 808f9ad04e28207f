/**
 * limits.conf(5) of pam_limits, which PAM applies to new sessions and not to systemd's services.
 *
 * A key is `<domain> <type> <item>` as in the file: `wapt hard nofile`; its type is `hard` or `soft`. Only lines whose
 * domain is that very word count. A line for a user wins over one for a group (`@group`), and that over `*`, whatever
 * their order; a later range of user ids (`1000:`) that holds the user's id would win too, and is not seen here.
 */
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
import { type DomainLine, domainLinesIn, isLimit, sameLimit } from "./limits-line";

export { sameLimit } from "./limits-line";

/** Limits as written: pam_limits takes the number in front of a value, and the words of {@link sameLimit} for no limit. */
export const limits: Format = {
  /** Finds nothing for a domain that a line `<domain> -` frees from all limits. @throws FormatError as `edit` does. */
  read(tree, keys) {
    const found = keys.flatMap((key): [string, Found][] => {
      const limit = limitOf(tree, key);
      if (exemption(tree, limit.domain)) return [];
      const at = deciding(tree, limit);
      return at ? [[key, { value: at.value, file: at.file, line: at.line }]] : [];
    });
    return Object.fromEntries(found);
  },

  /**
   * Changes the value of the deciding line. One of type `-` keeps its type only if hard and soft both get the same value;
   * else a line behind it sets the one that is wanted. A missing line goes behind the domain's others, else before a
   * closing `# End of file`, else to the end. For null a line of the type goes, and one of type `-` becomes the other type.
   * @throws FormatError for a line that versions of Linux-PAM take differently, for one that frees the domain from its
   * limits, where a file in limits.d decides otherwise, and for a key or value that limits.conf has no place for.
   */
  edit(tree, wanted: Wanted) {
    const limit = new Map(Object.keys(wanted).map((key) => [key, limitOf(tree, key)]));
    let current = tree;
    for (const [key, value] of Object.entries(wanted)) {
      if (value === null) current = withRoot(current, without(current, limit.get(key)!));
    }
    for (const key of lastLineFirst(current, limit)) {
      const value = wanted[key];
      if (typeof value !== "string") continue;
      const { domain, item } = limit.get(key)!;
      const both = wanted[`${domain} hard ${item}`] === wanted[`${domain} soft ${item}`];
      current = withRoot(current, withValue(current, limit.get(key)!, value, both));
    }
    return changedRoot(tree, current);
  },
};

interface Limit {
  readonly domain: string;
  readonly type: "hard" | "soft";
  readonly item: string;
}

/** The items that have a hard and a soft value. */
const ITEMS = new Set(
  "as core cpu data fsize locks memlock msgqueue nofile nproc rss rtprio sigpending stack".split(" "),
);

/** What ends a field, starts a comment, or is no byte. */
const UNWRITABLE = /[\0\t-\r #\u0100-\uffff]/;

function limitOf(tree: Tree, key: string): Limit {
  const [domain = "", type, item = "", ...more] = key.split(" ");
  if (
    domain === "" ||
    UNWRITABLE.test(domain) ||
    (type !== "hard" && type !== "soft") ||
    !ITEMS.has(item) ||
    more.length > 0
  ) {
    throw new FormatError(tree.root, 1, `"${key}" is no limit; name it like "wapt hard nofile"`);
  }
  return { domain, type, item };
}

function domainLines(tree: Tree, domain: string): DomainLine[] {
  return inOrder(tree).flatMap(([file, text]) => domainLinesIn(file, text, domain));
}

function exemption(tree: Tree, domain: string): DomainLine | undefined {
  return domainLines(tree, domain).find(({ kind }) => kind === "exemption");
}

/** The lines that set the limit, alone or with its other type. */
function settings(tree: Tree, { domain, type, item }: Limit): DomainLine[] {
  return domainLines(tree, domain).filter(
    (line) => line.kind === "limit" && line.item === item && (line.type === type || line.type === "-"),
  );
}

function deciding(tree: Tree, limit: Limit): DomainLine | undefined {
  return settings(tree, limit).at(-1);
}

/** The root file's text with the limit set; `both` tells that its other type shall have the same value. */
function withValue(tree: Tree, limit: Limit, value: string, both: boolean): string {
  if (!isLimit(value) || UNWRITABLE.test(value)) {
    throw new FormatError(tree.root, 1, `${name(limit)} can't be "${value}"; give a number or "unlimited"`);
  }
  refuseExemption(tree, limit, value);
  const now = deciding(tree, limit);
  if (now && sameLimit(now.value, value)) return rootText(tree);
  if (now && now.file !== tree.root) {
    const problem = `sets ${name(limit)} to ${now.value} after ${tree.root}; remove this line or set ${value} here`;
    throw new FormatError(now.file, now.line, problem);
  }
  if (now?.type === limit.type) return withoutInsertion(tree, limit, value, now) ?? replaced(tree, now, value);
  const shared = now && both && deciding(tree, otherType(limit))?.start === now.start;
  return shared ? replaced(tree, now, value) : inserted(tree, limit, value);
}

function refuseExemption(tree: Tree, { domain }: Limit, value: string): void {
  const line = exemption(tree, domain);
  if (!line) return;
  const problem = `frees ${domain} from every limit, so that ${value} would have no effect; remove this line`;
  throw new FormatError(line.file, line.line, problem);
}

function replaced(tree: Tree, line: DomainLine, value: string): string {
  const { start, end } = line.fields[3]!;
  return spliced(rootText(tree), [{ start, end, text: value }]);
}

/** A line that was added behind one of type `-`, and is to say what that one says, goes: a restored file is the old one. */
function withoutInsertion(tree: Tree, limit: Limit, value: string, now: DomainLine): string | undefined {
  const text = rootText(tree);
  const candidate = withRoot(tree, spliced(text, [removal(text, now.start)]));
  const remaining = deciding(candidate, limit);
  if (remaining?.type !== "-" || remaining.value !== value) return undefined;
  return inserted(candidate, limit, now.value) === text ? rootText(candidate) : undefined;
}

function inserted(tree: Tree, limit: Limit, value: string): string {
  const text = rootText(tree);
  const own = domainLinesIn(tree.root, text, limit.domain);
  const neighbour = own.findLast(({ item, kind }) => kind === "limit" && item === limit.item) ?? own.at(-1);
  const line = [limit.domain, limit.type, limit.item, value];
  if (!neighbour) return spliced(text, [insertion(text, closingRemark(text), columns(line, COLUMNS))]);
  const end = text.indexOf("\n", neighbour.start) + 1 || text.length;
  return spliced(text, [insertion(text, end, likeNeighbour(text, neighbour, line))]);
}

/** Where a last line `# End of file` begins; else the end of the text. */
function closingRemark(text: string): number {
  const end = text.trimEnd().length;
  const start = text.lastIndexOf("\n", end - 1) + 1;
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

/** The root file's text without the limit. */
function without(tree: Tree, limit: Limit): string {
  const text = rootText(tree);
  const lines = settings(tree, limit);
  const later = lines.findLast(({ file }) => file !== tree.root);
  if (later) {
    throw new FormatError(later.file, later.line, `sets ${name(limit)}, which no file shall set; remove this line`);
  }
  const other = otherType(limit).type;
  const typed = lines.filter(({ type }) => type === "-").map(({ fields }) => ({ ...fields[1]!, text: other }));
  const starts = lines.filter(({ type }) => type !== "-").map(({ start }) => start);
  return spliced(text, [...typed, ...removals(text, starts)]);
}

/** What was added last is taken back first: only then does each earlier line stand where its insertion put it. */
function lastLineFirst(tree: Tree, limit: ReadonlyMap<string, Limit>): string[] {
  const line = (one: Limit) => {
    const at = deciding(tree, one);
    return at?.type === one.type ? at.line : 0;
  };
  const lines = new Map([...limit].map(([key, one]) => [key, line(one)]));
  return [...limit.keys()].sort((one, other) => lines.get(other)! - lines.get(one)!);
}

function otherType(limit: Limit): Limit {
  return { ...limit, type: limit.type === "hard" ? "soft" : "hard" };
}

function name({ domain, type, item }: Limit): string {
  return `${type} ${item} of ${domain}`;
}
