/** What is in use now of what is limited. It is asked for people: no resource looks at it. */
import { join } from "node:path";
import { bound, type Facts } from "../../transaction/report";
import type { Probe, Service } from "../../transaction/service";

export interface BusyProcess {
  /** nginx, or the unit's name. */
  readonly name: string;
  readonly id: string;
  readonly files: number;
  /** How many files it may open; Infinity where there is no limit. */
  readonly limit: number;
  /** TCP connections, of both sides. */
  readonly connections: number;
}

export interface Partition {
  readonly folder: string;
  readonly totalKilobytes: number;
  readonly usedKilobytes: number;
  readonly freeKilobytes: number;
}

export interface HeadroomState {
  readonly processes: readonly BusyProcess[];
  /** Of each folder where uploads may lie, by what nginx's files and its program name: which of them it is, is nginx's. */
  readonly partitions: readonly Partition[];
}

export const headroom: Service<HeadroomState> = {
  program: join(__dirname, "headroom.sh"),
  uses: ["nginx", "systemd"],
  parse: (facts: Facts): HeadroomState => ({
    processes: facts.named("process").flatMap(([name = "", id = "", files, connections, soft]) => {
      // One that has ended meanwhile has no limits.
      return soft ? [{ name, id, files: Number(files), connections: Number(connections), limit: bound(soft) }] : [];
    }),
    partitions: facts.named("partition").flatMap(([folder = "", total, used, free]) => {
      const numbers = [total, used, free].map(Number);
      const [totalKilobytes = 0, usedKilobytes = 0, freeKilobytes = 0] = numbers;
      const isRead = total && numbers.every(Number.isFinite);
      return isRead ? [{ folder, totalKilobytes, usedKilobytes, freeKilobytes }] : [];
    }),
  }),
};

/** Behind nginx's and systemd's own probes: it asks of what they have found. `units` are names and patterns of WAPT's. */
export const headroomProbe = (units: readonly string[]): Probe => ({ service: "headroom", words: units });
