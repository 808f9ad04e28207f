/** What a lab server's own tools say of its settings: never our parser. */
import assert from "node:assert/strict";
import type { LabServer } from "../lab/server";

export async function say(server: LabServer, command: string): Promise<string> {
  const { code, stdout, stderr } = await server.exec(command);
  assert.equal(code, 0, `${command}: ${stderr}`);
  return stdout.trim();
}

/** A shell command that waits for those of WAPT's services that run: they write this once they hold connections. */
export const WAPT_SERVES = `for i in $(seq 300); do
  for u in waptserver wapttasks; do
    if systemctl -q is-active $u && ! [ -s /run/$u/status.json ]; then sleep 0.1; continue 2; fi
  done
  break
done`;

const READ_INI = `
import configparser, json
parser = configparser.RawConfigParser()
parser.read("/opt/wapt/conf/waptserver.ini", encoding="utf-8")
options = dict(parser.items("options"))
print(json.dumps({key: int(options[key]) for key in ("db_max_connections", "max_clients") if key in options}))
`;

/** The settings in force. */
export async function inForce(server: LabServer) {
  const [nginx, maxConnections, sysctl, workers, units, ini, status] = await Promise.all([
    say(
      server,
      "nginx -T 2>/dev/null | grep -oE '^[[:space:]]*(worker_connections|worker_rlimit_nofile|client_body_temp_path) [^;]*'",
    ),
    say(server, "runuser -u postgres -- psql -XAtc 'SHOW max_connections'"),
    say(server, "sysctl -n net.core.somaxconn net.ipv4.tcp_max_syn_backlog"),
    // A worker that is told to go has another title.
    say(
      server,
      "for p in $(pgrep -f '^nginx: worker process$'); do awk '/^Max open files/ { print $4 }' /proc/$p/limits; done | sort -u",
    ),
    say(server, "systemctl show -p LimitNOFILE --value nginx waptserver wapttasks | grep . | sort -u"),
    server.exec("python3 -", { input: READ_INI }).then(({ stdout }) => JSON.parse(stdout)),
    fetch(`http://${server.host}/status`).then((answer) => answer.json() as Promise<Record<string, unknown>>),
  ]);
  return {
    nginx: nginx.split("\n").map((line) => line.trim()),
    maxConnections: Number(maxConnections),
    sysctl: sysctl.split("\n").map(Number),
    workers,
    limitNofile: units,
    ini,
    waptserver: { db_max_connections: status.db_max_connections, max_clients: status.max_clients },
  };
}

/** When each service was last started or told to reload; nginx's workers are new after a reload. */
export async function lifetimes(server: LabServer): Promise<Record<string, string>> {
  const since = (unit: string) => say(server, `systemctl show -p ExecMainStartTimestampMonotonic --value ${unit}`);
  return {
    postgresql: await since("postgresql@15-main"),
    waptserver: await since("waptserver"),
    wapttasks: await since("wapttasks"),
    nginx: await since("nginx"),
    workers: await say(server, "pgrep -f '^nginx: worker process$' | sort"),
  };
}

/** How many connections of its pool waptserver really got from PostgreSQL; it lets them go again. */
export async function heldPool(server: LabServer): Promise<number> {
  const answer = await fetch(`http://${server.host}/pool?hold=1`);
  const { pool } = (await answer.json()) as { pool: { held: number; error: string | null } };
  assert.equal(pool.error, null);
  await fetch(`http://${server.host}/pool?hold=0`);
  return pool.held;
}

/** Hash, mode and owner of every configuration file. */
export async function files(server: LabServer): Promise<Record<string, string>> {
  const listed = await say(
    server,
    'find /etc /opt/wapt/conf /srv -type f | sort | while read -r f; do echo "$f $(stat -c \'%a %U:%G\' "$f") $(sha256sum <"$f")"; done',
  );
  return Object.fromEntries(listed.split("\n").map((line) => [line.split(" ")[0]!, line]));
}

/** The lines in which a file of the server differs from an earlier text of it. */
export function differingLines(before: string, after: string): string[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `-${line}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+${line}`),
  ];
}
