/** PostgreSQL: its clusters, which of them is WAPT's, and how a change is tested and takes effect. */
import { join, posix } from "node:path";
import type { Problem } from "../../problem";
import { harmless } from "../../text/harmless";
import { bound, type Facts } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";
import { commandLineSetting } from "./command-line";
import { type PostgresqlTree, postgresqlConf } from "./postgresql-conf";

export interface Cluster {
  readonly version: string;
  readonly name: string;
  readonly port: string;
  readonly online: boolean;
  readonly owner: string;
  readonly data: string;
  /** Of one that runs, what it was started with. */
  readonly configuration: string;
  /** What else its includes name: files and folders that are not there, and folders whose files were all sent. */
  readonly named: ReadonlyMap<string, "absent" | "folder">;
  readonly unit: string;
  readonly binary: string;
  readonly command: readonly string[];
  /** Processes that its unit may have, one a connection; Infinity where there is no limit. */
  readonly tasksMax: number;
  /** Its process, when it runs. */
  readonly process?: ClusterProcess;
  /** A process that has its port in its place: id, name and control group. */
  readonly listener?: string;
  /** Whether start.conf of Debian's lets nobody start it again. */
  readonly disabled: boolean;
  /** Its own answer by name of the setting, when it runs and answers; "sessions" is how many are open. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Settings in its files that wait for a restart. */
  readonly pending: readonly PendingSetting[];
  /** Why a cluster that is thrown away did not start with those of them that are not ours. */
  readonly trial?: string;
  /** What is wrong in its files, which a start would refuse. */
  readonly faults: readonly Fault[];
  /** Why it did not answer. */
  readonly error?: string;
}

export interface ClusterProcess {
  readonly id: string;
  /** Whether it is its unit's main process, so that the unit's restart is its own. */
  readonly isMain: boolean;
  /** The last part of its control group. */
  readonly group: string;
}

/** A setting's value as it runs and as its files have it; "" where it is no plain number, and stays on the server. */
export interface PendingSetting {
  readonly name: string;
  readonly running: string;
  readonly file: string;
}

export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly error: string;
}

/** A server of PostgreSQL's in a container: its process's id and control group. */
export interface Contained {
  readonly id: string;
  readonly group: string;
}

export type PostgresqlState = readonly Cluster[] & { readonly contained?: readonly Contained[] };

export const postgresql: Service<PostgresqlState> = {
  program: join(__dirname, "postgresql.sh"),
  uses: ["systemd"],
  parse: (facts: Facts) => {
    const contained = facts.named("container").map(([id = "", group = ""]) => ({ id, group }));
    const clusters = facts.named("cluster").map((fields) => clusterOf(facts, fields));
    return contained.length > 0 ? Object.assign(clusters, { contained }) : clusters;
  },
};

export const postgresqlProbe: Probe = { service: "postgresql", words: [] };

function clusterOf(facts: Facts, fields: readonly string[]): Cluster {
  const [data = "", version = "", name = "", port = "", status = "", owner = "", configuration = ""] = fields;
  const all = (fact: string) => facts.named(fact).filter(([folder]) => folder === data);
  const of = (fact: string) => all(fact)[0] ?? [];
  const [, binary, unit, tasks, id, group = ""] = of("process");
  const [, answer] = of("answer");
  const [, command = ""] = of("command");
  const named = (["absent", "folder"] as const).flatMap((kind) =>
    facts.named(kind).map(([path = ""]) => [path, kind] as const),
  );
  return {
    version,
    name,
    port,
    online: status.startsWith("online"),
    owner,
    data,
    configuration,
    named: new Map(named),
    unit: unit || unitNameOf(version, name, data),
    binary: binary || `/usr/lib/postgresql/${version}/bin/postgres`,
    tasksMax: bound(tasks),
    command: command.split("\n").filter(Boolean),
    process: id ? { id, isMain: unit !== "", group } : undefined,
    listener: of("listener")[1],
    disabled: of("disabled").length > 0,
    settings: answer === undefined ? undefined : settingsOf(answer),
    pending: all("pending").map(([, line = ""]) => pendingOf(line)),
    trial: of("trial")[1],
    faults: all("fault").map(([, line = ""]) => faultOf(line)),
    error: of("error")[1],
  };
}

/** The unit that starts a cluster where none runs it: Debian's, or that of the RHEL family and of PGDG. */
function unitNameOf(version: string, name: string, data: string): string {
  if (name !== "-") return `postgresql@${version}-${name}`;
  return /^\/var\/lib\/pgsql\/[0-9.]+\/data$/.test(data) ? `postgresql-${version}` : "postgresql";
}

function settingsOf(answer: string): Record<string, string> {
  const pairs = answer.split("\n").filter((line) => line.includes(" ") && !line.startsWith("file "));
  return Object.fromEntries(pairs.map((line) => line.split(" ")));
}

function pendingOf(line: string): PendingSetting {
  const [name = "", running = "", file = ""] = line.split("\t");
  return { name, running, file };
}

function faultOf(text: string): Fault {
  const [file = "", line, error = ""] = text.split("\t");
  return { file, line: Number(line), error };
}

/** What WAPT's configuration says of its database. */
export interface Database {
  readonly host: string;
  /** Whether that is this server itself. */
  readonly isHere: boolean;
  readonly port: string;
}

/** The cluster by the path given, else by the database's port, else the only one; or why there is none. */
export function findCluster(
  clusters: PostgresqlState,
  files: ReadonlyMap<string, string>,
  database: Database | undefined,
  given: string | undefined,
): { cluster: Cluster } | { problem: Problem } {
  const list = [...clusters.map((one) => one.configuration), ...containers(clusters)].join(", ") || "none";
  if (database && !database.isHere && !given) {
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
  // Others may have the port in their files, or a socket of that name alone.
  const serving = matching.filter((one) => one.process && !one.listener);
  const [cluster, ...others] = serving.length === 1 ? serving : matching;
  if (cluster && others.length === 0) return { cluster };
  const what = database ? `with waptserver.ini's db_port ${database.port}` : "";
  return refused(`${matching.length} clusters ${what} were found; there are: ${list}. Give postgresqlConf`);
}

/** Those that can't be tuned from outside, by name. */
const containers = ({ contained = [] }: PostgresqlState): string[] =>
  contained.map(
    ({ id, group }) => `process ${id} in a container (${harmless(group, 100)}), which is a server of its own`,
  );

const refused = (reason: string): { problem: Problem } => ({ problem: { property: "postgresqlConf", reason } });

// Where no cluster is registered with its port (RHEL, or below a root), its own file tells.
function portOf(cluster: Cluster, files: ReadonlyMap<string, string>): string {
  const { port, configuration } = cluster;
  if (port !== "-") return port;
  const tree = configurationTree(cluster, files);
  return files.has(configuration) ? (postgresqlConf.read(tree, ["port"]).port?.value ?? "5432") : "5432";
}

/** Its files, in which ALTER SYSTEM's wins. */
export function configurationTree(
  { configuration, data, named }: Cluster,
  files: ReadonlyMap<string, string>,
): PostgresqlTree {
  const after = [`${data}/postgresql.auto.conf`].filter((path) => files.has(path));
  return { root: configuration, files, after, named };
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
  const pending = pendingOfOthers(cluster).map(({ name }) => name);
  return {
    service: "postgresql",
    verb: "check",
    words: [owner, binary, data, configuration, maxConnections ?? "-", pending.join(", ") || "-"],
  };
}

/** Settings of others that a restart activates beside ours. */
export const pendingOfOthers = ({ pending }: Pick<Cluster, "pending">): readonly PendingSetting[] =>
  pending.filter(({ name }) => name !== "max_connections");

export function restartStep({ unit, owner, port, data, online }: Cluster, maxConnections: string | undefined): Step {
  const words = [unit, owner, port, data, maxConnections ?? "-"];
  return { service: "postgresql", verb: "restart", words, interrupts: true, ...(online && { restarts: "postgresql" }) };
}

/** What forbids a value: one on the command line, a cluster that does not answer, or one that WAPT does not reach. */
export function clusterProblems(cluster: Cluster, wanted: string): Problem[] {
  const { command, error, owner, listener, port, configuration } = cluster;
  const overridden = commandLineSetting(command, "max_connections");
  if (overridden !== undefined && overridden !== wanted) {
    const reason = `PostgreSQL was started with max_connections ${overridden} on its command line, which wins over every file: remove it there (Debian: pg_ctl.conf)`;
    return [{ property: "maxConnections", reason }];
  }
  if (listener !== undefined) {
    const reason =
      `port ${port} is served by process ${harmless(listener, 150)}, and not by the cluster of ${configuration}: ` +
      `find out which of them is WAPT's database, and stop the other or give it another port`;
    return [refused(reason).problem];
  }
  if (error === undefined) return [];
  return [refused(`PostgreSQL runs but does not answer ${owner} on its socket: ${harmless(error, 300)}`).problem];
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

/** What forbids so many slots: the memory that they take at once, of so many kilobytes (0: not known). */
export function slotProblems(kilobytes: number, maxConnections: number): Problem[] {
  const shared = maxConnections * SHARED_KILOBYTES;
  if (kilobytes === 0 || shared <= kilobytes / 2) return [];
  const reason =
    `preflight, memory: max_connections ${maxConnections} takes ${mebibytes(shared)} of shared memory as soon as PostgreSQL starts; ` +
    `the server has ${mebibytes(kilobytes)}. Give it more memory, or fewer connections by maxConnections`;
  return [{ property: "maxConnections", reason }];
}

export const mebibytes = (kilobytes: number): string => `${Math.ceil(kilobytes / 1024)} MiB`;

/** The folder in which a cluster's files are written. */
export const folderOf = ({ configuration }: Cluster): string => posix.dirname(configuration);
