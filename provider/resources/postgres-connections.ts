/** PostgreSQL's `max_connections`. */
import { posix } from "node:path";
import { commandLineSetting, postgresql } from "../services/postgresql/postgresql-conf";
import { ini } from "../services/wapt/ini";
import type { Problem } from "../sizing";
import type { Cluster, Server } from "../transaction/observation";
import type { Action, Place } from "../transaction/target";
import { defineResource } from "./definition";
import { findCluster, reservedConnections } from "./postgres-server";
import { diskFindings, memoryFindings, reported, taskFindings } from "./preflight";
import { iniTree, waptDatabase, waptRestart } from "./wapt-server";

export const postgresConnections = defineResource({
  type: "PostgresConnections",
  overrides: ["maxConnections"],
  restartsWith: ["WaptServerIni"],
  settings: (sizes) => ({ max_connections: sizes.maxConnections }),
  target(settings, server, args) {
    const found = findCluster(server, args);
    if ("problem" in found) return { places: [], problems: [found.problem] };
    const { cluster } = found;
    const wanted = String(settings.max_connections);
    const preflight = reported("maxConnections", [
      ...memoryFindings(server, Number(wanted)),
      ...taskFindings(cluster, Number(wanted)),
      ...diskFindings(server, [posix.dirname(cluster.configuration)]),
    ]);
    const stopped = server.root === "" && !mayRestart(server, cluster);
    return {
      places: [
        {
          setting: "max_connections",
          id: "max_connections",
          stage: "postgresql",
          format: postgresql,
          tree: {
            root: cluster.configuration,
            files: server.files,
            after: [`${cluster.data}/postgresql.auto.conf`].filter((path) => server.files.has(path)),
          },
          key: "max_connections",
          value: wanted,
          running: cluster.settings?.max_connections,
          effective: "by running value",
          actions: (value) => restart(server, cluster, value),
          check: (value) => ({
            name: "postgresql",
            owner: cluster.owner,
            binary: cluster.binary,
            data: cluster.data,
            configuration: cluster.configuration,
            maxConnections: value,
          }),
        },
      ],
      problems: [...clusterProblems(cluster, wanted), ...preflight.problems],
      warnings: [
        ...(stopped ? [`PostgreSQL (${cluster.unit}) is not running: its file is right, it was not started`] : []),
        ...preflight.warnings,
      ],
      followers: (planned) => smallerPool(server, cluster, planned("max_connections"), args.waptserverIni),
    };
  },
});

/** One that is stopped is not started, unless a run that was cut off or failed left it so. */
function mayRestart(server: Server, cluster: Cluster): boolean {
  return cluster.online || server.pending.includes("postgresql restart");
}

/** WAPT holds connections all the time: it is stopped first, and started on the new server. */
function restart(server: Server, cluster: Cluster, value: string | undefined): Action[] {
  if (server.root !== "" || !mayRestart(server, cluster)) return [];
  const { unit, owner, port, data } = cluster;
  return [{ name: "postgresql restart", unit, owner, port, data, maxConnections: value }, ...waptRestart(server)];
}

function clusterProblems(cluster: Cluster, wanted: string): Problem[] {
  const overridden = commandLineSetting(cluster.command, "max_connections");
  if (overridden !== undefined && overridden !== wanted) {
    const reason = `PostgreSQL was started with max_connections ${overridden} on its command line, which wins over every file: remove it there (Debian: pg_ctl.conf)`;
    return [{ property: "maxConnections", reason }];
  }
  if (cluster.error === undefined) return [];
  const reason = `PostgreSQL runs but does not answer ${cluster.owner} on its socket: ${cluster.error.trim().slice(0, 300)}`;
  return [{ property: "postgresqlConf", reason }];
}

/** The pool never exceeds PostgreSQL: it follows a lower max_connections in the same transaction. */
function smallerPool(server: Server, cluster: Cluster, wanted: string | undefined, given?: string): Place[] {
  const database = waptDatabase(server, given);
  if (!database || wanted === undefined || database.pool <= Number(wanted) - reservedConnections(cluster)) return [];
  return [
    {
      setting: "db_max_connections",
      id: "db_max_connections",
      stage: "wapt",
      format: ini,
      tree: iniTree(server, given),
      key: "options.db_max_connections",
      value: String(Math.max(1, Number(wanted) - 10)),
      effective: "by file",
      actions: () => waptRestart(server),
    },
  ];
}
