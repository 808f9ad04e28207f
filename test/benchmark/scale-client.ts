/**
 * Reads many servers at once and prints, as JSON, the seconds and megabytes that it took:
 *
 *   node --import tsx test/benchmark/scale-client.ts core|floor SERVERS...
 *
 * `core` is this package below Pulumi: connect, observe, plan. `floor` is ssh2 alone: as many connections, each with one
 * command that gets the same input and whose output is read. SERVERS are files with the ports of
 * one process and its host key.
 */
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { Client } from "ssh2";
import { services } from "../../provider/services";
import { closeAll, open } from "../../provider/ssh/session";
import { observeProgram } from "../../provider/transaction/program";
import { jobFor, look } from "./core";

interface Servers {
  readonly ports: readonly number[];
  readonly hostKey: string;
}

interface Destination {
  readonly port: number;
  readonly hostKey: string;
}

const jobOn = ({ port, hostKey }: Destination) => {
  const connection = { host: "127.0.0.1", port, user: "root", hostKey, password: "simulated" };
  return jobFor(connection, () => open(connection));
};

async function core(servers: readonly Destination[]): Promise<void> {
  await Promise.all(servers.map((to) => look(jobOn(to), true)));
}

/** So many logins of ssh2 at a time were the fastest of 8, 32, 64, 128 and all. */
const AT_A_TIME = 64;

async function floor(servers: readonly Destination[]): Promise<void> {
  const program = observeProgram(jobOn(servers[0]!).scope, services);
  const waiting = [...servers];
  const clients: Client[] = [];
  const work = async () => {
    for (let to = waiting.pop(); to; to = waiting.pop()) clients.push(await answered(to.port, program));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  for (const client of clients) client.end();
}

function answered(port: number, program: string): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.on("error", reject);
    client.on("ready", () =>
      client.exec("sh -s", (error, channel) => {
        if (error) return reject(error);
        let size = 0;
        channel.on("data", (bytes: Buffer) => (size += bytes.length));
        channel.on("close", () => (size > 1000 ? resolve(client) : reject(new Error(`${size} bytes came`))));
        channel.end(program);
      }),
    );
    client.connect({ host: "127.0.0.1", port, username: "root", password: "simulated", readyTimeout: 120_000 });
  });
}

async function main([what = "", ...files]: readonly string[]): Promise<void> {
  const each = files.map((file): Servers => JSON.parse(readFileSync(file, "utf8")));
  const servers = each.flatMap(({ ports, hostKey }) => ports.map((port) => ({ port, hostKey })));
  const alive = setInterval(() => {}, 1000);
  const before = process.cpuUsage();
  const start = performance.now();
  await (what === "core" ? core : floor)(servers);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  const { maxRSS } = process.resourceUsage();
  console.log(JSON.stringify({ seconds, cpu: (user + system) / 1e6, megabytes: maxRSS / 1024 }));
  await closeAll();
  clearInterval(alive);
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
