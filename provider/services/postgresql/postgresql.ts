/** PostgreSQL: its clusters, which of them is WAPT's, and how a change is tested and takes effect. */
import { join, posix } from "node:path";
import type { Problem } from "../../problem";
import { harmless } from "../../text/harmless";
import { bound, type Facts } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";
import { commandLineSetting } from "./command-line";
import { postgresqlConf } from "./postgresql-conf";

export interface Cluster {
  readonly version: string;
  readonly name: string;
  readonly port: string;
  readonly online: boolean;
  readonly owner: string;
  readonly data: string;
  readonly configuration: string;
  readonly unit: string;
  readonly binary: string;
  readonly command: readonly string[];
  /** Processes that its unit may have, one a connection; Infinity where there is no limit. */
  readonly tasksMax: number;
  /** Its own answer by name of the setting, when it runs and answers. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Why it did not answer. */
  readonly error?: string;
}

export const postgresql: Service<readonly Cluster[]> = {
  program: join(__dirname, "postgresql.sh"),
  uses: ["systemd"],
  parse: (facts: Facts) => facts.named("cluster").map((fields) => clusterOf(facts, fields)),
};

export const postgresqlProbe: Probe = { service: "postgresql", words: [] };

function clusterOf(facts: Facts, fields: readonly string[]): Cluster {
  const [data = "", version = "", name = "", port = "", status = "", owner = "", configuration = ""] = fields;
  const of = (fact: string) => facts.named(fact).find(([folder]) => folder === data) ?? [];
  const [, binary, unit, tasks] = of("process");
  const [, answer] = of("answer");
  const [, command = ""] = of("command");
  return {
    version,
    name,
    port,
    online: status.startsWith("online"),
    owner,
    data,
    configuration,
    unit: unit || `postgresql@${version}-${name}`,
    binary: binary || `/usr/lib/postgresql/${version}/bin/postgres`,
    tasksMax: bound(tasks),
    command: command.split("\n").filter(Boolean),
    settings: answer === undefined ? undefined : settingsOf(answer),
    error: of("error")[1],
  };
}

function settingsOf(answer: string): Record<string, string> {
  const pairs = answer.split("\n").filter((line) => line.includes(" ") && !line.startsWith("file "));
  return Object.fromEntries(pairs.map((line) => line.split(" ")));
}

/** What WAPT's configuration says of its database. */
export interface Database {
  readonly host: string;
  readonly port: string;
}

/** The cluster by the path given, else by the database's port, else the only one; or why there is none. */
export function findCluster(
  clusters: readonly Cluster[],
  files: ReadonlyMap<string, string>,
  database: Database | undefined,
  given: string | undefined,
): { cluster: Cluster } | { problem: Problem } {
  const list = clusters.map((one) => one.configuration).join(", ") || "none";
  if (database && !isLocal(database.host) && !given) {
    return refused(
      `waptserver.ini's db_host is ${database.host}, another machine: tune PostgreSQL there with a PostgresConnections of that host, ` +
        `and leave it out here`,
    );
  }
  if (given) {
    const cluster = clusters.find((one) => one.configuration === given);
    return cluster ? { cluster } : refused(`no cluster uses ${given}; there are: ${list}`);
  }
  const matching = clusters.filter((one) => !database || portOf(one, files) === database.port);
  if (matching.length === 1) return { cluster: matching[0]! };
  const what = database ? `with waptserver.ini's db_port ${database.port}` : "";
  return refused(`${matching.length} clusters ${what} were found; there are: ${list}. Give postgresqlConf`);
}

const refused = (reason: string): { problem: Problem } => ({ problem: { property: "postgresqlConf", reason } });

/** Whether a db_host is this server itself: empty and a path mean its Unix socket. */
export const isLocal = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1|\/.*)?$/i.test(host);

// Where no cluster is registered with its port (RHEL, or below a root), its own file tells.
function portOf({ port, configuration }: Cluster, files: ReadonlyMap<string, string>): string {
  if (port !== "-") return port;
  const tree = { root: configuration, files };
  return files.has(configuration) ? (postgresqlConf.read(tree, ["port"]).port?.value ?? "5432") : "5432";
}

/** superuser_reserved_connections' default. */
const SUPERUSER_RESERVED = 3;

/** The connections that a cluster keeps from WAPT's role; PostgreSQL 16 has a second kind. */
export function reservedConnections({ settings = {} }: Partial<Cluster>): number {
  return (
    Number(settings.superuser_reserved_connections ?? SUPERUSER_RESERVED) + Number(settings.reserved_connections ?? 0)
  );
}

/** The test of a candidate, or of what lies in place. */
export function configurationCheck(cluster: Cluster, maxConnections: string | undefined): Step {
  const { owner, binary, data, configuration } = cluster;
  return {
    service: "postgresql",
    verb: "check",
    words: [owner, binary, data, configuration, maxConnections ?? "-"],
  };
}

export function restartStep({ unit, owner, port, data }: Cluster, maxConnections: string | undefined): Step {
  const words = [unit, owner, port, data, maxConnections ?? "-"];
  return { service: "postgresql", verb: "restart", words, interrupts: true };
}

/** What forbids a value: one on the command line, or a cluster that does not answer. */
export function clusterProblems(cluster: Cluster, wanted: string): Problem[] {
  const overridden = commandLineSetting(cluster.command, "max_connections");
  if (overridden !== undefined && overridden !== wanted) {
    const reason = `PostgreSQL was started with max_connections ${overridden} on its command line, which wins over every file: remove it there (Debian: pg_ctl.conf)`;
    return [{ property: "maxConnections", reason }];
  }
  if (cluster.error === undefined) return [];
  const reason = `PostgreSQL runs but does not answer ${cluster.owner} on its socket: ${harmless(cluster.error, 300)}`;
  return [{ property: "postgresqlConf", reason }];
}

/** PostgreSQL's own processes beside its backends, generously. */
const OTHER_PROCESSES = 30;

/** What forbids so many backends: the processes that the unit may have. */
export function taskProblems({ unit, tasksMax }: Cluster, maxConnections: number): Problem[] {
  const need = maxConnections + OTHER_PROCESSES;
  if (tasksMax >= need) return [];
  const reason =
    `preflight, tasks: systemd allows ${unit} ${tasksMax} processes, max_connections ${maxConnections} needs ${need}: ` +
    `raise TasksMax of the unit (systemctl edit ${unit})`;
  return [{ property: "maxConnections", reason }];
}

/** Shared memory that PostgreSQL takes for a connection, measured on PostgreSQL 15: 49 kB. */
const SHARED_KILOBYTES = 49;

/** What a busy backend of PostgreSQL takes, the lower end of an estimate of 5 to 10 MB. */
const BACKEND_KILOBYTES = 5 * 1024;

/** The memory that max_connections may take, of so many kilobytes (0: not known). */
export function memoryFindings(kilobytes: number, maxConnections: number): { problems: Problem[]; warnings: string[] } {
  const [shared, busy] = [maxConnections * SHARED_KILOBYTES, maxConnections * BACKEND_KILOBYTES];
  if (kilobytes === 0 || busy <= kilobytes) return { problems: [], warnings: [] };
  const reason =
    `preflight, memory: max_connections ${maxConnections} may take ${mebibytes(busy)} when all are busy, and takes ${mebibytes(shared)} at once; ` +
    `the server has ${mebibytes(kilobytes)}. Give it more memory, or fewer connections by maxConnections`;
  return shared > kilobytes / 2
    ? { problems: [{ property: "maxConnections", reason }], warnings: [] }
    : { problems: [], warnings: [reason] };
}

const mebibytes = (kilobytes: number): string => `${Math.ceil(kilobytes / 1024)} MiB`;

/** The folder in which a cluster's files are written. */
export const folderOf = ({ configuration }: Cluster): string => posix.dirname(configuration);
