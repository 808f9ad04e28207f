/** One line of the proof: a server of a base, its clients, and what came of them. */
import { loadavg } from "node:os";
import { type LabServer, startServer } from "../lab/server";
import { say } from "../support/asking";
import { type Base, bring, layProof, type Setting, settled, tuningFor } from "./bases";
import { type Held, Population, type Storm } from "./population";
import { type Sample, sample } from "./sample";

export interface Case {
  readonly base: Base;
  readonly clients: number;
  /** 1: a kernel of its own. 2: a container with all processors of this machine. */
  readonly processors: 1 | 2;
  /** A setting of ours that is put back. */
  readonly leftOut?: Setting;
}

export interface Measured {
  readonly base: Base;
  readonly clients: number;
  readonly processors: 1 | 2;
  readonly leftOut?: string;
  readonly held: Held;
  /** Behind the holding, and behind the storm. */
  readonly afterHolding: Sample;
  readonly storm?: Storm;
  readonly afterStorm?: Sample;
  /** This machine's, when it began and when it ended. */
  readonly load: readonly [number, number];
  /** Seconds of a processor that the clients took, of all seconds. */
  readonly clientShare: number;
}

export interface Options {
  readonly stormLimitSeconds: number;
  /** The share of the work of waptserver for a login that it does. */
  readonly work?: number;
  readonly log: (line: string) => void;
}

/** A full pool of PostgreSQL's for so many clients, and all else. */
const gibibytesFor = (clients: number) => (clients <= 1000 ? 3 : clients <= 2500 ? 4 : 7);

export async function startProof(one: Pick<Case, "clients" | "processors">, work = 1): Promise<LabServer> {
  const { clients, processors } = one;
  const kernel = processors === 1 ? "own" : "shared";
  const server = await startServer("proof", { kernel, memory: gibibytesFor(clients) });
  await layProof(server, work);
  return server;
}

export async function measure(one: Case, { stormLimitSeconds, work, log }: Options): Promise<Measured> {
  const { base, clients, processors, leftOut } = one;
  const loadBefore = loadavg()[0]!;
  const server = await startProof(one, work);
  const population = new Population(server.host, clients);
  const [clock, cpu] = [Date.now(), process.cpuUsage()];
  try {
    await bring(server, base, tuningFor(clients, processors === 2));
    if (leftOut) {
      await say(server, leftOut.leave);
      await settled(server);
    }
    const held = await population.hold();
    const afterHolding = await sample(server);
    log(`  ${held.stayed} of ${clients} stay, ${held.served} of them download`);
    const isStorm = stormLimitSeconds > 0 && held.connected > 0;
    const storm = isStorm ? await lose(server, population, stormLimitSeconds) : undefined;
    if (storm) log(`  the storm: ${storm.back} of ${storm.lost} are back, half after ${storm.half?.toFixed(0)} s`);
    const { user, system } = process.cpuUsage(cpu);
    return {
      ...{ base, clients, processors, held, afterHolding, storm, leftOut: leftOut?.name },
      afterStorm: storm && (await sample(server)),
      load: [loadBefore, loadavg()[0]!],
      clientShare: (user + system) / 1000 / (Date.now() - clock),
    };
  } finally {
    population.stop();
    await server.stop();
  }
}

/** waptserver is restarted, as a run of ours and an upgrade do. */
export const lose = (server: LabServer, population: Population, limitSeconds: number): Promise<Storm> =>
  population.storm(() => say(server, "systemctl restart waptserver"), limitSeconds);
