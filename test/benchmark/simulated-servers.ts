/**
 * Many SSH servers in one process, each on a port of its own, that answer every program with one report of a tuned server:
 *
 *   node --import tsx test/benchmark/simulated-servers.ts REPORT COUNT DELAY
 *
 * The first line that it prints is JSON: their ports and their host key. It ends with its standard input.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server as TcpServer } from "node:net";
import { Server, type ServerChannel } from "ssh2";
import { keyPair } from "../support/sandbox";
import { linkTo } from "./link";

/** What the client marks its program's output with; see the ssh room. */
const MARKER = /printf '%s%s\\n' (\w+) (\w+)/;

function answer(channel: ServerChannel, report: Buffer): void {
  let program = "";
  channel.on("data", (bytes: Buffer) => {
    if (program.length < 2 ** 12) program += bytes.toString("latin1");
  });
  channel.on("end", () => {
    const [, one = "", other = ""] = MARKER.exec(program) ?? [];
    channel.stderr.write(`${one}${other}\n`);
    channel.write(`${one}${other}\n`);
    channel.write(report);
    channel.exit(0);
    channel.end();
  });
}

async function listening(server: TcpServer): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function main([file = "", count = "", delay = ""]: readonly string[]): Promise<void> {
  const report = readFileSync(file);
  const key = keyPair();
  const ssh = new Server({ hostKeys: [key.private] }, (client) => {
    client.on("error", () => {});
    client.on("authentication", (context) => context.accept());
    client.on("session", (accept) => {
      accept().on("exec", (acceptExec) => answer(acceptExec(), report));
    });
  });
  const tcp = () => createServer({ noDelay: true }, (socket) => ssh.injectSocket(socket));
  const ports = await Promise.all(Array.from({ length: Number(count) }, () => listening(tcp())));
  const links = await Promise.all(ports.map((port) => linkTo("127.0.0.1", Number(delay), port)));
  console.log(JSON.stringify({ ports: links.map(({ port }) => port), hostKey: key.public }));
  process.stdin.resume().on("end", () => process.exit(0));
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
