/** The one way in which every format changes a text: characters give way to others, and all the rest stays byte for byte. */

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
