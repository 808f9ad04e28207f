/** The way to a server's sshd: its own address, or a relay on loopback that takes a while in each direction. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface Link {
  readonly host: string;
  readonly port: number;
  close(): void;
}

/** @param delay milliseconds in each direction; 0 for no relay. */
export async function linkTo(host: string, delay: number, port = 22): Promise<Link> {
  if (delay === 0) return { host, port, close() {} };
  const sockets = new Set<Socket>();
  const relay: Server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host, port, noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    }
    pass(near, far, delay);
    pass(far, near, delay);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const close = () => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  };
  return { host: "127.0.0.1", port: (relay.address() as AddressInfo).port, close };
}

function pass(from: Socket, to: Socket, delay: number): void {
  // Timers of one length fire in their order.
  from.on("data", (bytes) => setTimeout(() => to.writable && to.write(bytes), delay));
  from.on("error", () => {});
  from.on("close", () => setTimeout(() => to.end(), delay));
}
