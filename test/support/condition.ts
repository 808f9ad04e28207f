/** The condition of a lab server after something went wrong, by its own tools. */
import assert from "node:assert/strict";
import type { LabServer } from "../lab/server";

/** Every file that the tuning of a whole server touches. */
const FILES = [
  "/etc/nginx/nginx.conf",
  "/etc/postgresql/15/main/postgresql.conf",
  "/etc/security/limits.conf",
  "/etc/sysctl.d/wapt.conf",
  "/etc/systemd/system/nginx.service.d/zz-pulumi-wapt.conf",
  "/etc/systemd/system/waptserver.service.d/zz-pulumi-wapt.conf",
  "/etc/systemd/system/wapttasks.service.d/zz-pulumi-wapt.conf",
  "/opt/wapt/conf/waptserver.ini",
] as const;

const UNITS = ["nginx", "waptserver", "wapttasks"] as const;

const LOOK = `
for f in ${FILES.join(" ")}; do
  if [ -e "$f" ]; then echo "file $f $(sha256sum <"$f" | cut -c1-64) $(stat -c '%a %U:%G' "$f")"; else echo "file $f none"; fi
done
find /etc /opt /srv /var/lib/pulumi-wapt /var/backups -xdev -name '.pulumi-wapt*' | sed 's/^/temporary /'
for u in ${UNITS.join(" ")}; do echo "unit $u $(systemctl is-active $u)"; done
echo "running LimitNOFILE $(systemctl show -p LimitNOFILE --value ${UNITS.join(" ")} | tr -s '\\n' ' ')"
for k in net.core.somaxconn net.ipv4.tcp_max_syn_backlog; do echo "running $k $(sysctl -n $k)"; done
echo "running workers $(for p in $(pgrep -f '^nginx: worker process$'); do awk '/^Max open/ { print $4 }' /proc/$p/limits; done | sort -u)"
echo "sql $(timeout 30 runuser -u postgres -- psql -XAtc 'SHOW max_connections' 2>&1)"
echo "connections pool $(sed -n 's/^db_max_connections *= *//p' /opt/wapt/conf/waptserver.ini)"
echo "connections limit $(timeout 30 runuser -u postgres -- /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main -c config_file=/etc/postgresql/15/main/postgresql.conf -C max_connections)"
sed 's/^/journal /' /var/lib/pulumi-wapt/journal 2>/dev/null
echo "record $(tr -d '\\n' </var/lib/pulumi-wapt/record.json 2>/dev/null)"
find /srv -mindepth 1 -type d | sed 's/^/folder /'
`;

export interface Condition {
  /** Hash, mode and owner by path; "none" where there is no file. */
  readonly files: Readonly<Record<string, string>>;
  readonly temporaries: readonly string[];
  /** Units that do not run. */
  readonly down: readonly string[];
  /** What the kernel, nginx's workers and waptserver run with. */
  readonly running: Readonly<Record<string, string>>;
  readonly folders: readonly string[];
  /** PostgreSQL's answer to SHOW max_connections, or what psql complained of. */
  readonly sql: string;
  /** What the next start of WAPT and of PostgreSQL takes from their files: the pool, and max_connections. */
  readonly connections: Readonly<Record<string, string>>;
  /** The status of nginx's answer. */
  readonly http: number;
  /** The lines that a run left in its journal. */
  readonly journal: readonly string[];
  /** Who owns which setting, and what stood there first. */
  readonly record: unknown;
}

export async function conditionOf(server: LabServer): Promise<Condition> {
  const { stdout, stderr, code } = await server.exec(LOOK);
  assert.equal(code, 0, stderr);
  const lines = (word: string) =>
    stdout
      .split("\n")
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1));
  const pairs = (word: string) =>
    lines(word).map((line): [string, string] => [line.split(" ")[0]!, line.slice(line.indexOf(" ") + 1)]);
  return {
    files: Object.fromEntries(pairs("file")),
    temporaries: lines("temporary"),
    down: pairs("unit").flatMap(([unit, state]) => (state === "active" ? [] : [unit])),
    sql: lines("sql")[0] ?? "",
    running: { ...Object.fromEntries(pairs("running")), waptserver: await waptserver(server) },
    connections: Object.fromEntries(pairs("connections")),
    folders: lines("folder"),
    // A page that needs neither waptserver nor PostgreSQL.
    http: (await fetch(`http://${server.host}/wapt/`, { signal: AbortSignal.timeout(30_000) })).status,
    journal: lines("journal"),
    record: JSON.parse(lines("record")[0] || "{}"),
  };
}

/** The values that waptserver says it runs with; nothing where it is down. */
async function waptserver({ host }: LabServer): Promise<string> {
  const answer = await fetch(`http://${host}/status`, { signal: AbortSignal.timeout(30_000) });
  if (!answer.ok) return "";
  const { db_max_connections, max_clients } = (await answer.json()) as Record<string, number>;
  return `db_max_connections ${db_max_connections}, max_clients ${max_clients}`;
}

/** No file is torn: each is what it was before the run or what it is after it. */
export function assertWhole({ files }: Condition, before: Condition, after: Condition): void {
  for (const [path, found] of Object.entries(files)) {
    assert.ok(found === before.files[path] || found === after.files[path], `${path} is neither old nor new: ${found}`);
  }
}

/** All that should runs: nginx always, the others but for what the journal says that the next run has to do. */
export function assertServes(condition: Condition, before: Condition, after: Condition): void {
  assert.ok(condition.http < 500, `nginx answers with ${condition.http}`);
  for (const unit of condition.down) {
    assert.ok(isLeft(condition, unit), `${unit} is down: ${condition.journal}`);
  }
  if (condition.sql === before.sql || condition.sql === after.sql) return;
  assert.ok(isLeft(condition, "postgresql@15-main"), `PostgreSQL says: ${condition.sql}`);
}

/** Whether the journal says that a run had stopped a unit. */
const isLeft = ({ journal }: Condition, unit: string): boolean =>
  journal.some((line) => line === `stopped ${unit}` || line.startsWith(`stopped ${unit} `));

/** superuser_reserved_connections' default. */
const RESERVED = 3;

/** PostgreSQL carries WAPT's pool as both run, and whichever of them is started next by itself. */
export function assertCarried({ connections, sql, running }: Condition): void {
  const pools = {
    "on disk": connections.pool || "90",
    running: /db_max_connections (\d+)/.exec(running.waptserver!)?.[1],
  };
  const limits = { "on disk": connections.limit, running: /^\d+$/.test(sql) ? sql : undefined };
  for (const [which, pool] of Object.entries(pools)) {
    for (const [where, limit] of Object.entries(limits)) {
      if (pool === undefined || limit === undefined) continue;
      assert.ok(
        Number(pool) <= Number(limit) - RESERVED,
        `the pool ${which} is ${pool}, max_connections ${where} ${limit}`,
      );
    }
  }
}

/** Nothing is as it was not before: files, services, and no temporary file or journal. */
export function assertSame(condition: Condition, expected: Condition): void {
  assert.deepEqual(condition, { ...expected, temporaries: [], journal: [], down: [] });
}
