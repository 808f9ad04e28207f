/** What a server says of itself: drops at each listener, and what nginx and PostgreSQL take. */
import type { LabServer } from "../lab/server";
import { say } from "../support/asking";

export interface Sample {
  /** By port: connections that found its queue full since it listens. */
  readonly drops: Readonly<Record<string, number>>;
  /** Of the whole server, since it was booted. */
  readonly listenDrops: number;
  readonly synCookies: number;
  readonly nginxMegabytes: number;
  readonly postgresqlMegabytes: number;
  readonly backends: number;
  /** Files that a session of the user wapt may open (PAM): what `nofile` of limits.conf is for. */
  readonly sessionFiles: number;
  /** Of the seconds since its start, those of a processor that waptserver took: well below 1 in a storm, it waited for something. */
  readonly waptserverShare: number;
  /** What waptserver refused for want of PostgreSQL, since it runs. */
  readonly poolRefused: number;
}

/** A process's share of what it holds (Pss), in kB; without that its own part. */
const MEMORY = `memory() {
  for pid in $(pgrep -x "$1"); do
    awk '/^Pss:/ { kb = $2 } END { print kb + 0 }' /proc/$pid/smaps_rollup 2>/dev/null || awk '/^RssAnon/ { print $2 }' /proc/$pid/status
  done | awk -v name="$1" '{ sum += $1 } END { print name, sum + 0 }'
}`;

const LOOK = `${MEMORY}
memory nginx; memory postgres
echo backends $(pgrep -fc '^postgres: 15/main: wapt ')
echo session $(su -s /bin/sh wapt -c 'ulimit -n')
echo share $(ps -o cputimes=,etimes= -p $(systemctl show -p MainPID --value waptserver))
ss -ltnmH | awk '/^LISTEN/ { port = $4; sub(/.*:/, "", port) } match($0, /,d[0-9]+\\)/) { drops[port] += substr($0, RSTART + 2, RLENGTH - 3) } END { for (port in drops) print "port", port, drops[port] }'
awk '/^TcpExt:/ { if (!n++) split($0, name); else for (i = 2; i <= NF; i++) if (name[i] ~ /^(ListenDrops|SyncookiesSent)$/) print name[i], $i }' /proc/net/netstat
curl() { python3 -c 'import json, urllib.request as u; print(json.dumps(json.load(u.urlopen("http://127.0.0.1:8080/status", timeout=60))))'; }
echo refused $(curl 2>/dev/null | sed -n 's/.*"refused": {"pool": \\([0-9]*\\), "postgresql": \\([0-9]*\\)}.*/\\1 \\2/p')`;

export async function sample(server: LabServer): Promise<Sample> {
  const lines = (await say(server, LOOK)).split("\n").map((line) => line.split(" "));
  const one = (name: string) => Number(lines.find(([key]) => key === name)?.[1] ?? 0);
  const ports = lines.filter(([key]) => key === "port").map(([, port = "", drops]) => [port, Number(drops)] as const);
  const [, cpu, elapsed] = lines.find(([key]) => key === "share") ?? [];
  const [, pool, postgresql] = lines.find(([key]) => key === "refused") ?? [];
  return {
    drops: Object.fromEntries(ports),
    listenDrops: one("ListenDrops"),
    synCookies: one("SyncookiesSent"),
    nginxMegabytes: Math.round(one("nginx") / 1024),
    postgresqlMegabytes: Math.round(one("postgres") / 1024),
    backends: one("backends"),
    sessionFiles: one("session"),
    waptserverShare: Number(cpu ?? 0) / Math.max(1, Number(elapsed ?? 1)),
    poolRefused: Number(pool ?? 0) + Number(postgresql ?? 0),
  };
}
