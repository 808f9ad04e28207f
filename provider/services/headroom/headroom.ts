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
  /** Of the uploads; undefined where it was not read. */
  readonly partition?: Partition;
}

export const headroom: Service<HeadroomState> = {
  program: join(__dirname, "headroom.sh"),
  uses: ["nginx", "systemd"],
  parse: (facts: Facts): HeadroomState => {
    const [folder = "", total, used, free] = facts.named("partition")[0] ?? [];
    const numbers = [total, used, free].map(Number);
    const [totalKilobytes = 0, usedKilobytes = 0, freeKilobytes = 0] = numbers;
    return {
      processes: facts.named("process").flatMap(([name = "", id = "", files, connections, soft]) => {
        // One that has ended meanwhile has no limits.
        return soft ? [{ name, id, files: Number(files), connections: Number(connections), limit: bound(soft) }] : [];
      }),
      ...(total && numbers.every(Number.isFinite)
        ? { partition: { folder, totalKilobytes, usedKilobytes, freeKilobytes } }
        : {}),
    };
  },
};

/** `folder` is where uploads lie, `master` the nginx that serves; either may not be known. */
export const headroomProbe = (folder = "", master = "", units: readonly string[] = []): Probe => ({
  service: "headroom",
  words: [folder, master, ...units],
});
