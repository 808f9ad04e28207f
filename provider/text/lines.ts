/**
 * Lines, which LF or CRLF ends, and splices of whole ones: a line that is put in and taken out again leaves the very bytes
 * that stood there before, with or without a line end at the end of the file.
 */
import type { Splice } from "./splices";

export interface Line {
  /** From 1. */
  readonly number: number;
  readonly start: number;
  /** Where its LF stands, or the text ends. */
  readonly end: number;
}

export function* linesOf(text: string): Generator<Line> {
  for (let start = 0, number = 1; start < text.length; number++) {
    const feed = text.indexOf("\n", start);
    const end = feed === -1 ? text.length : feed;
    yield { number, start, end };
    start = end + 1;
  }
}

/** Where the line that holds `offset` begins. */
export function lineStart(text: string, offset: number): number {
  return offset === 0 ? 0 : text.lastIndexOf("\n", offset - 1) + 1;
}

/** Where the line that holds `offset` ends, its LF included. */
export function lineEnd(text: string, offset: number): number {
  const feed = text.indexOf("\n", offset);
  return feed === -1 ? text.length : feed + 1;
}

/** What ends the line that holds `offset`; of a last line that nothing ends, what ends the one before it, else LF. */
export function lineBreak(text: string, offset: number): "\n" | "\r\n" {
  const next = text.indexOf("\n", offset);
  const feed = next === -1 ? text.lastIndexOf("\n") : next;
  return feed > 0 && text[feed - 1] === "\r" ? "\r\n" : "\n";
}

/** Tells the number, from 1, of the line that holds an offset, each in logarithmic time after the first. */
export function lineIndex(text: string): (offset: number) => number {
  let starts: number[] | undefined;
  return (offset) => {
    starts ??= [...linesOf(text)].map(({ start }) => start);
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return Math.max(low, 1);
  };
}

/** Puts `line` in behind the line that ends at `end` (0: at the top), with the line end of its neighbour. */
export function insertion(text: string, end: number, line: string): Splice {
  const neighbour = lineBreak(text, Math.max(0, end - 1));
  if (end === 0 || text[end - 1] === "\n") return { start: end, end, text: line + neighbour };
  // A last line without LF that ends with CR would make CRLF of a bare LF, and lose its CR when the line goes.
  return { start: end, end, text: (text[end - 1] === "\r" ? "\r\n" : neighbour) + line };
}

/** Takes the line that begins at `start` out; of an unterminated last line, the line end before it. */
export function removal(text: string, start: number): Splice {
  const end = lineEnd(text, start);
  if (text[end - 1] === "\n" || start === 0) return { start, end, text: "" };
  return { start: start - lineBreak(text, start - 1).length, end, text: "" };
}

/**
 * Takes out the lines that begin at `starts`, in ascending order, as if one after the other from the last: a file that
 * does not end with a line end does not get one.
 */
export function removals(text: string, starts: readonly number[]): Splice[] {
  let end = text.length;
  return starts.toReversed().map((start) => {
    const splice = removal(text.slice(0, end), start);
    if (splice.end === end) end = splice.start;
    return splice;
  });
}
