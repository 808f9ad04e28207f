/**
 * Unit files as systemd reads them: systemd.syntax(7), and what systemd 252 was seen to do where the manual is silent
 * (line ends, a byte order mark, and the lines at which it gives up a file).
 */
import { isUtf8 } from "node:buffer";
import { FormatError } from "../../text/format";

/** A setting of a section; both names are case-sensitive. */
export interface Key {
  readonly section: string;
  readonly name: string;
}

export interface Assignment {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** Continued lines joined by spaces, without the blanks around it. */
  readonly value: string;
  /** Where the value stands; undefined where it goes on over a line's end. */
  readonly place: { readonly start: number; readonly end: number } | undefined;
  /** Where its lines begin; comments between them are not its own. */
  readonly lineStarts: readonly number[];
  /** Where the line of its section's header begins. */
  readonly header: number;
}

export interface UnitFile {
  /** The key's assignments. */
  readonly assignments: readonly Assignment[];
  /** Where the last statement in the key's section ends, its line end left out; undefined where none can be followed. */
  readonly tail: number | undefined;
  /** The line at which systemd gives up the file. */
  readonly stop: number | undefined;
}

/** One line's part of a statement, without the backslash that continues it. */
interface Piece {
  readonly line: number;
  /** Where its line begins. */
  readonly lineStart: number;
  readonly start: number;
  readonly end: number;
  readonly continued: boolean;
}

/** In bytes, for a line and for a statement of several lines. */
const LONGEST = 1024 * 1024;

const BYTE_ORDER_MARK = "\xef\xbb\xbf";

/** LF, CR and NUL end a line; different ones in a row are one line end, which NUL closes; but CRLF stays together. */
const LINE_END = /\n(?:\r(?!\n))?\0?|\r\n?\0?|\0/g;

/** Reads a key's assignments. @throws FormatError at one behind a line that is not valid UTF-8. */
export function readUnitFile(file: string, text: string, key: Key): UnitFile {
  const reader = new Reader(file, text, key);
  let pieces: Piece[] = [];
  let length = 0;
  for (const piece of piecesOf(text)) {
    pieces.push(piece);
    length += piece.end - piece.start + 1;
    if (length > LONGEST + 1) return reader.result(piece.line);
    if (piece.continued) continue;
    if (!reader.statement(pieces)) return reader.result(pieces[0]!.line);
    pieces = [];
    length = 0;
  }
  if (pieces.length > 0) reader.statement(pieces);
  // A line behind a statement that waits for its continuation would become that.
  return pieces.length > 0 ? { ...reader.result(), tail: undefined } : reader.result();
}

/** The lines but for comments, which are left out even between the lines of one statement. */
function* piecesOf(text: string): Generator<Piece> {
  let marked = false;
  let line = 1;
  for (let lineStart = 0; lineStart < text.length; ) {
    LINE_END.lastIndex = lineStart;
    const lineEnd = LINE_END.exec(text);
    const end = lineEnd ? lineEnd.index : text.length;
    const first = text[behindBlanks(text, lineStart, end)];
    if ((first !== "#" && first !== ";") || end - lineStart > LONGEST) {
      const mark: boolean = !marked && text.startsWith(BYTE_ORDER_MARK, lineStart);
      marked ||= mark;
      const start = lineStart + (mark ? BYTE_ORDER_MARK.length : 0);
      const continued = backslashes(text, start, end) % 2 === 1;
      yield { line, lineStart, start, end: continued ? end - 1 : end, continued };
    }
    if (lineEnd?.[0].includes("\n")) line++;
    lineStart = lineEnd ? LINE_END.lastIndex : text.length;
  }
}

/** Takes statements one by one and keeps what concerns the key. */
class Reader {
  private readonly assignments: Assignment[] = [];
  private tail: number | undefined;
  private section: string | undefined;
  private header = 0;
  /** The line that is not valid UTF-8, behind which versions of systemd may read on. */
  private invalid: number | undefined;

  constructor(
    private readonly file: string,
    private readonly text: string,
    private readonly key: Key,
  ) {}

  result(stop?: number): UnitFile {
    return { assignments: this.assignments, tail: this.tail, stop: this.invalid ?? stop };
  }

  /** False at a statement where systemd gives up the file. */
  statement(pieces: readonly Piece[]): boolean {
    const { line, lineStart } = pieces[0]!;
    const joined = pieces.map(({ start, end }) => this.text.slice(start, end)).join(" ");
    const statement = trimmed(joined);
    if (statement === "") return true;
    if (!isClean(statement)) {
      this.invalid ??= line;
    } else if (statement.startsWith("[")) {
      this.section = statement.slice(1, -1);
      this.header = lineStart;
      return statement.endsWith("]") && !/[\x01-\x1f\x7f"'\\]/.test(this.section);
    } else if (this.section === this.key.section) {
      this.setting(joined, pieces);
    }
    return true;
  }

  private setting(joined: string, pieces: readonly Piece[]): void {
    if (this.invalid === undefined) this.tail = pieces.at(-1)!.end;
    const equals = joined.indexOf("=");
    if (equals === -1 || trimmed(joined.slice(0, equals)) !== this.key.name) return;
    const start = behindBlanks(joined, equals + 1, joined.length);
    const value = trimmed(joined.slice(start));
    const { line } = pieceAt(pieces, start);
    if (this.invalid !== undefined) {
      const problem = `sets ${this.key.name} behind line ${this.invalid}, which is not valid UTF-8; correct that line`;
      throw new FormatError(this.file, line, problem);
    }
    const lineStarts = pieces.map(({ lineStart }) => lineStart);
    this.assignments.push({
      file: this.file,
      line,
      value,
      place: placeOf(pieces, start, start + value.length),
      lineStarts,
      header: this.header,
    });
  }
}

/** The piece that holds an offset in the joined text. */
function pieceAt(pieces: readonly Piece[], offset: number): Piece & { readonly from: number } {
  let from = 0;
  for (const piece of pieces) {
    const length = piece.end - piece.start;
    if (offset <= from + length) return { ...piece, from };
    from += length + 1;
  }
  return { ...pieces.at(-1)!, from };
}

/** Where the joined text from `start` to `end` stands in the file. */
function placeOf(pieces: readonly Piece[], start: number, end: number): Assignment["place"] {
  const piece = pieceAt(pieces, start);
  if (pieceAt(pieces, end).line !== piece.line) return undefined;
  return { start: piece.start + start - piece.from, end: piece.start + end - piece.from };
}

/** UTF-8 without surrogates and noncharacters, as systemd has it. */
function isClean(bytes: string): boolean {
  if (!/[\x80-\xff]/.test(bytes)) return true;
  const buffer = Buffer.from(bytes, "latin1");
  return isUtf8(buffer) && !/\p{Noncharacter_Code_Point}/u.test(buffer.toString());
}

/** How many backslashes stand before `end`. */
function backslashes(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && text[at - 1] === "\\") at--;
  return end - at;
}

function behindBlanks(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && (text[at] === " " || text[at] === "\t")) at++;
  return at;
}

/** Without the blanks around it. */
function trimmed(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(behindBlanks(text, 0, end), end);
}
