/** What several resources need to know of a server's WAPT. */

import { ini } from "../services/wapt/ini";
import type { Tree } from "../text/format";
import type { Server } from "../transaction/observation";
import type { Action } from "../transaction/target";
import { WAPTSERVER_INI } from "./definition";

/** WAPT's own defaults, from its code. */
const DEFAULT_POOL = 90;
const DEFAULT_PORT = "5432";

export function iniTree(server: Server, given?: string): Tree {
  return { root: given ?? WAPTSERVER_INI, files: server.files };
}

/** What waptserver.ini says of its database; undefined where there is no such file. */
export function waptDatabase(server: Server, given?: string): { host: string; port: string; pool: number } | undefined {
  const tree = iniTree(server, given);
  if (!tree.files.has(tree.root)) return undefined;
  const found = ini.read(tree, ["options.db_host", "options.db_port", "options.db_max_connections"]);
  return {
    host: found["options.db_host"]?.value ?? "",
    port: found["options.db_port"]?.value ?? DEFAULT_PORT,
    pool: Number(found["options.db_max_connections"]?.value ?? DEFAULT_POOL),
  };
}

/** Whether a db_host is this server itself: empty and a path mean its Unix socket. */
export const isLocal = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1|\/.*)?$/i.test(host);

/** The restart of what is installed of WAPT, wapttasks first since it works for the other. */
export function waptRestart(server: Server): Action[] {
  const units = (["wapttasks", "waptserver"] as const).filter((unit) => server.units[unit].installed);
  return server.root !== "" || units.length === 0 ? [] : [{ name: "wapt restart", units }];
}
