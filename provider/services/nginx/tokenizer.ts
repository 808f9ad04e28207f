/**
 * Splits one nginx configuration file into statements, each known by its place in the text, so that an edit can splice
 * bytes. The grammar is that of nginx's own reader (ngx_conf_read_token in nginx 1.22) and, for `*_by_lua_block`, of the
 * Lua module's.
 */
import { behindBlanks, isSpace } from "../../text/blanks";
import { FormatError } from "../../text/format";
import { lineIndex } from "../../text/lines";

/** A name or an argument: where its bytes are, quotes included. */
export interface Word {
  readonly start: number;
  /** Behind its last character. */
  readonly end: number;
}

/** `name argument…;`, `name argument… {` or `}`. What stands in braces follows as statements of its own. */
export interface Statement {
  readonly kind: "simple" | "block" | "close";
  /** The name, then the arguments; none for a close. A name may be quoted too. */
  readonly words: readonly Word[];
  readonly start: number;
  /** Behind the `;` or the brace. */
  readonly end: number;
}

/** The size of nginx's reading buffer in bytes: a longer word or comment is an error in nginx, so in ours. */
const BUFFER = 4096;
const BYTE_ORDER_MARK = "\xef\xbb\xbf";

const LF = 10;
const DOUBLE_QUOTE = 34;
const HASH = 35;
const DOLLAR = 36;
const SINGLE_QUOTE = 39;
const CLOSING_PARENTHESIS = 41;
const DASH = 45;
const SEMICOLON = 59;
const OPENING_BRACKET = 91;
const BACKSLASH = 92;
const OPENING_BRACE = 123;
const CLOSING_BRACE = 125;

/**
 * The statements of a file in its order; the content of a Lua block is left out.
 * @throws FormatError where nginx would stop reading: an unterminated quote, statement or block, a stray `;` or brace, a
 * byte order mark, a word or comment that outgrows nginx's buffer.
 */
export function tokenize(file: string, text: string): Statement[] {
  return new Tokenizer(file, text).statements();
}

/** What nginx takes a word for: without its quotes, escapes resolved; a backslash that escapes nothing stays. */
export function unquoted(text: string, word: Word): string {
  const trim = isQuote(text.charCodeAt(word.start)) ? 1 : 0;
  const raw = text.slice(word.start + trim, word.end - trim);
  if (!raw.includes("\\")) return raw;
  return raw.replace(/\\(["'\\trn])/g, (_, escaped: string) => CONTROLS[escaped] ?? escaped);
}

const CONTROLS: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };

/** Spells a word for a file: in the quotes of the word that it replaces, else bare if nginx reads that the same. */
export function spelled(value: string, quote: '"' | "'" | ""): string {
  if (quote === "" && !/[ \t\r\n;{}"'#\\$]/.test(value) && value !== "") return value;
  const mark = quote === "" ? '"' : quote;
  return mark + value.replaceAll("\\", "\\\\").replaceAll(mark, `\\${mark}`) + mark;
}

/** The quotes that a word stands in. */
export function quoteOf(text: string, word: Word): '"' | "'" | "" {
  const first = text[word.start];
  return first === '"' || first === "'" ? first : "";
}

function isQuote(code: number): boolean {
  return code === DOUBLE_QUOTE || code === SINGLE_QUOTE;
}

class Tokenizer {
  private at = 0;
  private words: Word[] = [];
  private readonly found: Statement[] = [];
  /** Where the blocks that are not yet closed were opened. */
  private readonly open: number[] = [];
  /** By quote: up to here no Lua string in this quote is closed, so that no line is searched twice. */
  private readonly unclosed = new Map<number, number>();

  constructor(
    private readonly file: string,
    private readonly text: string,
  ) {}

  statements(): Statement[] {
    if (this.text.startsWith(BYTE_ORDER_MARK)) {
      throw this.error(0, "a byte order mark, which nginx refuses; save the file without it");
    }
    for (this.skipSpace(); this.at < this.text.length; this.skipSpace()) this.step();
    const unfinished = this.words[0];
    if (unfinished) throw this.error(unfinished.start, 'a directive without its ";"; end it');
    const unclosed = this.open.pop();
    if (unclosed !== undefined) throw this.error(unclosed, 'a block without its "}"; close it');
    return this.found;
  }

  /** Reads one word, one end of a statement, or one comment. */
  private step(): void {
    const code = this.text.charCodeAt(this.at);
    if (code === HASH) this.skipComment();
    else if (code === SEMICOLON) this.endStatement("simple");
    else if (code === OPENING_BRACE) this.endStatement("block");
    else if (code === CLOSING_BRACE) this.closeBlock();
    else if (isQuote(code)) this.quotedWord(code);
    else this.bareWord();
  }

  private skipSpace(): void {
    this.at = behindBlanks(this.text, this.at, isSpace);
  }

  private skipComment(): void {
    const newline = this.text.indexOf("\n", this.at);
    const end = newline === -1 ? this.text.length : newline;
    this.refuseTooLong(this.at, end, "a comment");
    this.at = end;
  }

  private endStatement(kind: "simple" | "block"): void {
    const name = this.words[0];
    if (!name) throw this.error(this.at, `an unexpected "${this.text[this.at]}"; remove it`);
    this.at++;
    this.found.push({ kind, words: this.words, start: name.start, end: this.at });
    this.words = [];
    if (kind === "simple") return;
    this.open.push(name.start);
    if (unquoted(this.text, name).endsWith("_by_lua_block")) this.skipLua(name);
  }

  private closeBlock(): void {
    if (this.words.length > 0) throw this.error(this.at, 'an unexpected "}"; end the directive before it with ";"');
    if (this.open.pop() === undefined) throw this.error(this.at, 'an unexpected "}" that closes no block; remove it');
    this.at++;
    this.found.push({ kind: "close", words: [], start: this.at - 1, end: this.at });
  }

  private bareWord(): void {
    const { text, at: start } = this;
    let at = start;
    let variable = false;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === OPENING_BRACE && variable) continue;
      variable = code === DOLLAR;
      if (code === BACKSLASH) at++;
      else if (isSpace(code) || code === SEMICOLON || code === OPENING_BRACE) break;
    }
    // nginx takes a blank behind a word into its buffer before it looks for room.
    this.refuseTooLong(start, isSpace(text.charCodeAt(at)) ? at + 1 : at, "a word");
    this.words.push({ start, end: at });
    this.at = at;
  }

  private quotedWord(quote: number): void {
    const { text, at: start } = this;
    let at = start + 1;
    while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
    if (at >= text.length) throw this.error(start, "a quote that is never closed; close it");
    const end = at + 1;
    const next = text.charCodeAt(end);
    const separated = isSpace(next) || next === SEMICOLON || next === OPENING_BRACE || next === CLOSING_PARENTHESIS;
    if (!separated && end < text.length) throw this.error(at, "text right behind a closing quote; put a blank between");
    this.refuseTooLong(start + 1, isSpace(next) ? end + 1 : end, "a word");
    this.words.push({ start, end });
    this.at = end;
  }

  private refuseTooLong(start: number, end: number, what: string): void {
    // At the end of the file nginx has no more to read, so needs no room for it.
    if (end - start < BUFFER || start + BUFFER >= this.text.length) return;
    throw this.error(start, `${what} that outgrows nginx's buffer of ${BUFFER} bytes; shorten it`);
  }

  /** Goes to the brace that closes a Lua block: not one in a Lua string or comment. */
  private skipLua(name: Word): void {
    const { text } = this;
    let depth = 1;
    while (this.at < text.length) {
      const code = text.charCodeAt(this.at);
      if (code === OPENING_BRACE) depth++;
      else if (code === CLOSING_BRACE && --depth === 0) return;
      if (isQuote(code)) this.skipLuaString(code);
      else if (code === DASH && text.charCodeAt(this.at + 1) === DASH) this.skipLuaComment();
      else if (code === OPENING_BRACKET) this.skipLongBracket();
      else this.at++;
    }
    throw this.error(name.start, 'a Lua block without its "}"; close it');
  }

  /** Skips a string, or only the quote if its line does not close it: the Lua module takes that for a plain character. */
  private skipLuaString(quote: number): void {
    const { text, at: start } = this;
    this.at = start + 1;
    if (start < (this.unclosed.get(quote) ?? 0)) return;
    let at = start + 1;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === BACKSLASH && text.charCodeAt(at + 1) !== LF) at++;
      else if (code === LF) break;
      else if (code === quote) {
        this.at = at + 1;
        return;
      }
    }
    this.unclosed.set(quote, at);
  }

  private skipLuaComment(): void {
    this.at += 2;
    if (this.text.charCodeAt(this.at) === OPENING_BRACKET && this.skipLongBracket()) return;
    const newline = this.text.indexOf("\n", this.at);
    this.at = newline === -1 ? this.text.length : newline + 1;
  }

  /** Skips `[[…]]`, `[==[…]==]` as a whole, and a bracket that begins none of them alone: then it returns false. */
  private skipLongBracket(): boolean {
    const { text, at: start } = this;
    let at = start + 1;
    while (text[at] === "=") at++;
    this.at = start + 1;
    if (text.charCodeAt(at) !== OPENING_BRACKET) return false;
    const closing = `]${"=".repeat(at - start - 1)}]`;
    const end = text.indexOf(closing, at + 1);
    if (end === -1) throw this.error(start, "a Lua long bracket that is never closed; close it");
    this.at = end + closing.length;
    return true;
  }

  private error(offset: number, problem: string): FormatError {
    return new FormatError(this.file, lineIndex(this.text)(offset), problem);
  }
}
