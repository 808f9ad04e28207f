/** What a process is at, over all its servers: while there is some the engine may have more to send. */
export class Activity {
  private busy = 0;
  private last = Date.now();

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.busy++;
    try {
      return await work();
    } finally {
      this.busy--;
      this.touch();
    }
  }

  touch(): void {
    this.last = Date.now();
  }

  /** Milliseconds since the last of it; 0 while there is some. */
  get idle(): number {
    return this.busy > 0 ? 0 : Date.now() - this.last;
  }
}
