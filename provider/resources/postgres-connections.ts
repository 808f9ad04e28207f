/** PostgreSQL's `max_connections`. */
import type { Server } from "../services";
import { kernelProbe } from "../services/kernel/kernel";
import {
  type Cluster,
  clusterProblems,
  configurationCheck,
  configurationTree,
  findCluster,
  folderOf,
  postgresqlProbe,
  restartStep,
  slotProblems,
  taskProblems,
} from "../services/postgresql/postgresql";
import { postgresqlConf } from "../services/postgresql/postgresql-conf";
import { restartProblems, restartWarnings, waitingWarnings } from "../services/postgresql/restart";
import { stoppedNeeds } from "../services/systemd/units";
import { instanceProblems, waptProbe } from "../services/wapt/wapt";
import type { Pool } from "../sizing";
import { diskProblems } from "../transaction/observation";
import type { Step } from "../transaction/service";
import { type Conflict, gone, type Place, unreadable } from "../transaction/target";
import { count, type Definition, pool, type SizedArguments } from "./definition";
import { DEFAULT_LIMIT, heldBack, holdsPool, keptPool, poolPlace, smallerPool } from "./pool";
import { restartOfWapt, unitsProbe } from "./units";

/** PostgreSQL's connections. */
export interface PostgresConnectionsArguments extends SizedArguments {
  /** `max_connections`, in connections of all roles. It bounds the pool. Default: clients ÷ 4, at least 100. */
  maxConnections?: number;
  /**
   * Where the size of `max_connections`, and so of the pool, comes from. `guide` is a quarter of the clients. `measured`
   * is 100, and so a pool of 90: on a real WAPT 1.8.2 with 1,000 agents, 95 % were back after 44 and 45 s, with a pool of
   * 615 after 62 s, and PostgreSQL took 0.32 GB instead of 2.05. With a stand-in of waptserver storms of 1,000 were as
   * long, and one of 2,500 was a fifth longer. `maxConnections` and `dbMaxConnections` win over it. docs/sizes.md has the
   * figures. Default: `guide`.
   */
  pool?: Pool;
}

/** Settings of PostgreSQL. */
export type PostgresConnectionsSettings = {
  /** Connections of all roles together, those reserved for superusers included. */
  readonly max_connections: number;
};

export const postgresConnections: Definition<PostgresConnectionsArguments, PostgresConnectionsSettings> = {
  type: "PostgresConnections",
  isSized: true,
  schemas: { maxConnections: count, pool },
  settings: (_args, sizes) => ({ max_connections: sizes().maxConnections }),
  probes: (args) => [kernelProbe, unitsProbe, waptProbe(args.waptserverIni), postgresqlProbe],
  target({ max_connections }, server, args) {
    const several = instanceProblems(server.wapt, args.waptserverIni);
    if (several.length > 0) return unreadable(several);
    const found = findCluster(server.postgresql, server.files, server.wapt.database, args.postgresqlConf);
    if ("problem" in found) {
      const isThere = server.postgresql.length > 0 || server.unread.some(({ service }) => service === "postgresql");
      return isThere ? unreadable([found.problem]) : gone(["max_connections"], [found.problem]);
    }
    const { cluster } = found;
    const { database } = server.wapt;
    const isStopped = server.root === "" && !mayRestart(server, cluster);
    return {
      reads: ["wapt"],
      places: [maxConnectionsPlace(server, cluster, String(max_connections))],
      left: stoppedNeeds(server.systemd),
      problems: [
        ...clusterProblems(cluster, String(max_connections)),
        ...slotProblems(server.root === "" ? server.kernel.memoryKilobytes : 0, max_connections),
        ...taskProblems(cluster, max_connections),
        ...diskProblems(server, [folderOf(cluster)], "maxConnections"),
      ],
      warnings: [
        ...(isStopped ? [`PostgreSQL (${cluster.unit}) is not running: its file is right, it was not started`] : []),
        ...waitingWarnings(cluster),
        ...(cluster.settings?.max_connections === String(max_connections) ? [] : restartWarnings(cluster)),
      ],
      conflicts: (planned) => restartConflicts(server, cluster, planned("max_connections")),
      followers: (planned) => smallerPool(server, cluster, planned("max_connections"), args.postgresqlConf),
      guests: database ? [poolPlace(server, database.pool, args.postgresqlConf)] : [],
      holds: (id, before) => holdsPool(server, cluster, max_connections, id, before),
      heldBack: (planned) => heldBack(server, planned, args.postgresqlConf),
      keeps: (planned) => keptPool(server, planned, args.postgresqlConf),
    };
  },
};

function maxConnectionsPlace(server: Server, cluster: Cluster, value: string): Place {
  return {
    setting: "max_connections",
    id: "max_connections",
    stage: "postgresql",
    format: postgresqlConf,
    tree: configurationTree(cluster, server.files),
    key: "max_connections",
    value,
    running: cluster.settings?.max_connections,
    default: String(DEFAULT_LIMIT),
    effective: "by running value",
    steps: (text) => restart(server, cluster, text),
    checks: (text) => [configurationCheck(cluster, text)],
  };
}

/** One that is stopped is not started, unless a run that was cut off or failed left it so. */
function mayRestart(server: Server, cluster: Cluster): boolean {
  return cluster.online || server.systemd.left.includes(cluster.unit);
}

/** What forbids the restart that a value needs, if it needs one. */
function restartConflicts(server: Server, cluster: Cluster, planned: string | undefined): Conflict[] {
  const isDue = cluster.settings?.max_connections !== planned;
  if (server.root !== "" || !cluster.process || planned === undefined || !isDue) return [];
  return restartProblems(cluster).map((problem) => ({ ...problem, beside: "max_connections", needsRestart: true }));
}

/** WAPT holds connections all the time: it is stopped first, and started on the new server. */
function restart(server: Server, cluster: Cluster, value: string | undefined): Step[] {
  if (server.root !== "" || !mayRestart(server, cluster)) return [];
  return [restartStep(cluster, value), ...restartOfWapt(server)];
}
