/** A TCP relay to a server on a port of loopback, which a test can cut. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Wire {
  private readonly sockets = new Set<Socket>();
  private isWhole = true;
  private left = Number.POSITIVE_INFINITY;

  private constructor(
    private readonly listener: Server,
    private readonly host: string,
  ) {
    listener.on("connection", (near) => this.relay(near));
  }

  static async to(host: string): Promise<Wire> {
    const listener = createServer();
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    return new Wire(listener, host);
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** Cuts all connections, without a goodbye; further ones are refused until it is mended. */
  cut(): void {
    this.isWhole = false;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isWhole = true;
    this.left = Number.POSITIVE_INFINITY;
  }

  /** Cuts it once so many more bytes were sent to the server. */
  cutAfter(bytes: number): void {
    this.left = bytes;
  }

  close(): void {
    this.cut();
    this.listener.close();
  }

  private relay(near: Socket): void {
    if (!this.isWhole) {
      near.destroy();
      return;
    }
    const far = connect(22, this.host);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
    far.on("data", (bytes) => near.write(bytes));
    near.on("data", (bytes: Buffer) => {
      far.write(bytes.subarray(0, this.left));
      this.left -= bytes.length;
      if (this.left > 0) return;
      // What was sent arrives before the end does.
      far.end(() => this.cut());
    });
  }
}
