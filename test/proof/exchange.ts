/** One TLS connection to nginx: requests over it, and the short text frames of a websocket. */
import { randomBytes } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";

/** Why an exchange did not succeed, in the words of the report. */
export class Refusal extends Error {}

/** nginx closes a connection that it has no place for; the kernel drops one that it has no queue for. */
const NO_ANSWER = "no answer in time";
const CUT = "cut before an answer";

export class Exchange {
  private received: Buffer = Buffer.alloc(0);
  private waiting: (() => void) | undefined;
  private ended: string | undefined;
  private readonly socket: TLSSocket;
  /** Called once, when the connection has ended. */
  onEnd: (() => void) | undefined;

  constructor(host: string) {
    this.socket = connect({ host, port: 443, rejectUnauthorized: false });
    this.socket.setNoDelay(true);
    this.socket.on("data", (bytes: Buffer) => {
      this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes]);
      this.waiting?.();
    });
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.ended ??= error.code === "ECONNREFUSED" ? "connection refused" : CUT;
    });
    this.socket.on("end", () => this.end());
    this.socket.on("close", () => this.end());
  }

  private end(): void {
    this.ended ??= CUT;
    this.waiting?.();
    this.onEnd?.();
    this.onEnd = undefined;
    this.socket.destroy();
  }

  close(): void {
    this.onEnd = undefined;
    this.ended ??= CUT;
    this.socket.destroy();
  }

  /** The body of an answer with status 200 (or the one expected). */
  async get(path: string, deadline: number, headers: readonly string[] = [], expected = 200): Promise<Buffer> {
    this.socket.write(`GET ${path} HTTP/1.1\r\nHost: wapt\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`);
    const head = await this.take(deadline, (bytes) => {
      const end = bytes.indexOf("\r\n\r\n");
      return end < 0 ? undefined : end + 4;
    });
    const text = head.toString("latin1");
    const status = Number(text.slice(9, 12));
    const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
    const body = await this.take(deadline, (bytes) => (bytes.length < length ? undefined : length));
    if (status !== expected) throw new Refusal(`HTTP ${status}`);
    return body;
  }

  /** Sends a text frame and waits for the frame that answers it. */
  async tell(text: string, deadline: number): Promise<string> {
    this.send(text);
    const frame = await this.take(deadline, (bytes) => {
      const end = 2 + ((bytes[1] ?? 0) & 0x7f);
      return bytes.length < 2 || bytes.length < end ? undefined : end;
    });
    return frame.subarray(2).toString();
  }

  /** Sends a text frame to which no answer belongs. */
  send(text: string): void {
    const [mask, body] = [randomBytes(4), Buffer.from(text)];
    const masked = body.map((byte, at) => byte ^ mask[at % 4]!);
    this.socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | body.length]), mask, masked]));
  }

  /** The first bytes, once `enough` says how many belong together. */
  private take(deadline: number, enough: (bytes: Buffer) => number | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.waiting = undefined;
        act();
      };
      const timer = setTimeout(() => settle(() => reject(new Refusal(NO_ANSWER))), Math.max(0, deadline - Date.now()));
      this.waiting = () => {
        const length = enough(this.received);
        if (length === undefined) {
          if (this.ended !== undefined) settle(() => reject(new Refusal(this.ended)));
          return;
        }
        const taken = this.received.subarray(0, length);
        this.received = this.received.subarray(length);
        settle(() => resolve(taken));
      };
      this.waiting();
    });
  }
}
