/** What a server of the proof has: the distribution's files, what WAPT's postconf leaves, or what one `up` makes of that. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sizing } from "../../provider/sizing";
import type { LabServer } from "../lab/server";
import { say } from "../support/asking";
import { converge, MANY, withoutSsh } from "../support/whole-server";
import { PACKAGE } from "./agent";

export const BASES = ["distribution", "postconf", "up"] as const;
export type Base = (typeof BASES)[number];

const NGINX = "/etc/nginx/nginx.conf";
const SITE = "/etc/nginx/sites-available/wapt.conf";
const INI = "/opt/wapt/conf/waptserver.ini";
const POSTGRESQL = "/etc/postgresql/15/main/postgresql.conf";
const PROGRAM = "/opt/wapt/waptserver/waptserver.py";
/** A container's limit of open files can't be raised above its machine's. */
const CEILING = 20_000;

/** Lays the proof's waptserver, with a share of the work of a login, and a package to download into a server. */
export async function layProof(server: LabServer, work: number): Promise<void> {
  const input = readFileSync(join(__dirname, "waptserver.py"), "utf8").replace("WORK = 1.0", `WORK = ${work}`);
  const laid = await server.exec(
    `cp ${PROGRAM} ${PROGRAM.replace("waptserver.py", "lab.py")}; cat >${PROGRAM}
     head -c 100000 /dev/urandom >/var/www${PACKAGE}
     for unit in postgresql@15-main; do mkdir -p /etc/systemd/system/$unit.service.d
     printf '[Service]\\nTasksMax=8192\\n' >/etc/systemd/system/$unit.service.d/tasks.conf; done; systemctl daemon-reload
     systemctl restart waptserver`,
    { input },
  );
  if (laid.code !== 0) throw new Error(`the proof's waptserver was not laid: ${laid.stderr}`);
}

/** What WAPT's postconf writes. PostgreSQL is not restarted for it, as by postconf. */
async function postconf(server: LabServer): Promise<void> {
  await say(
    server,
    `sed -i 's/worker_connections 768;/worker_connections 4096;/; s/^pid /worker_rlimit_nofile 32768;\\npid /' ${NGINX}
     sed -i 's/^max_connections = 100/max_connections = 1000/' ${POSTGRESQL}; nginx -t 2>&1 && systemctl reload nginx`,
  );
}

/** What `up` may ask for on a server: in a container not more open files than its machine gives. */
export function tuningFor(clients: number, isContainer: boolean, more: Readonly<Record<string, number | string>> = {}) {
  const { workerConnections } = sizing(clients);
  const bounded = {
    workerConnections: Math.min(workerConnections, CEILING / 2),
    workerRlimitNofile: CEILING,
    limitNofile: CEILING,
    nofile: CEILING,
  };
  return { clients, path: MANY.path, ...(isContainer && bounded), ...more };
}

/** Brings a new server to a base. */
export async function bring(server: LabServer, base: Base, tuning: ReturnType<typeof tuningFor>): Promise<void> {
  if (base !== "distribution") await postconf(server);
  if (base === "up") await converge(withoutSsh(server), tuning);
  await settled(server);
}

/** Until waptserver listens. */
export async function settled(server: LabServer): Promise<void> {
  await say(server, "for i in $(seq 300); do ss -ltnH sport = :8080 | grep -q . && exit; sleep 0.1; done; exit 1");
}

/** A setting of ours, and how a tuned server gets it back as it was before: a line of sh. */
export interface Setting {
  readonly name: string;
  readonly leave: string;
}

const reload = "nginx -t 2>&1 && systemctl reload nginx && sleep 1";
const restartWapt = "systemctl restart waptserver";
const ini = (key: string, value: string) => `sed -i 's/^${key} *=.*/${key} = ${value}/' ${INI}; ${restartWapt}`;
const sysctl = (key: string, value: string) => `sysctl -qw ${key}=${value}; systemctl restart nginx`;
const withoutLimit = (unit: string) =>
  `rm -f /etc/systemd/system/${unit}.service.d/*.conf; sed -i '/^LimitNOFILE/d' /etc/systemd/system/${unit}.service 2>/dev/null; ` +
  `systemctl daemon-reload; systemctl restart ${unit}`;

export const SETTINGS: readonly Setting[] = [
  {
    name: "worker_connections 768",
    leave: `sed -i 's/worker_connections [0-9]*/worker_connections 768/' ${NGINX}; ${reload}`,
  },
  { name: "worker_rlimit_nofile not set", leave: `sed -i '/^worker_rlimit_nofile/d' ${NGINX}; ${reload}` },
  { name: "LimitNOFILE of nginx not set", leave: withoutLimit("nginx") },
  {
    name: "both of nginx's limits not set",
    leave: `sed -i '/^worker_rlimit_nofile/d' ${NGINX}; ${withoutLimit("nginx")}`,
  },
  { name: "backlog 511", leave: `sed -i 's/ backlog=[0-9]*//' ${SITE}; ${reload}` },
  { name: "somaxconn 4096, as of Linux 5.4", leave: sysctl("net.core.somaxconn", "4096") },
  { name: "somaxconn 128, as before Linux 5.4", leave: sysctl("net.core.somaxconn", "128") },
  { name: "tcp_max_syn_backlog 128", leave: sysctl("net.ipv4.tcp_max_syn_backlog", "128") },
  { name: "LimitNOFILE of waptserver not set", leave: withoutLimit("waptserver") },
  {
    name: "max_connections 100",
    leave: `sed -i 's/^max_connections = [0-9]*/max_connections = 100/' ${POSTGRESQL}; systemctl stop waptserver wapttasks; systemctl restart postgresql@15-main; systemctl start waptserver wapttasks`,
  },
  { name: "db_max_connections 90", leave: ini("db_max_connections", "90") },
  { name: "max_clients 4096", leave: ini("max_clients", "4096") },
  {
    name: "nofile of limits.conf not set",
    leave: "sed -i '/nofile/d' /etc/security/limits.conf /etc/security/limits.d/*; systemctl restart waptserver",
  },
];
