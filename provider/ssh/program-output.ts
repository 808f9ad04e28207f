/** What a program printed, told apart from what a login shell printed before it. */
import { randomBytes } from "node:crypto";

/** Bytes that a profile may print before the program starts. */
export const NOISE_LIMIT = 1024 * 1024;

/** A line that the program prints first on stdout and stderr, so that what a shell's profile prints can be told apart. */
export class Marker {
  readonly #halves = [randomBytes(12).toString("hex"), randomBytes(12).toString("hex")] as const;
  readonly line = Buffer.from(`${this.#halves.join("")}\n`);

  /** Shell code that prints the line. The line itself does not stand in it, lest a shell that echoes commands forge it. */
  get code(): string {
    const print = `printf '%s%s\\n' ${this.#halves.join(" ")}`;
    return `${print}; ${print} >&2\n`;
  }
}

/** Collects a stream's bytes from the marker's line on; before it, keeps what may be the reason for its absence. */
export class Output {
  #chunks: Buffer[] = [];
  /** Bytes so far. */
  size = 0;
  begun = false;
  /** The last bytes, which may be the beginning of the marker. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(
    readonly marker: Buffer,
    readonly limit: number,
    readonly onBegin: () => void,
  ) {}

  /** False, and the bytes dropped, when there is no room for them. */
  add(chunk: Buffer): boolean {
    if (this.size + chunk.length > (this.begun ? this.limit : NOISE_LIMIT)) return false;
    this.#chunks.push(chunk);
    this.size += chunk.length;
    if (!this.begun) this.#seek(chunk);
    return true;
  }

  #seek(chunk: Buffer): void {
    const recent = Buffer.concat([this.#tail, chunk]);
    const at = recent.indexOf(this.marker);
    if (at < 0) {
      this.#tail = recent.subarray(Math.max(0, recent.length - this.marker.length + 1));
      return;
    }
    const rest = recent.subarray(at + this.marker.length);
    this.begun = true;
    this.#chunks = [rest];
    this.size = rest.length;
    this.onBegin();
  }

  bytes(): Buffer {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.size);
  }
}
