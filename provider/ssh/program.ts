import { randomBytes } from "node:crypto";
import type { ClientChannel } from "ssh2";
import { destinationName } from "./destination";
import type { Link } from "./link";
import { SshError } from "./ssh-error";

/** Bytes of a program's output beyond which it is given up. */
const OUTPUT_LIMIT = 512 * 1024 * 1024;
/** Bytes kept of stderr, and bytes that a profile may print before the program starts. */
const NOISE_LIMIT = 1024 * 1024;
/** The longest that a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

/** What a program printed, from its own start on. */
export interface Ended {
  /** False when the program did not start: then `stdout` and `stderr` are what was printed in its place. */
  readonly started: boolean;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly code: number;
}

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

/**
 * Executes a command on a session of this connection, sends it the input and its end, and waits for its end. Throws an
 * {@link SshError}: `timeout` after the deadline, `lost` when the connection or the command was cut. Calls `onStart` when
 * the program's marker is seen.
 */
export async function execute(
  link: Link,
  command: string,
  input: string,
  marker: Marker,
  timeoutSeconds: number,
  onStart: () => void = () => {},
): Promise<Ended> {
  link.hold();
  try {
    const { channel, done } = await link.start(command);
    try {
      return await new Execution(link, channel, marker, timeoutSeconds, onStart).run(input);
    } finally {
      done();
    }
  } finally {
    link.release();
  }
}

class Execution {
  readonly #out: Output;
  readonly #err: Output;
  #code: number | null | undefined;
  #signal: string | undefined;

  constructor(
    readonly link: Link,
    readonly channel: ClientChannel,
    marker: Marker,
    readonly timeoutSeconds: number,
    onStart: () => void,
  ) {
    this.#out = new Output(marker.line, OUTPUT_LIMIT, onStart);
    this.#err = new Output(marker.line, NOISE_LIMIT, () => {});
  }

  run(input: string): Promise<Ended> {
    const { channel } = this;
    return new Promise((resolve, reject) => {
      const give = (error: SshError) => {
        clearTimeout(timer);
        reject(error);
        channel.close();
      };
      const timer = setTimeout(() => give(this.#late()), Math.min(this.timeoutSeconds * 1000, LONGEST_MS));
      channel.on("data", (chunk: Buffer) => {
        if (!this.#out.add(chunk)) give(this.#tooMuch());
      });
      // What is more than the limit on stderr is dropped: it is for messages only.
      channel.stderr.on("data", (chunk: Buffer) => void this.#err.add(chunk));
      channel.on("error", () => give(this.#lost()));
      channel.stderr.on("error", () => {});
      channel.on("exit", (code: number | null, signal?: string) => {
        this.#code = code;
        this.#signal = signal;
      });
      channel.on("close", () => {
        clearTimeout(timer);
        if (typeof this.#code === "number") resolve(this.#ended(this.#code));
        else reject(this.#signal === undefined ? this.#lost() : this.#killed(this.#signal));
      });
      channel.end(input);
    });
  }

  #ended(code: number): Ended {
    const started = this.#out.begun;
    return { started, code, stdout: this.#out.bytes(), stderr: this.#err.bytes().toString("utf8") };
  }

  get #where(): string {
    return destinationName(this.link.target);
  }

  #late(): SshError {
    return new SshError(
      "timeout",
      `${this.#where}: the command did not end within ${this.timeoutSeconds} s; it may still be running there`,
    );
  }

  #lost(): SshError {
    return new SshError(
      "lost",
      `${this.#where}: the connection was lost while a command ran; whether it came to its end is not known`,
    );
  }

  #killed(signal: string): SshError {
    return new SshError("lost", `${this.#where}: the command was killed on the server (${signal})`);
  }

  #tooMuch(): SshError {
    return new SshError("lost", `${this.#where}: the command printed more than ${OUTPUT_LIMIT / 1024 / 1024} MiB`);
  }
}

/** Collects a stream's bytes from the marker's line on; before it, keeps what may be the reason for its absence. */
class Output {
  #chunks: Buffer[] = [];
  #size = 0;
  begun = false;

  constructor(
    readonly marker: Buffer,
    readonly limit: number,
    readonly onBegin: () => void,
  ) {}

  /** False, and the bytes dropped, when there is no room for them. */
  add(chunk: Buffer): boolean {
    if (this.#size + chunk.length > (this.begun ? this.limit : NOISE_LIMIT)) return false;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (!this.begun) this.#seek();
    return true;
  }

  #seek(): void {
    const all = this.bytes();
    const at = all.indexOf(this.marker);
    const rest = at < 0 ? all : all.subarray(at + this.marker.length);
    this.begun = at >= 0;
    this.#chunks = [rest];
    this.#size = rest.length;
    if (this.begun) this.onBegin();
  }

  bytes(): Buffer {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#size);
  }
}
