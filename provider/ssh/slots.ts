/** At most so many at once; the others wait their turn. */
export class Slots {
  #limit: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Waits for a place; `first` goes before those who wait already. */
  async take(first = false): Promise<void> {
    if (this.#taken < this.#limit) {
      this.#taken++;
      return;
    }
    await new Promise<void>((resolve) => {
      if (first) this.#waiting.unshift(resolve);
      else this.#waiting.push(resolve);
    });
  }

  /** Gives a place back. The next in line takes it over, unless there are fewer places now. */
  free(): void {
    this.#taken--;
    if (this.#taken >= this.#limit) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#taken++;
    next();
  }

  /** From now on at most so many, and at least one. */
  shrink(limit: number): void {
    this.#limit = Math.max(1, Math.min(this.#limit, limit));
  }
}
