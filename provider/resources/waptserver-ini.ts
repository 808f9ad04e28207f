/** `db_max_connections` and `max_clients` in waptserver.ini. */
import { posix } from "node:path";
import { ini } from "../services/wapt/ini";
import { SUPERUSER_RESERVED } from "../sizing";
import type { Place } from "../transaction/target";
import { defineResource } from "./definition";
import { findCluster, reservedConnections } from "./postgres-server";
import { diskFindings, reported } from "./preflight";
import { iniTree, isLocal, waptDatabase, waptRestart } from "./wapt-server";

export const waptServerIni = defineResource({
  type: "WaptServerIni",
  overrides: ["maxConnections", "dbMaxConnections", "maxClients"],
  restartsWith: ["PostgresConnections"],
  settings: (sizes) => ({ db_max_connections: sizes.dbMaxConnections, max_clients: sizes.maxClients }),
  target(settings, server, args) {
    const tree = iniTree(server, args.waptserverIni);
    if (!tree.files.has(tree.root)) {
      const reason = `there is no ${tree.root} on the server: give waptserverIni where WAPT's configuration lies elsewhere`;
      return { places: [], problems: [{ property: "waptserverIni", reason }] };
    }
    const place = (setting: string): Place => ({
      setting,
      id: setting,
      stage: "wapt",
      format: ini,
      tree,
      key: `options.${setting}`,
      value: String(settings[setting]),
      effective: "by file",
      actions: () => waptRestart(server),
    });
    const pool = Number(settings.db_max_connections);
    const { problems } = reported("waptserverIni", diskFindings(server, [posix.dirname(tree.root)]));
    return {
      problems,
      places: [place("db_max_connections"), place("max_clients")],
      conflicts(planned) {
        const database = waptDatabase(server, args.waptserverIni);
        if (!database || !isLocal(database.host)) return [];
        const found = findCluster(server, args);
        const live = "cluster" in found ? found.cluster.settings?.max_connections : undefined;
        const most = Number(planned("max_connections") ?? live ?? Number.POSITIVE_INFINITY);
        const reserved = "cluster" in found ? reservedConnections(found.cluster) : SUPERUSER_RESERVED;
        if (pool <= most - reserved) return [];
        const reason =
          `a pool of ${pool} is above what PostgreSQL gives it: max_connections ${most} less ${reserved} reserved. ` +
          `Raise max_connections first (PostgresConnections), or use WaptServer, which does both together where Pulumi may ` +
          `send both at a time: repeat it with --parallel 5 for each server`;
        return [{ property: "dbMaxConnections", reason }];
      },
    };
  },
});
