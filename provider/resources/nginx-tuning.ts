/** `worker_connections`, `worker_rlimit_nofile` and the listens' `backlog=` in nginx's configuration. */
import { posix } from "node:path";
import { kernelProbe, openFilesProblems, portWarnings } from "../services/kernel/kernel";
import { backlogPlaces, queueConflicts, queueWarnings } from "../services/nginx/backlog";
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
import { paceGone, pacePlace, paceProblems, paceWarnings } from "../services/nginx/pacing";
import { replacedWarnings, servingProblems } from "../services/nginx/serving";
import { booleanPlaces, SETRLIMIT, selinuxProbe } from "../services/selinux/selinux";
import { stoppedNeeds } from "../services/systemd/units";
import { diskProblems } from "../transaction/observation";
import { unreadable } from "../transaction/target";
import { count, type Definition, type SizedArguments } from "./definition";
import type { KernelLimitsArguments } from "./kernel-limits";
import { unitsProbe } from "./units";

/** nginx's connections, descriptors and queues. */
export interface NginxTuningArguments extends SizedArguments, Pick<KernelLimitsArguments, "somaxconn"> {
  /** `worker_connections`, in connections of one worker. Default: 2.5 × clients, at least 4096. */
  workerConnections?: number;
  /** `worker_rlimit_nofile`, in open files of one worker. Default: 32768, and at least 2 × worker_connections. */
  workerRlimitNofile?: number;
  /**
   * `backlog=` of the listens on which agents reach WAPT, in connections that wait for nginx to accept them. nginx's own
   * is 511, whatever `net.core.somaxconn` allows. Measured with one worker and 2,500 agents that come at once: 511 loses
   * 1,550 of them, 4096 none. Default: that of `somaxconn`.
   */
  backlog?: number;
  /**
   * Logins of agents that nginx hands on to waptserver in a second, for the storm when all PCs come back at once. The next
   * ones wait up to 4 s, all others get a 503 at once, after which an agent tries again. It is a file of its own in the
   * first folder that nginx includes in `http`; WAPT's site is not touched. With a stand-in of waptserver and 1,000 clients
   * 80 made a storm a third shorter, 40 a little longer. docs/sizes.md has the figures. Default: no limit.
   */
  loginsPerSecond?: number;
}

/** Settings of nginx. */
export type NginxTuningSettings = {
  /** Connections of one worker, those to waptserver included. */
  readonly worker_connections: number;
  /** Open files of one worker. */
  readonly worker_rlimit_nofile: number;
  /** Connections that may wait on each address on which agents reach WAPT. */
  readonly backlog: number;
  /** Logins of agents that are handed on in a second; nothing where there is no limit. */
  readonly limit_req?: number;
  /** SELinux's leave for it to raise its limit of open files: "on"; nothing where SELinux is off. */
  readonly httpd_setrlimit?: string;
};

export const nginxTuning: Definition<NginxTuningArguments, NginxTuningSettings> = {
  type: "NginxTuning",
  isSized: true,
  schemas: {
    workerConnections: count,
    workerRlimitNofile: count,
    somaxconn: count,
    backlog: count,
    loginsPerSecond: count,
  },
  settings: (args, sizes) => ({
    worker_connections: sizes().workerConnections,
    worker_rlimit_nofile: sizes().workerRlimitNofile,
    backlog: sizes().backlog,
    ...(args.loginsPerSecond !== undefined && { limit_req: args.loginsPerSecond }),
  }),
  derived: { httpd_setrlimit: "" },
  probes: (args) => [kernelProbe, unitsProbe, nginxProbe(args.nginxConf), selinuxProbe],
  target({ worker_connections, worker_rlimit_nofile, backlog, limit_req }, server) {
    const { nginx, kernel } = server;
    const problems = nginxProblems(nginx);
    if (problems.length > 0) return unreadable(problems);
    const connections = { setting: "worker_connections", context: "events", value: String(worker_connections) };
    const somaxconn = kernel.sysctl["net.core.somaxconn"];
    const queues = backlogPlaces(nginx, backlog, server.record);
    const limit = { setting: "worker_rlimit_nofile", value: String(worker_rlimit_nofile) };
    return {
      places: [
        nginxPlace(nginx, connections),
        nginxPlace(nginx, limit, { value: workersLimit(nginx), limitsFiles: true }),
        ...queues.places,
        ...(limit_req === undefined ? [] : pacePlace(nginx, limit_req)),
        ...booleanPlaces(server.selinux, SETRLIMIT),
      ],
      abandoned: queues.abandoned,
      gone: limit_req === undefined ? [] : paceGone(nginx),
      conflicts: (planned) => (queues.places.length > 0 ? queueConflicts(somaxconn, backlog, planned) : []),
      needs: readingNeeds(nginx),
      left: stoppedNeeds(server.systemd),
      problems: [
        ...servingProblems(nginx),
        ...commandLineProblems(nginx, "worker_rlimit_nofile"),
        ...(limit_req === undefined ? [] : paceProblems(nginx)),
        ...openFilesProblems(kernel, { workerRlimitNofile: worker_rlimit_nofile }, worker_connections),
        ...diskProblems(server, [posix.dirname(nginx.tree.root), "/var/lib", "/var/backups"], "workerConnections"),
      ],
      warnings: [
        ...portWarnings(kernel, worker_connections),
        ...workerWarnings(nginx, kernel.cpus),
        ...queueWarnings(nginx, backlog, somaxconn),
        ...(limit_req === undefined ? [] : paceWarnings(nginx)),
        ...replacedWarnings(nginx),
        ...clockWarnings(nginx.reading),
      ],
    };
  },
};
