/**
 * The lines of a limits.conf file that concern one domain, read as pam_limits of Linux-PAM does (limits.conf(5); checked
 * against 1.5.2): `<domain> <type> <item> <value>` between blanks, a comment from `#` on, type and item in any case, more
 * fields ignored. Linux-PAM 1.5 splits long lines and takes more characters for blanks than later versions do;
 * a line that the two take differently is refused where it concerns the domain.
 */
import { behindBlanks, isSpaceOfC } from "../../text/blanks";
import { FormatError } from "../../text/format";
import type { SettingLine } from "../../text/line-format";
import { lineEnd, linesOf } from "../../text/lines";

/** A field of a line. */
export interface Field {
  readonly start: number;
  readonly end: number;
}

/** A line whose first field is the domain: it sets a limit, frees the domain from all limits, or does neither. */
export interface DomainLine extends SettingLine {
  readonly kind: "limit" | "exemption" | "other";
  /** The first four at most. */
  readonly fields: readonly Field[];
  /** In lower case. */
  readonly item: string;
}

/** How many bytes of a line Linux-PAM 1.5 reads at once. */
const CHUNK = 1023;

/** The words for no limit; they equal one another and the numbers below zero do not. */
const UNLIMITED = new Set(["unlimited", "infinity", "-1", "-"]);

/** The lines whose first field is `domain`, in file order. @throws FormatError at one that versions take differently. */
export function domainLinesIn(file: string, text: string, domain: string): DomainLine[] {
  const lines: DomainLine[] = [];
  for (const { number, start } of linesOf(text)) {
    const line = lineAt(file, number, text, start, domain);
    if (line) lines.push(line);
  }
  return lines;
}

/** Tells whether two values set the same limit: equal text, or two words for no limit. */
export function sameLimit(one: string, other: string): boolean {
  return one === other || (UNLIMITED.has(one.toLowerCase()) && UNLIMITED.has(other.toLowerCase()));
}

/** Tells whether pam_limits takes a value: it needs a number in front, or a word for no limit. */
function isLimit(value: string): boolean {
  return /^[+-]?[0-9]/.test(value) || UNLIMITED.has(value.toLowerCase());
}

function lineAt(file: string, line: number, text: string, start: number, domain: string): DomainLine | undefined {
  const end = lineEnd(text, start);
  const long = end - start > CHUNK;
  if (!long && !concerns(text, start, end, domain)) return undefined;
  const commentOrEnd = start + text.slice(start, end).search(/[#\0\n]|$/);
  const fields = fieldsOf(text, start, commentOrEnd);
  const first = fields[0];
  const about = first !== undefined && text.slice(first.start, first.end) === domain;
  const last = fields.at(-1)?.end ?? start;
  if (long && ((about && last - start > CHUNK) || hidesLine(text, start, end, domain))) {
    throw new FormatError(
      file,
      line,
      `${domain} in a line of more than ${CHUNK} bytes, which PAM may split; shorten it`,
    );
  }
  if (!about) return undefined;
  if (/[\v\f\r]/.test(text.slice(first.start, last))) {
    throw new FormatError(file, line, `${domain} in a line with a control character as a blank; replace it by a space`);
  }
  const words = fields.map((field) => text.slice(field.start, field.end));
  const { start: valueStart, end: valueEnd } = fields[3] ?? { start: last, end: last };
  return { file, line, start, fields, valueStart, valueEnd, ...meaning(domain, words) };
}

/** A limit of type `-` is both hard and soft. */
function meaning(domain: string, words: readonly string[]): Pick<DomainLine, "kind" | "item" | "value" | "sets"> {
  const [type, item] = [1, 2].map((at) => (words[at] ?? "").toLowerCase()) as [string, string];
  const value = words[3] ?? "";
  const known = /^(?:hard|soft|-)$/.test(type);
  const kind = words.length === 2 && type.startsWith("-") ? "exemption" : known && isLimit(value) ? "limit" : "other";
  const types = kind !== "limit" ? [] : type === "-" ? ["hard", "soft"] : [type];
  return { kind, item, value, sets: types.map((one) => `${domain} ${one} ${item}`) };
}

/** Tells whether the line's first word begins with the domain. */
function concerns(text: string, start: number, end: number, domain: string): boolean {
  const at = behindBlanks(text, start, isSpaceOfC, end);
  return at < end && text.startsWith(domain, at);
}

/** Tells whether a piece behind the first is about the domain when it is read as a line of its own. */
function hidesLine(text: string, start: number, end: number, domain: string): boolean {
  for (let at = start + CHUNK; at < end; at += CHUNK) {
    const piece = Math.min(at + CHUNK, end);
    if (concerns(text, at, piece, domain)) return true;
  }
  return false;
}

const isWord = (code: number): boolean => !isSpaceOfC(code);

function fieldsOf(text: string, start: number, end: number): Field[] {
  const fields: Field[] = [];
  let at = start;
  while (fields.length < 4) {
    const begin = behindBlanks(text, at, isSpaceOfC, end);
    if (begin === end) break;
    at = behindBlanks(text, begin, isWord, end);
    fields.push({ start: begin, end: at });
  }
  return fields;
}
