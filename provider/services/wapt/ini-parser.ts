/**
 * Reads an ini file as Python 3's RawConfigParser does with its defaults (Lib/configparser.py, the same in 3.8 to 3.13),
 * which is how WAPT's server reads waptserver.ini: `[section]`, `key = value` or `key: value`, full-line comments with
 * `#` or `;`, and lines that are indented deeper than their key, which continue its value.
 *
 * Python 2 reads the same files but for: it takes ` ;` for an inline comment; the last of two settings of a key counts
 * and sections of one name are merged, where Python 3 refuses; it continues a value at any indented line, comments too.
 *
 * No error quotes the file, which holds passwords.
 */
import { isSpaceOfC } from "../../text/blanks";
import { FormatError } from "../../text/format";
import { lineIndex, linesOf } from "../../text/lines";

/** The section whose settings every other section inherits. */
export const DEFAULTS = "DEFAULT";

export interface Ini {
  /** In the order of the file; `[DEFAULT]` may stand there several times, another section once. */
  readonly sections: readonly Section[];
}

export interface Section {
  readonly name: string;
  readonly line: number;
  /** Where the line of its header begins. */
  readonly start: number;
  /** The blanks in front of its header. */
  readonly indent: string;
  readonly settings: Setting[];
}

export interface Setting {
  /** In lower case. */
  readonly key: string;
  readonly line: number;
  /** Where the line of its key begins. */
  readonly start: number;
  /** The blanks in front of its key. */
  readonly indent: string;
  /** What stands between the key and the value, such as ` = `. */
  readonly delimiter: string;
  /** The value's lines, without the blanks around them: the first behind the delimiter, the others below. */
  readonly lines: ValueLine[];
}

/** A part of a value; one without characters is an empty line, or stands behind a delimiter that nothing follows. */
export interface ValueLine {
  readonly start: number;
  readonly end: number;
}

/** What Python takes for the value: empty lines count within it, not behind it. */
export function valueIn(text: string, setting: Setting): string {
  const lines = setting.lines.map((line) => text.slice(line.start, line.end));
  while (lines.at(-1) === "") lines.pop();
  return lines.join("\n");
}

/**
 * @param repeatable whether a setting may stand several times in a section, although Python 3 refuses that
 * @throws FormatError where Python 3 would not read the file, or Python 2 would see other lines
 */
export function parseIni(file: string, text: string, repeatable: (section: string, key: string) => boolean): Ini {
  refuseBytes(file, text);
  const parser = new Parser(file, text, repeatable);
  for (const { start, end } of linesOf(text)) parser.take(start, end);
  return parser;
}

function refuseBytes(file: string, text: string): void {
  if (/^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)/.test(text)) {
    throw new FormatError(file, 1, "a byte order mark, which Python refuses; save the file as UTF-8 without it");
  }
  const at = text.search(/\r(?!\n)/);
  if (at === -1) return;
  const problem = "a carriage return without a line feed, which Python 3 takes for a line end and Python 2 does not";
  throw new FormatError(file, lineIndex(text)(at), `${problem}; remove it`);
}

class Parser implements Ini {
  readonly sections: Section[] = [];
  private line = 0;
  /** Where each section and each of its keys was last seen, by their names. */
  private readonly seen = new Map<string, { line: number; keys: Map<string, number> }>();
  private setting: Setting | undefined;
  /** How many blanks stand in front of the key that a continuation must be indented deeper than. */
  private level = 0;

  constructor(
    private readonly file: string,
    private readonly text: string,
    private readonly repeatable: (section: string, key: string) => boolean,
  ) {}

  /** Reads the line from `start` up to its line end. */
  take(start: number, lineEnd: number): void {
    this.line++;
    const { offset: from, blanks } = skipBlanks(this.text, start, lineEnd);
    const end = trimBlanks(this.text, from, lineEnd);
    if (from === end) {
      this.setting?.lines.push({ start, end: start });
    } else if (this.text[from] === "#" || this.text[from] === ";") {
      return;
    } else if (this.setting && blanks > this.level) {
      this.setting.lines.push({ start: from, end });
    } else {
      this.level = blanks;
      if (!this.takeHeader(start, from, end)) this.takeSetting(start, from, end);
    }
  }

  private takeHeader(start: number, from: number, end: number): boolean {
    // Like Python's, a header ends at the line's last bracket; what follows that is not read.
    const header = this.text[from] === "[" ? this.text.slice(from, end) : "";
    const bracket = header.lastIndexOf("]");
    if (bracket < 2) return false;
    const name = header.slice(1, bracket);
    const before = this.seen.get(name);
    if (before && name !== DEFAULTS) {
      const problem = `the same section begins in line ${before.line} already, and Python 3 refuses that`;
      throw this.error(`${problem}; merge the two`);
    }
    this.seen.set(name, { line: this.line, keys: before?.keys ?? new Map() });
    const indent = this.text.slice(start, from);
    this.sections.push({ name, line: this.line, start, indent, settings: [] });
    this.setting = undefined;
    return true;
  }

  private takeSetting(start: number, from: number, end: number): void {
    const section = this.sections.at(-1);
    if (!section) throw this.error("a line before the first [section], which Python refuses; remove it");
    let delimiter = from;
    while (delimiter < end && this.text[delimiter] !== "=" && this.text[delimiter] !== ":") delimiter++;
    if (delimiter === end) throw this.error("neither a section nor a comment nor `key = value`; correct this line");
    const keyEnd = trimBlanks(this.text, from, delimiter);
    if (keyEnd === from) throw this.error("a value without a key; correct this line");
    const key = this.text.slice(from, keyEnd).toLowerCase();
    this.refuseRepeated(section.name, key);
    const value = skipBlanks(this.text, delimiter + 1, end).offset;
    this.setting = {
      key,
      line: this.line,
      start,
      indent: this.text.slice(start, from),
      delimiter: this.text.slice(keyEnd, value),
      lines: [{ start: value, end }],
    };
    section.settings.push(this.setting);
  }

  private refuseRepeated(section: string, key: string): void {
    const keys = this.seen.get(section)!.keys;
    const before = keys.get(key);
    if (before !== undefined && !this.repeatable(section, key)) {
      throw this.error(
        `the setting of line ${before} once more, and Python 3 refuses that; remove one of the two lines`,
      );
    }
    keys.set(key, this.line);
  }

  private error(problem: string): FormatError {
    return new FormatError(this.file, this.line, problem);
  }
}

/** What Python strips besides ASCII's blanks, in UTF-8. */
const WIDE_BLANKS: ReadonlySet<string> = new Set(
  [
    ..."\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
  ].map((blank) => Buffer.from(blank, "utf8").toString("latin1")),
);

/** What Python strips, of ASCII. */
function isBlankOfPython(code: number): boolean {
  return isSpaceOfC(code) || (code >= 28 && code <= 31);
}

/** How many characters the blank at `at` takes; 0 when none stands there. */
function blankAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (isBlankOfPython(code)) return 1;
  if (code < 0xc2 || code > 0xe3) return 0;
  return [2, 3].find((length) => WIDE_BLANKS.has(text.slice(at, at + length))) ?? 0;
}

function blankBefore(text: string, end: number): number {
  const code = text.charCodeAt(end - 1);
  if (isBlankOfPython(code)) return 1;
  if (code < 0x80 || code > 0xbf) return 0;
  return [2, 3].find((length) => WIDE_BLANKS.has(text.slice(end - length, end))) ?? 0;
}

/** Whether blanks that Python would strip stand around the line. */
export function isPadded(line: string): boolean {
  return skipBlanks(line, 0, line.length).offset > 0 || trimBlanks(line, 0, line.length) < line.length;
}

function skipBlanks(text: string, start: number, end: number): { offset: number; blanks: number } {
  let offset = start;
  let blanks = 0;
  for (let length = 1; offset < end; offset += length, blanks++) {
    length = blankAt(text, offset);
    if (length === 0) break;
  }
  return { offset, blanks };
}

/** Where the text from `start` to `end` ends without its trailing blanks. */
function trimBlanks(text: string, start: number, end: number): number {
  let trimmed = end;
  while (trimmed > start) {
    const length = blankBefore(text, trimmed);
    if (length === 0) break;
    trimmed -= length;
  }
  return trimmed;
}
