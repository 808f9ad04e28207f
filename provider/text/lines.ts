/**
 * Changes of whole lines, for formats whose lines end with LF or CRLF: a line that is put in and taken out again leaves
 * the very bytes that stood there before, with or without a line end at the end of the file.
 */

/** The characters from `start` up to `end` give way to `text`. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The text after all splices; where two overlap, the later one begins where the earlier one ends. */
export function spliced(text: string, splices: readonly Splice[]): string {
  const pieces: string[] = [];
  let at = 0;
  for (const splice of [...splices].sort((one, other) => one.start - other.start || one.end - other.end)) {
    pieces.push(text.slice(at, Math.max(at, splice.start)), splice.text);
    at = Math.max(at, splice.end);
  }
  pieces.push(text.slice(at));
  return pieces.join("");
}

/** Where the line that holds `offset` ends, its LF included. */
export function lineEnd(text: string, offset: number): number {
  const feed = text.indexOf("\n", offset);
  return feed === -1 ? text.length : feed + 1;
}

/** Puts `line` in behind the line that ends at `end` (0: at the top), with the line end of its neighbour. */
export function insertion(text: string, end: number, line: string): Splice {
  const terminated = end === 0 || text[end - 1] === "\n";
  if (terminated) return { start: end, end, text: line + ending(text, end === 0 ? lineEnd(text, 0) : end) };
  // A last line without LF that ends with CR would make CRLF of a bare LF, and lose its CR when the line goes.
  const separator = text[end - 1] === "\r" ? "\r\n" : ending(text, lineEnd(text, 0));
  return { start: end, end, text: separator + line };
}

/** Takes the line that begins at `start` out; of an unterminated last line, the line end before it. */
export function removal(text: string, start: number): Splice {
  const end = lineEnd(text, start);
  if (text[end - 1] === "\n" || start === 0) return { start, end, text: "" };
  return { start: start - ending(text, start).length, end, text: "" };
}

/** The line end in front of `end`; LF where there is none. */
function ending(text: string, end: number): "\n" | "\r\n" {
  return text.slice(Math.max(0, end - 2), end) === "\r\n" ? "\r\n" : "\n";
}
