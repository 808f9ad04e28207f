/** Whether a server really has the wanted values: its own tools and services are asked, whoever tuned it. */
import type { LabServer } from "../lab/server";
import { asRoot } from "./fleet";
import { WANTED } from "./wanted";

/** Prints NAME=VALUE lines. A worker that is told to go has another title, so that only the new ones are seen. */
const ASK = `
one() { printf '%s=%s\\n' "$1" "$(sort -u | tr '\\n' ' ' | sed 's/ $//')"; }
directive() { nginx -T 2>/dev/null | sed -n "s/^[[:space:]]*$1 \\([^;]*\\);.*/\\1/p" | one "nginx: $1"; }
nofile() { awk '/^Max open files/ { print $4, $5 }' "/proc/$1/limits"; }
nginx -t -q 2>&1 | one 'nginx -t'
directive worker_connections
directive worker_rlimit_nofile
directive client_body_temp_path
for pid in $(pgrep -f '^nginx: worker process$'); do nofile "$pid" | cut -d' ' -f1; done | one 'open files of workers'
stat -c '%a %U' ${WANTED.client_body_temp_path} 2>&1 | one 'folder of uploads'
sysctl -n net.core.somaxconn | one somaxconn
sysctl -n net.ipv4.tcp_max_syn_backlog | one tcp_max_syn_backlog
sed -n 's/^net[^=]*= *//p' /etc/sysctl.d/wapt.conf 2>&1 | one 'sysctl.d'
for user in wapt www-data; do su -s /bin/sh "$user" -c 'ulimit -Hn; ulimit -Sn'; done | one 'open files of sessions'
systemctl show -p LimitNOFILE --value nginx waptserver wapttasks | grep . | one LimitNOFILE
systemctl show -p NeedDaemonReload --value nginx waptserver wapttasks | grep . | one 'units to be read again'
for unit in waptserver wapttasks; do nofile "$(systemctl show -p MainPID --value $unit)"; done | one 'open files of WAPT'
runuser -u postgres -- psql -XAtc 'SHOW max_connections' 2>&1 | one max_connections
runuser -u postgres -- psql -XAtc 'SELECT count(*) FROM pg_settings WHERE pending_restart' 2>&1 | one 'settings that wait for a restart'
stat -c '%a %U:%G' /opt/wapt/conf/waptserver.ini | one waptserver.ini
for unit in waptserver wapttasks; do grep -oE '"db_max_connections": *[0-9]+' "/run/$unit/status.json"; done |
  grep -oE '[0-9]+' | one db_max_connections
grep -oE '"max_clients": *[0-9]+' /run/waptserver/status.json | grep -oE '[0-9]+' | one max_clients
systemctl is-active nginx postgresql@15-main waptserver wapttasks | one services
`;

const { worker_connections, worker_rlimit_nofile, client_body_temp_path, somaxconn, tcp_max_syn_backlog } = WANTED;

const EXPECTED: Readonly<Record<string, string>> = {
  "nginx -t": "",
  "nginx: worker_connections": String(worker_connections),
  "nginx: worker_rlimit_nofile": String(worker_rlimit_nofile),
  "nginx: client_body_temp_path": client_body_temp_path,
  "open files of workers": String(worker_rlimit_nofile),
  "folder of uploads": "700 www-data",
  somaxconn: String(somaxconn),
  tcp_max_syn_backlog: String(tcp_max_syn_backlog),
  "sysctl.d": String(somaxconn),
  "open files of sessions": String(WANTED.nofile),
  LimitNOFILE: String(WANTED.limit_nofile),
  "units to be read again": "no",
  "open files of WAPT": `${WANTED.limit_nofile} ${WANTED.limit_nofile}`,
  max_connections: String(WANTED.max_connections),
  "settings that wait for a restart": "0",
  "waptserver.ini": "640 wapt:wapt",
  db_max_connections: String(WANTED.db_max_connections),
  max_clients: String(WANTED.max_clients),
  services: "active",
};

/** Each value that is not as wanted, as `NAME is VALUE, not WANTED`; empty for a tuned server. */
export async function wrongOn(server: LabServer): Promise<string[]> {
  const said = new Map(
    (await asRoot(server, ASK)).split("\n").map((line): [string, string] => {
      const [name = "", ...value] = line.split("=");
      return [name, value.join("=")];
    }),
  );
  const wrong = Object.entries(EXPECTED).flatMap(([name, wanted]) => {
    const value = said.get(name) ?? "not said";
    return value === wanted ? [] : [`${name} is ${value || "nothing"}${wanted && `, not ${wanted}`}`];
  });
  return [...wrong, ...(await poolProblem(server))];
}

/** Whether WAPT gets its whole pool from PostgreSQL. */
async function poolProblem(server: LabServer): Promise<string[]> {
  const answer = await fetch(`http://${server.host}/pool?hold=1`, { signal: AbortSignal.timeout(30_000) });
  const { ok, status } = answer;
  await answer.arrayBuffer();
  await (await fetch(`http://${server.host}/pool?hold=0`)).arrayBuffer();
  return ok ? [] : [`WAPT can't open its whole pool: status ${status}`];
}
