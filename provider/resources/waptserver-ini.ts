/** `db_max_connections` and `max_clients` in waptserver.ini. */
import type { Server } from "../services";
import { kernelProbe } from "../services/kernel/kernel";
import { postgresqlProbe } from "../services/postgresql/postgresql";
import { stoppedNeeds } from "../services/systemd/units";
import {
  folderOf,
  iniProblems,
  instanceProblems,
  listenerProblems,
  poolWarnings,
  waptProbe,
} from "../services/wapt/wapt";
import { harmless } from "../text/harmless";
import { diskProblems } from "../transaction/observation";
import { fileValue, gone, type Need, unreadable } from "../transaction/target";
import { memoryProblems } from "./capacity";
import { count, type Definition, pool, type SizedArguments } from "./definition";
import { downConflicts, heldBack, keptPool, keyOfIni, poolConflicts, poolOfEach, poolPlace } from "./pool";
import type { PostgresConnectionsArguments } from "./postgres-connections";
import { isStale, readers, restartOfWapt, unitsProbe, waptUnits } from "./units";

/** waptserver's connections. */
export interface WaptServerIniArguments
  extends SizedArguments,
    Pick<PostgresConnectionsArguments, "maxConnections" | "pool"> {
  /**
   * `db_max_connections`, the pool of each process of waptserver, in connections. Default: max_connections − 10, divided
   * by the number of processes where uwsgi runs several.
   */
  dbMaxConnections?: number;
  /** `max_clients`, in websockets that are held at the same time. Default: 1.2 × clients, at least 4096. */
  maxClients?: number;
}

/** Settings of waptserver. */
export type WaptServerIniSettings = {
  /** Connections to PostgreSQL that a process of waptserver may hold: its pool. */
  readonly db_max_connections: number;
  /** Websockets that waptserver holds at the same time. */
  readonly max_clients: number;
};

export const waptServerIni: Definition<WaptServerIniArguments, WaptServerIniSettings> = {
  type: "WaptServerIni",
  isSized: true,
  schemas: { maxConnections: count, pool, dbMaxConnections: count, maxClients: count },
  settings: (_args, sizes) => ({ db_max_connections: sizes().dbMaxConnections, max_clients: sizes().maxClients }),
  derived: { db_max_connections: "dbMaxConnections" },
  probes: (args) => [kernelProbe, unitsProbe, waptProbe(args.waptserverIni), postgresqlProbe],
  target({ db_max_connections: all, max_clients }, server, args) {
    const several = instanceProblems(server.wapt, args.waptserverIni);
    if (several.length > 0) return unreadable(several);
    const problems = iniProblems(server.wapt);
    if (server.unread.some(({ path }) => path === server.wapt.tree.root)) return unreadable(problems);
    if (problems.length > 0) return gone(["db_max_connections", "max_clients"], problems);
    const db_max_connections = args.dbMaxConnections ?? poolOfEach(server, all);
    const places = [
      poolPlace(server, db_max_connections, args.postgresqlConf),
      keyOfIni(server, "max_clients", max_clients),
    ];
    const isChanged = places.some((place) => fileValue(place) !== place.value);
    return {
      reads: ["postgresql"],
      places,
      needs: oldPools(server),
      left: stoppedNeeds(server.systemd),
      problems: [
        ...memoryProblems(server, db_max_connections, args),
        ...listenerProblems(server.wapt, waptUnits(server), server.systemd("waptserver").active),
        ...diskProblems(server, [folderOf(server.wapt)], "waptserverIni"),
      ],
      conflicts: (planned) => [
        ...poolConflicts(server, db_max_connections, planned, args.postgresqlConf),
        ...(isChanged ? downConflicts(server, args.postgresqlConf) : []),
      ],
      heldBack: (planned) => heldBack(server, planned, args.postgresqlConf),
      keeps: (planned) => keptPool(server, planned, args.postgresqlConf),
      warnings: [
        ...databaseWarnings(server, db_max_connections),
        ...(args.dbMaxConnections === undefined ? poolWarnings(server.wapt) : []),
      ],
    };
  },
};

/** What else is to be said of a pool whose PostgreSQL is not this server's. */
function databaseWarnings({ wapt: { database } }: Server, pool: number): string[] {
  if (!database || database.isHere) return [];
  return [
    `waptserver.ini's db_host is ${harmless(database.host, 100)}, another machine: whether its PostgreSQL gives a pool of ${pool} ` +
      `is not known here. Tune it with a PostgresConnections of that host, of ${pool + 10} or more`,
  ];
}

/** A unit that was started before waptserver.ini was last changed has what it read then. */
function oldPools(server: Server): Need[] {
  const stale = readers(server).filter((unit) => isStale(server, unit));
  return stale.map((unit) => ({
    what: `${unit} was started before ${server.wapt.tree.root} was last changed`,
    steps: restartOfWapt(server),
  }));
}
