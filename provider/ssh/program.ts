/** One program on one session: its input sent, its output collected within bounds, its end awaited. */
import type { ClientChannel } from "ssh2";
import { destinationName } from "./destination";
import type { Link } from "./link";
import { type Marker, NOISE_LIMIT, Output } from "./program-output";
import { SshError } from "./ssh-error";

/** What is waited for of a program, and how much of it; beyond that it is given up. */
export interface Bounds {
  readonly timeoutSeconds: number;
  /** Seconds without any output. */
  readonly silenceSeconds: number;
  /** Bytes of its output. */
  readonly outputLimit: number;
}

/** Bytes that are kept of stderr; it is for messages only. */
const STDERR_LIMIT = 1024 * 1024;
/** Silence after a command's end that suggests that something it left behind holds its output open. */
const LINGER_MS = 1000;
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
  bounds: Bounds,
  onStart: () => void = () => {},
): Promise<Ended> {
  link.hold();
  try {
    let running: Promise<Ended> | undefined;
    const done = await link.start(command, (channel) => {
      running = new Execution(link, channel, marker, bounds, onStart).run(input);
      // It is awaited below, but may fail before.
      running.catch(() => {});
    });
    try {
      return await running!;
    } finally {
      done();
    }
  } finally {
    link.release();
  }
}

const sizeOf = (bytes: number): string => (bytes < 2 ** 20 ? `${bytes} bytes` : `${bytes / 2 ** 20} MiB`);

class Execution {
  readonly #out: Output;
  readonly #err: Output;
  #code: number | undefined;
  #signal: string | undefined;
  #linger: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(
    readonly link: Link,
    readonly channel: ClientChannel,
    marker: Marker,
    readonly bounds: Bounds,
    onStart: () => void,
  ) {
    this.#out = new Output(marker.line, bounds.outputLimit, onStart);
    this.#err = new Output(marker.line, STDERR_LIMIT, () => {});
  }

  /** Listens, then sends the input, before it returns for the first time. */
  async run(input: string): Promise<Ended> {
    const { channel } = this;
    let deadline: NodeJS.Timeout | undefined;
    try {
      await new Promise((resolve, reject) => {
        const { timeoutSeconds, silenceSeconds } = this.bounds;
        const after = (seconds: number, text: string) =>
          setTimeout(() => reject(this.#late(text)), Math.min(seconds * 1000, LONGEST_MS));
        deadline = after(timeoutSeconds, `the command did not end within ${timeoutSeconds} s`);
        this.#silence = after(silenceSeconds, `the command said nothing for ${silenceSeconds} s`);
        this.#collect(reject);
        channel.on("exit", (code: number | null, signal?: string) => {
          this.#code = code ?? undefined;
          this.#signal = signal;
          this.#linger = setTimeout(() => this.#askWhetherAll(resolve), LINGER_MS);
        });
        channel.on("close", () => resolve(undefined));
        channel.end(input);
      });
      return this.#end();
    } finally {
      clearTimeout(deadline);
      clearTimeout(this.#linger);
      clearTimeout(this.#silence);
      this.#linger = undefined;
      channel.close();
    }
  }

  #collect(reject: (error: SshError) => void): void {
    const { channel } = this;
    channel.on("data", (chunk: Buffer) => {
      this.#linger?.refresh();
      this.#silence?.refresh();
      if (!this.#out.add(chunk)) reject(this.#tooMuch());
    });
    channel.stderr.on("data", (chunk: Buffer) => {
      this.#linger?.refresh();
      this.#err.add(chunk);
    });
    // Errors of sending: the command did not wait for its input. It ends all the same, or is cut.
    channel.on("error", () => {});
    channel.stderr.on("error", () => {});
  }

  /** Takes the output for complete if the server, asked now, answers before it sends more of it. */
  #askWhetherAll(complete: (_: undefined) => void): void {
    const size = this.#out.size;
    this.link.ask().then(
      () => (this.#out.size === size ? complete(undefined) : this.#linger?.refresh()),
      // Then the connection is closing, and the channel with it.
      () => {},
    );
  }

  /** The result of a command that has ended; throws when it did not end by itself. */
  #end(): Ended {
    if (this.#signal !== undefined) throw this.#killed(this.#signal);
    if (this.#code === undefined) throw this.#lost();
    const stderr = this.#err.bytes().toString("utf8");
    return { started: this.#out.begun, code: this.#code, stdout: this.#out.bytes(), stderr };
  }

  #late(text: string): SshError {
    return this.#error("timeout", `${text}; it may still be running there`);
  }

  #lost(): SshError {
    return this.#error("lost", "the connection was lost while a command ran; whether it came to its end is not known");
  }

  #killed(signal: string): SshError {
    return this.#error("lost", `the command was killed on the server (${signal})`);
  }

  #tooMuch(): SshError {
    const [what, limit] = this.#out.begun ? ["the command", this.bounds.outputLimit] : ["the login shell", NOISE_LIMIT];
    return this.#error("lost", `${what} printed more than ${sizeOf(limit)}`);
  }

  #error(kind: "timeout" | "lost", text: string): SshError {
    return new SshError(kind, `${destinationName(this.link.target)}: ${text}`);
  }
}
