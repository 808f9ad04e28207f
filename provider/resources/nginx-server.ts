/** What several resources need to know of a server's nginx. */

import { directives } from "../services/nginx/nginx-conf";
import type { Problem } from "../sizing";
import type { Tree } from "../text/format";
import type { Server } from "../transaction/observation";
import type { Action, Check } from "../transaction/target";

export function nginxTree(server: Server): Tree {
  return { root: server.nginx.configuration, files: server.files };
}

/** The user of nginx's workers: of its `user` directive, else the one it was compiled with. */
export function nginxUser(server: Server, given?: string): string {
  if (given) return given;
  const tree = nginxTree(server);
  const [configured] = tree.files.has(tree.root)
    ? directives(tree, "user").filter((one) => one.context.length === 0)
    : [];
  const compiled = /--user=(\S+)/.exec(server.nginx.version)?.[1];
  return configured?.value.split(" ")[0] ?? compiled ?? "www-data";
}

/** What forbids any change of nginx's configuration. */
export function nginxProblems(server: Server): Problem[] {
  const { installed, configuration, test } = server.nginx;
  if (!installed || !server.files.has(configuration)) {
    const reason = `nginx is not installed, or its configuration ${configuration || "nginx.conf"} can't be read: give nginxConf where it lies elsewhere`;
    return [{ property: "nginxConf", reason }];
  }
  if (test === "ok") return [];
  const reason = `nginx refuses its configuration as it stands, before any change: ${oneLine(test)}. Repair it first; nothing was touched`;
  return [{ property: "nginxConf", reason }];
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ").slice(0, 600);

/** The reload after a change, none where there is no nginx to be asked. */
export function nginxReload(server: Server, workerNofile?: string): Action[] {
  if (server.root !== "") return [];
  return [{ name: "nginx reload", configuration: server.nginx.configuration, workerNofile }];
}

export function nginxCheck(server: Server): Check {
  return { name: "nginx", configuration: server.nginx.configuration };
}
