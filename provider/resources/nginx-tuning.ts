/** `worker_connections` and `worker_rlimit_nofile` in nginx's configuration. */
import { posix } from "node:path";
import { kernelProbe, openFilesProblems, portWarnings } from "../services/kernel/kernel";
import { clockWarnings } from "../services/nginx/freshness";
import {
  commandLineProblems,
  nginxPlace,
  nginxProbe,
  nginxProblems,
  readingNeeds,
  workersLimit,
  workerWarnings,
} from "../services/nginx/nginx";
import { replacedWarnings, servingProblems } from "../services/nginx/serving";
import { stoppedNeeds } from "../services/systemd/units";
import { diskProblems } from "../transaction/observation";
import { unreadable } from "../transaction/target";
import { count, type Definition, type SizedArguments } from "./definition";
import { unitsProbe } from "./units";

/** nginx's connections and descriptors. */
export interface NginxTuningArguments extends SizedArguments {
  /** `worker_connections`, in connections of one worker. Default: 2.5 × clients, at least 4096. */
  workerConnections?: number;
  /** `worker_rlimit_nofile`, in open files of one worker. Default: 32768, and at least 2 × worker_connections. */
  workerRlimitNofile?: number;
}

/** Settings of nginx. */
export type NginxTuningSettings = {
  /** Connections of one worker, those to waptserver included. */
  readonly worker_connections: number;
  /** Open files of one worker. */
  readonly worker_rlimit_nofile: number;
};

export const nginxTuning: Definition<NginxTuningArguments, NginxTuningSettings> = {
  type: "NginxTuning",
  isSized: true,
  schemas: { workerConnections: count, workerRlimitNofile: count },
  settings: (_args, sizes) => ({
    worker_connections: sizes().workerConnections,
    worker_rlimit_nofile: sizes().workerRlimitNofile,
  }),
  probes: (args) => [kernelProbe, unitsProbe, nginxProbe(args.nginxConf)],
  target({ worker_connections, worker_rlimit_nofile }, server) {
    const { nginx, kernel } = server;
    const problems = nginxProblems(nginx);
    if (problems.length > 0) return unreadable(problems);
    const connections = { setting: "worker_connections", context: "events", value: String(worker_connections) };
    const limit = { setting: "worker_rlimit_nofile", value: String(worker_rlimit_nofile) };
    return {
      places: [
        nginxPlace(nginx, connections),
        nginxPlace(nginx, limit, { value: workersLimit(nginx), limitsFiles: true }),
      ],
      needs: readingNeeds(nginx),
      left: stoppedNeeds(server.systemd),
      problems: [
        ...servingProblems(nginx),
        ...commandLineProblems(nginx, "worker_rlimit_nofile"),
        ...openFilesProblems(kernel, { workerRlimitNofile: worker_rlimit_nofile }, worker_connections),
        ...diskProblems(server, [posix.dirname(nginx.tree.root), "/var/lib", "/var/backups"], "workerConnections"),
      ],
      warnings: [
        ...portWarnings(kernel, worker_connections),
        ...workerWarnings(nginx, kernel.cpus),
        ...replacedWarnings(nginx),
        ...clockWarnings(nginx.reading),
      ],
    };
  },
};
