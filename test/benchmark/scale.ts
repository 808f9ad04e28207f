/**
 * How the core grows with the number of servers and their distance, beside as many bare connections of ssh2:
 *
 *   npx tsx test/benchmark/scale.ts [--servers 1,10,100,1000] [--delays 0,20,100] [--rounds 3] [--svg FILE]
 *
 * The servers are simulated: ssh2 servers in processes of their own, DELAY milliseconds away in each direction, which
 * answer with the report of a real tuned server that is started first. Core and floor take turns, each in a new process.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { services } from "../../provider/services";
import { observeProgram } from "../../provider/transaction/program";
import { mustRun } from "../lab/host";
import { startServer } from "../lab/server";
import { withoutSsh } from "../support/whole-server";
import { growthChart } from "./chart";
import { jobFor } from "./core";
import { machine, median, table } from "./report";

/** So many processes serve, so that they are no slower than the one that asks. */
const PROCESSES = 2;

interface Sample {
  readonly seconds: number;
  readonly cpu: number;
  readonly megabytes: number;
}

/** What the probe reports of a real server that was tuned for the benchmark's clients. */
async function tunedReport(): Promise<string> {
  const server = await startServer("paris");
  try {
    const { managed, scope, claimOn } = jobFor({ host: server.host }, async () => withoutSsh(server));
    await managed.converge(scope, claimOn);
    return (await server.exec("exec sh -s", { input: observeProgram(scope, services) })).stdout;
  } finally {
    await server.stop();
  }
}

async function simulated(report: string, count: number, delay: number): Promise<{ child: ChildProcess; said: string }> {
  const words = ["--import", "tsx", join(__dirname, "simulated-servers.ts"), report, String(count), String(delay)];
  const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  const [said] = (await once(createInterface({ input: child.stdout! }), "line")) as [string];
  return { child, said };
}

/** The medians of core and floor for so many servers at such a distance. */
async function compare(folder: string, count: number, delay: number, rounds: number): Promise<[Sample, Sample]> {
  const shares = Array.from({ length: Math.min(PROCESSES, count) }, (_, i) =>
    Math.floor((count + i) / Math.min(PROCESSES, count)),
  );
  const report = join(folder, "report");
  const started = await Promise.all(shares.map((share) => simulated(report, share, delay)));
  try {
    const files = started.map(({ said }, i) => {
      const file = join(folder, `servers-${i}`);
      writeFileSync(file, said);
      return file;
    });
    const samples: Record<"core" | "floor", Sample[]> = { core: [], floor: [] };
    for (let round = 0; round < rounds; round++)
      for (const what of round % 2 === 0 ? (["core", "floor"] as const) : (["floor", "core"] as const)) {
        const words = ["--import", "tsx", join(__dirname, "scale-client.ts"), what, ...files];
        samples[what].push(JSON.parse(await mustRun([process.execPath, ...words], { timeoutSeconds: 600 })));
      }
    return [middle(samples.core), middle(samples.floor)];
  } finally {
    for (const { child } of started) child.stdin?.end();
  }
}

const middle = (samples: readonly Sample[]): Sample => ({
  seconds: median(samples.map(({ seconds }) => seconds)),
  cpu: median(samples.map(({ cpu }) => cpu)),
  megabytes: Math.max(...samples.map(({ megabytes }) => megabytes)),
});

const numbers = (text: string): number[] => text.split(",").map(Number);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      servers: { type: "string", default: "1,10,100,1000" },
      delays: { type: "string", default: "0,20,100" },
      rounds: { type: "string", default: "3" },
      svg: { type: "string" },
    },
  });
  console.log(machine());
  const folder = mkdtempSync(join(tmpdir(), "wapt-scale-"));
  try {
    writeFileSync(join(folder, "report"), await tunedReport());
    const rows: string[][] = [];
    const lines: { name: string; points: [number, number][]; isFloor: boolean }[] = [];
    for (const delay of numbers(values.delays)) {
      const [ours, bare] = [false, true].map((isFloor) => ({
        name: `${delay} ms away`,
        points: [] as [number, number][],
        isFloor,
      }));
      lines.push(ours!, bare!);
      for (const count of numbers(values.servers)) {
        const [core, floor] = await compare(folder, count, delay, Number(values.rounds));
        ours!.points.push([count, core.seconds]);
        bare!.points.push([count, floor.seconds]);
        const ratio = (core.seconds / floor.seconds).toFixed(2);
        const cells = [core.seconds.toFixed(2), floor.seconds.toFixed(2), `× ${ratio}`, core.cpu.toFixed(2)];
        rows.push([`${count}, ${delay} ms`, ...cells, core.megabytes.toFixed(0), floor.megabytes.toFixed(0)]);
        console.error(rows.at(-1)!.join("  "));
      }
    }
    console.log(
      `\n${table(["servers, away", "core s", "ssh2 alone s", "ratio", "core CPU s", "core MB", "ssh2 MB"], rows)}`,
    );
    if (values.svg) writeFileSync(values.svg, growthChart(lines));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
