/** Finds the PostgreSQL cluster that WAPT uses. */

import { postgresql } from "../services/postgresql/postgresql-conf";
import { type Problem, SUPERUSER_RESERVED } from "../sizing";
import type { Cluster, Server } from "../transaction/observation";
import { isLocal, waptDatabase } from "./wapt-server";

interface Given {
  readonly postgresqlConf?: string;
  readonly waptserverIni?: string;
}

/** The cluster by the path given, else by waptserver.ini's db_port, else the only one; or why there is none. */
export function findCluster(server: Server, given: Given): { cluster: Cluster } | { problem: Problem } {
  const database = waptDatabase(server, given.waptserverIni);
  if (database && !isLocal(database.host) && !given.postgresqlConf) {
    return refused(
      `waptserver.ini's db_host is ${database.host}, another machine: tune PostgreSQL there with a PostgresConnections of that host, ` +
        `and leave it out here`,
    );
  }
  if (given.postgresqlConf) {
    const cluster = server.clusters.find((one) => one.configuration === given.postgresqlConf);
    return cluster ? { cluster } : refused(`no cluster uses ${given.postgresqlConf}; there are: ${list(server)}`);
  }
  const matching = server.clusters.filter((one) => !database || portOf(server, one) === database.port);
  if (matching.length === 1) return { cluster: matching[0]! };
  const what = database ? `with waptserver.ini's db_port ${database.port}` : "";
  return refused(`${matching.length} clusters ${what} were found; there are: ${list(server)}. Give postgresqlConf`);
}

const refused = (reason: string): { problem: Problem } => ({ problem: { property: "postgresqlConf", reason } });

const list = (server: Server): string => server.clusters.map((one) => one.configuration).join(", ") || "none";

// Where no cluster is registered with its port (RHEL, or below a root), its own file tells.
function portOf(server: Server, cluster: Cluster): string {
  if (cluster.port !== "-") return cluster.port;
  const tree = { root: cluster.configuration, files: server.files };
  return tree.files.has(tree.root) ? (postgresql.read(tree, ["port"]).port?.value ?? "5432") : "5432";
}

/** The connections that a cluster keeps from WAPT's role; PostgreSQL 16 has a second kind. */
export function reservedConnections(cluster: Cluster): number {
  const settings = cluster.settings ?? {};
  return (
    Number(settings.superuser_reserved_connections ?? SUPERUSER_RESERVED) + Number(settings.reserved_connections ?? 0)
  );
}
