/** `db_max_connections` and `max_clients` in waptserver.ini. */
import type { Server } from "../services";
import { findCluster, isLocal, postgresqlProbe, reservedConnections } from "../services/postgresql/postgresql";
import { stoppedNeeds } from "../services/systemd/units";
import { folderOf, iniPlace, iniProblems, waptProbe } from "../services/wapt/wapt";
import { diskProblems } from "../transaction/observation";
import { type Conflict, type Planned, unreadable } from "../transaction/target";
import { count, type Definition, type SizedArguments } from "./definition";
import type { PostgresConnectionsArguments } from "./postgres-connections";
import { restartOfWapt, unitsProbe } from "./units";

/** waptserver's connections. */
export interface WaptServerIniArguments extends SizedArguments, Pick<PostgresConnectionsArguments, "maxConnections"> {
  /** `db_max_connections`, the pool, in connections. Default: max_connections − 10. */
  dbMaxConnections?: number;
  /** `max_clients`, in websockets that are held at the same time. Default: 1.2 × clients, at least 4096. */
  maxClients?: number;
}

/** Settings of waptserver. */
export type WaptServerIniSettings = {
  /** Connections to PostgreSQL that waptserver may hold: its pool. */
  readonly db_max_connections: number;
  /** Websockets that waptserver holds at the same time. */
  readonly max_clients: number;
};

export const waptServerIni: Definition<WaptServerIniArguments, WaptServerIniSettings> = {
  type: "WaptServerIni",
  isSized: true,
  schemas: { maxConnections: count, dbMaxConnections: count, maxClients: count },
  settings: (_args, sizes) => ({ db_max_connections: sizes().dbMaxConnections, max_clients: sizes().maxClients }),
  probes: (args) => [unitsProbe, waptProbe(args.waptserverIni), postgresqlProbe],
  target({ db_max_connections, max_clients }, server, args) {
    const problems = iniProblems(server.wapt);
    if (problems.length > 0) return unreadable(problems);
    const restart = restartOfWapt(server);
    return {
      reads: ["postgresql"],
      places: [
        iniPlace(server.wapt, "db_max_connections", db_max_connections, restart),
        iniPlace(server.wapt, "max_clients", max_clients, restart),
      ],
      left: stoppedNeeds(server),
      problems: diskProblems(server, [folderOf(server.wapt)], "waptserverIni"),
      conflicts: (planned) => poolConflicts(server, db_max_connections, planned, args.postgresqlConf),
    };
  },
};

/** The pool never exceeds what PostgreSQL gives it, in this transaction or as it runs. */
function poolConflicts(server: Server, pool: number, planned: Planned, given: string | undefined): Conflict[] {
  const { database } = server.wapt;
  if (!database || !isLocal(database.host)) return [];
  const found = findCluster(server.postgresql, server.files, database, given);
  const cluster = "cluster" in found ? found.cluster : {};
  const running = "cluster" in found ? found.cluster.settings?.max_connections : undefined;
  const most = Number(planned("max_connections") ?? running ?? Number.POSITIVE_INFINITY);
  const reserved = reservedConnections(cluster);
  if (pool <= most - reserved) return [];
  const reason =
    `a pool of ${pool} is above what PostgreSQL gives it: max_connections ${most} less ${reserved} reserved. ` +
    "Raise max_connections first: add dependsOn: [the PostgresConnections of this server] to this resource, " +
    "or use WaptServer, which changes both in one transaction";
  return [{ property: "dbMaxConnections", reason, beside: "max_connections" }];
}
