/**
 * Reads one PostgreSQL configuration file line by line: `name [=] value [# comment]`. The grammar is that of PostgreSQL's
 * own scanner (guc-file.l of PostgreSQL 15; the same in 18).
 */
import { FormatError } from "../../text/format";
import { lineEnd, linesOf } from "../../text/lines";

/** The names of the lines that are no settings. */
export const INCLUDES: ReadonlySet<string> = new Set(["include", "include_if_exists", "include_dir"]);
const BYTE_ORDER_MARK = "\xef\xbb\xbf";

/** One assignment of a setting. */
export interface Assignment {
  readonly file: string;
  readonly line: number;
  /** In lower case. */
  readonly name: string;
  /** Without quotes and escapes. */
  readonly value: string;
  /** Where the value stands in the file, its quotes included. */
  readonly start: number;
  readonly end: number;
}

/** The assignments of some names, and the includes, in the order of the file. */
export function* assignmentsIn(file: string, text: string, names: ReadonlySet<string>): Generator<Assignment> {
  if (text.startsWith(BYTE_ORDER_MARK)) {
    throw new FormatError(file, 1, "a byte order mark, which PostgreSQL takes for a name; save the file without it");
  }
  for (const { number: line, start: at } of linesOf(text)) {
    const name = scan(text, at);
    if (name.kind === "end") continue;
    if (name.kind !== "name" && name.kind !== "qualified name") throw syntaxError(file, line);
    let value = scan(text, name.end);
    if (value.kind === "=") value = scan(text, value.end);
    if (value.kind !== "string" && !BARE_VALUES.has(value.kind)) throw syntaxError(file, line);
    if (scan(text, value.end).kind !== "end") throw syntaxError(file, line);
    const lower = text.slice(name.start, name.end).toLowerCase();
    if (!names.has(lower) && !INCLUDES.has(lower)) continue;
    const spelling = text.slice(value.start, value.end);
    const meant = value.kind === "string" ? unescaped(spelling) : spelling;
    yield { file, line, name: lower, value: meant, start: value.start, end: value.end };
  }
}

function syntaxError(file: string, line: number): FormatError {
  const problem = "PostgreSQL can't read this line, which must be `name = value` and nothing else but a # comment";
  return new FormatError(file, line, `${problem}; correct it (a value with other characters needs single quotes)`);
}

/** Where the line `#name = …` ends, the first of them if there are several. */
export function behindDefault(text: string, name: string): number | undefined {
  for (const line of linesOf(text)) {
    let start = skip(BLANKS, text, line.start);
    if (text[start] !== "#") continue;
    start = skip(BLANKS, text, start + 1);
    const end = skip(WORD, text, start);
    const isNamed = text.slice(start, end).toLowerCase() === name;
    if (isNamed && text[skip(BLANKS, text, end)] === "=") return lineEnd(text, line.start);
  }
  return undefined;
}

/** The value as PostgreSQL reads it back. */
export function spelled(value: string, quoted: boolean): string {
  const token = scan(value, 0);
  const isBare = BARE_VALUES.has(token.kind) && token.start === 0 && token.end === value.length;
  if (isBare && !quoted) return value;
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''").replaceAll("\n", "\\n")}'`;
}

/** Whether PostgreSQL allows this name for a setting. */
export function isName(name: string): boolean {
  return !INCLUDES.has(name) && (NAME.test(name) || QUALIFIED_NAME.test(name));
}

interface Token {
  readonly kind: "name" | "qualified name" | "word" | "number" | "string" | "=" | "end" | "error";
  readonly start: number;
  readonly end: number;
}

/** What may stand for a value without quotes; a qualified name may not. */
const BARE_VALUES: ReadonlySet<string> = new Set(["name", "word", "number"]);

const BLANKS = /[ \t\r]*/y;
const WORD = /[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff\-._:/]*/y;
const NAME = /^[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*$/;
const QUALIFIED_NAME = /^[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*\.[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*$/;
const INTEGER = /[-+]?(?:0x[0-9a-fA-F]+|[0-9]+)[a-zA-Z]*/y;
const REAL = /[-+]?[0-9]*\.[0-9]*(?:[Ee][-+]?[0-9]+)?/y;

/** The token behind the blanks at `at`; like PostgreSQL's scanner it takes the longest that fits. */
function scan(text: string, at: number): Token {
  const start = skip(BLANKS, text, at);
  const first = text[start];
  if (first === undefined || first === "\n" || first === "#") return { kind: "end", start, end: start };
  if (first === "=") return { kind: "=", start, end: start + 1 };
  if (first === "'") return scanString(text, start);
  const word = skip(WORD, text, start);
  if (word > start) return { kind: kindOf(text.slice(start, word)), start, end: word };
  const number = Math.max(skip(INTEGER, text, start), skip(REAL, text, start));
  return { kind: number > start ? "number" : "error", start, end: number };
}

function kindOf(word: string): Token["kind"] {
  if (NAME.test(word)) return "name";
  return QUALIFIED_NAME.test(word) ? "qualified name" : "word";
}

/** A NUL is an error here: PostgreSQL takes it for the end of the value, and drops the character before it. */
function scanString(text: string, start: number): Token {
  let at = start + 1;
  for (; at < text.length && text[at] !== "\n" && text[at] !== "\0"; at++) {
    if (text[at] === "'") {
      if (text[at + 1] !== "'") return { kind: "string", start, end: at + 1 };
      at++;
    } else if (text[at] === "\\") {
      if (text[at + 1] === "\n" || text[at + 1] === "\0") break;
      at++;
    }
  }
  return { kind: "error", start, end: start };
}

const ESCAPE = /''|\\([0-7]{1,3}|[\s\S])/g;
const CONTROLS: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** What a quoted value means. */
function unescaped(quoted: string): string {
  const value = quoted.slice(1, -1).replace(ESCAPE, (_, escaped: string | undefined) => {
    if (escaped === undefined) return "'";
    if (escaped >= "0" && escaped < "8") return String.fromCharCode(Number.parseInt(escaped, 8) & 0xff);
    return CONTROLS[escaped] ?? escaped;
  });
  // \0 ends the value, as it ends every string of C.
  return value.split("\0", 1)[0]!;
}

/** The offset behind what the sticky pattern matches at `at`; `at` itself when it does not match. */
function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}
