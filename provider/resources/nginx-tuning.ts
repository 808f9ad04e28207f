/** `worker_connections` and `worker_rlimit_nofile` in nginx's configuration. */
import { posix } from "node:path";
import { nginx } from "../services/nginx/nginx-conf";
import type { Place } from "../transaction/target";
import { ceilingProblems } from "./ceiling";
import { defineResource } from "./definition";
import { nginxCheck, nginxProblems, nginxReload, nginxTree } from "./nginx-server";
import { diskFindings, fileFindings, portFindings, reported, workerFindings } from "./preflight";

export const nginxTuning = defineResource({
  type: "NginxTuning",
  overrides: ["workerConnections", "workerRlimitNofile"],
  settings: (sizes) => ({
    worker_connections: sizes.workerConnections,
    worker_rlimit_nofile: sizes.workerRlimitNofile,
  }),
  target(settings, server) {
    const place = (setting: string, key: string, rest: Pick<Place, "effective" | "running" | "actions">): Place => ({
      setting,
      id: setting,
      stage: "nginx",
      format: nginx,
      tree: nginxTree(server),
      key,
      value: String(settings[setting]),
      check: () => nginxCheck(server),
      ...rest,
    });
    const [connections, limit] = [Number(settings.worker_connections), Number(settings.worker_rlimit_nofile)];
    const problems = nginxProblems(server);
    if (problems.length > 0) return { places: [], problems };
    const preflight = reported("workerConnections", [
      ...diskFindings(server, [posix.dirname(server.nginx.configuration), "/var/lib", "/var/backups"]),
      ...fileFindings(server, limit),
      ...portFindings(server, connections),
      ...workerFindings(server),
    ]);
    return {
      places: [
        place("worker_connections", "events.worker_connections", {
          effective: "by file",
          actions: () => nginxReload(server),
        }),
        place("worker_rlimit_nofile", "worker_rlimit_nofile", {
          effective: "by either",
          running: workersLimit(server.nginx.workers),
          actions: (value) => nginxReload(server, value),
        }),
      ],
      problems: [...ceilingProblems(server, { workerRlimitNofile: limit }, connections), ...preflight.problems],
      warnings: preflight.warnings,
    };
  },
});

/** The least of the workers' limits: one that kept an old limit is a difference. */
function workersLimit(workers: readonly { soft: number }[]): string | undefined {
  return workers.length === 0 ? undefined : String(Math.min(...workers.map((worker) => worker.soft)));
}
