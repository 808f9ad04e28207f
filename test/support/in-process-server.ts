import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket, type Server as TcpServer } from "node:net";
import { after } from "node:test";
import {
  type AuthContext,
  Server,
  type ServerChannel,
  type ServerConfig,
  type Connection as ServerSide,
  type Session,
} from "ssh2";
import type { Connection } from "../../provider/ssh/connection";
import { keyPair } from "./sandbox";

const hostKey = keyPair();

/** What an in-process server does; what is left out works as it should. */
export interface Behaviour {
  readonly config?: Partial<ServerConfig>;
  /** Default: everybody is let in. */
  authenticate?(context: AuthContext, client: ServerSide): void;
  /** How many sessions a connection may have. */
  readonly maxSessions?: number;
  /** Takes the place of accepting a session. */
  session?(accept: () => Session, reject: () => void): void;
  /** Takes the place of running the command with /bin/sh. */
  execute?(channel: ServerChannel, client: ServerSide, command: string): void;
}

export interface InProcess {
  readonly port: number;
  /** The server's public key, for `hostKey`. */
  readonly hostKey: string;
  /** Key exchange, cipher and MAC of the last connection. */
  readonly negotiated: () => readonly string[];
  /** TCP connections so far. */
  readonly connections: () => number;
  /** Cuts every connection now. */
  cut(): void;
}

/** An SSH server in this process, on the loopback interface, which ends with the tests. */
export async function inProcess(behaviour: Behaviour = {}): Promise<InProcess> {
  let negotiated: string[] = [];
  const server = new Server({ hostKeys: [hostKey.private], ...behaviour.config }, (client) => {
    client.on("handshake", ({ kex, cs }) => {
      negotiated = [kex, cs.cipher, cs.mac];
    });
    serve(client, behaviour);
  });
  const listens = await listening(server as unknown as TcpServer, (server as unknown as { _srv: TcpServer })._srv);
  return { ...listens, negotiated: () => negotiated };
}

/** How to reach such a server: with a password that no message may show, and one attempt. */
export function to(server: InProcess, rest: Partial<Connection> = {}): Connection {
  return {
    host: "127.0.0.1",
    port: server.port,
    hostKey: server.hostKey,
    password: "secret word",
    perDialTimeout: 10,
    dialErrorLimit: 1,
    ...rest,
  };
}

/** A plain TCP server on the loopback interface. */
export function plainTcp(onConnection: (socket: Socket) => void): Promise<InProcess> {
  const server = createServer(onConnection);
  return listening(server, server);
}

async function listening(server: TcpServer, tcp: TcpServer): Promise<InProcess> {
  const sockets = new Set<Socket>();
  let connections = 0;
  tcp.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  after(() => {
    cut();
    server.close();
  });
  const { port } = tcp.address() as AddressInfo;
  return { port, hostKey: hostKey.public, negotiated: () => [], connections: () => connections, cut };
}

function serve(client: ServerSide, behaviour: Behaviour): void {
  let sessions = 0;
  client.on("error", () => {});
  client.on("authentication", (context) => {
    if (behaviour.authenticate) behaviour.authenticate(context, client);
    else context.accept();
  });
  client.on("session", (accept, reject) => {
    if (behaviour.session) return behaviour.session(accept, reject);
    if (sessions >= (behaviour.maxSessions ?? 10)) return reject();
    sessions++;
    const session = accept();
    session.on("exec", (acceptExec, _reject, info) => {
      const channel = acceptExec();
      channel.on("close", () => sessions--).on("error", () => {});
      if (behaviour.execute) behaviour.execute(channel, client, info.command);
      else runShell(channel, info.command);
    });
  });
}

/** Runs a command as sshd would, with /bin/sh as the login shell. */
export function runShell(channel: ServerChannel, command: string): void {
  // A process group of its own, so that nothing of it outlives its channel.
  const child = spawn("/bin/sh", ["-c", command], { stdio: "pipe", detached: true });
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  channel.pipe(child.stdin);
  child.stdin.on("error", () => {});
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on("exit", (code, signal) => {
    if (signal === null) channel.exit(code ?? 1);
    else channel.exit(signal.replace("SIG", ""), false, "");
  });
  // Only once nothing holds its output open any more, as sshd does.
  child.on("close", () => channel.end());
  channel.on("close", end);
}
