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
    const reader = new Reader(this.pieces);
    const pieces: Piece[] = [];
    for (const { start, end, text } of [...splices].sort(
      (one, other) => one.start - other.start || one.end - other.end,
    )) {
      for (const piece of reader.upTo(start)) pieces.push(piece);
      pieces.push({ text });
      for (const _ of reader.upTo(end));
    }
    for (const piece of reader.upTo(this.text.length)) pieces.push(piece);
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

/** Goes through a draft's text once. */
class Reader {
  /** The place in the text, the piece that holds it, and the place in that. */
  private at = 0;
  private piece = 0;
  private within = 0;

  constructor(private readonly pieces: readonly Piece[]) {}

  /** The pieces from here to a place in the text; none where that was passed already. */
  *upTo(end: number): Generator<Piece> {
    while (this.at < end) {
      const piece = this.pieces[this.piece]!;
      const length = "text" in piece ? piece.text.length : piece.end - piece.start;
      const from = this.within;
      const to = Math.min(length, from + end - this.at);
      this.at += to - from;
      this.within = to === length ? 0 : to;
      if (to === length) this.piece++;
      if (from === to) continue;
      yield "text" in piece
        ? { text: piece.text.slice(from, to) }
        : { start: piece.start + from, end: piece.start + to };
    }
  }
}
