/** What a process is at, over all its servers: while there is some the engine may have more to send. */
export class Activity {
  private busy = 0;
  private last = Date.now();

  /** Work that fails leads to nothing further: when it ends it is as if it had not been. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.busy++;
    try {
      const result = await work();
      this.touch();
      return result;
    } finally {
      this.busy--;
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
