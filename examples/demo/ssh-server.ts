/** An SSH server on loopback in this process, for one key; commands run as the user of this process. */
import { spawn } from "node:child_process";
import type { AddressInfo } from "node:net";
import { type Connection, Server, type ServerChannel, utils } from "ssh2";

export interface SshServer {
  readonly port: number;
  /** The private key that may log in. */
  readonly privateKey: string;
  /** The server's public key, as in known_hosts. */
  readonly hostKey: string;
  close(): void;
}

/** ssh2 now and then writes a key that it can't read again: then another one is made. */
function newKey(): { private: string; public: string } {
  for (;;) {
    const key = utils.generateKeyPairSync("ed25519");
    if (!(utils.parseKey(key.private) instanceof Error) && !(utils.parseKey(key.public) instanceof Error)) return key;
  }
}

/** Starts a server on a free port of 127.0.0.1. */
export function startSshServer(): Promise<SshServer> {
  const [host, client] = [newKey(), newKey()];
  const allowed = utils.parseKey(client.public);
  if (allowed instanceof Error) throw allowed;
  const clients = new Set<Connection>();
  const server = new Server({ hostKeys: [host.private] }, (connection) => {
    clients.add(connection);
    connection.on("error", () => connection.end());
    connection.on("close", () => clients.delete(connection));
    connection.on("authentication", (attempt) => {
      if (attempt.method !== "publickey" || !allowed.getPublicSSH().equals(attempt.key.data))
        return attempt.reject(["publickey"]);
      const { signature, blob, hashAlgo } = attempt;
      if (signature && blob && allowed.verify(blob, signature, hashAlgo) !== true) return attempt.reject();
      attempt.accept();
    });
    connection.on("session", (accept) => {
      accept().on("exec", (acceptExec, _reject, { command }) => execute(acceptExec(), command));
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      const close = () => {
        for (const connection of clients) connection.end();
        server.close();
      };
      resolve({ port, privateKey: client.private, hostKey: host.public, close });
    });
  });
}

function execute(channel: ServerChannel, command: string): void {
  const child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "pipe", "pipe"] });
  // A command may end before it has read all of its input.
  child.stdin.on("error", () => undefined);
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on("close", (code) => {
    channel.exit(code ?? 255);
    channel.end();
  });
}
