/** A text that is edited step by step, and what all steps come to in the text as it was first. */
import { type Splice, spliced } from "./splices";

/** A part of a draft: characters of the first text, or new ones. */
type Piece = { readonly start: number; readonly end: number } | { readonly text: string };

export class Draft {
  private constructor(
    private readonly first: string,
    readonly text: string,
    private readonly pieces: readonly Piece[],
  ) {}

  static of(text: string): Draft {
    return new Draft(text, text, [{ start: 0, end: text.length }]);
  }

  /** The draft after splices of its text as it is now. */
  with(splices: readonly Splice[]): Draft {
    const pieces: Piece[] = [];
    let at = 0;
    for (const { start, end, text } of [...splices].sort(
      (one, other) => one.start - other.start || one.end - other.end,
    )) {
      pieces.push(...cut(this.pieces, at, Math.max(at, start)), { text });
      at = Math.max(at, end);
    }
    pieces.push(...cut(this.pieces, at, this.text.length));
    return new Draft(this.first, spliced(this.text, splices), pieces);
  }

  /** The splices of the first text that lead here, in ascending order and apart; none where it is the same again. */
  get splices(): readonly Splice[] {
    if (this.text === this.first) return [];
    const splices: Splice[] = [];
    let at = 0;
    let added = "";
    for (const piece of [...this.pieces, { start: this.first.length, end: this.first.length }]) {
      if ("text" in piece) {
        added += piece.text;
        continue;
      }
      if (piece.start > at || added !== "") splices.push({ start: at, end: piece.start, text: added });
      at = piece.end;
      added = "";
    }
    return splices;
  }
}

/** The pieces of a draft's text from `start` up to `end`. */
function cut(pieces: readonly Piece[], start: number, end: number): Piece[] {
  const found: Piece[] = [];
  let offset = 0;
  for (const piece of pieces) {
    const length = "text" in piece ? piece.text.length : piece.end - piece.start;
    const [from, to] = [Math.max(0, start - offset), Math.min(length, end - offset)];
    if (from < to) {
      found.push(
        "text" in piece ? { text: piece.text.slice(from, to) } : { start: piece.start + from, end: piece.start + to },
      );
    }
    offset += length;
  }
  return found;
}
