/** WAPT: waptserver.ini, its database's pool, and the restart of its units. */
import { join, posix } from "node:path";
import type { Problem } from "../../problem";
import { FormatError, type Tree } from "../../text/format";
import { harmless } from "../../text/harmless";
import type { Facts } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";
import type { Place } from "../../transaction/target";
import { ini } from "./ini";

/** Where WAPT's installer puts waptserver.ini, by the version. */
const PLACES: readonly string[] = ["/opt/wapt/conf/waptserver.ini", "/opt/wapt/waptserver/waptserver.ini"];

/** A unit of WAPT's that is in use. */
export interface WaptUnit {
  readonly name: string;
  /** The file that its command line names; undefined for where WAPT's installer puts it. */
  readonly ini?: string;
  /** The name of the program that it starts. */
  readonly program: string;
  /** How many processes its command line names for uwsgi; "" where it names none. */
  readonly processes: string;
}

export interface WaptState {
  readonly units: readonly WaptUnit[];
  /** How many processes hold a pool of the file's size; 1 where that is not known, and why not. */
  readonly pools: { readonly count: number; readonly unknown?: string };
  /** waptserver.ini; it may be missing. */
  readonly tree: Tree;
  /** What it says of the database; undefined where there is no such file. */
  readonly database?: {
    readonly host: string;
    /** Whether that is this server itself. */
    readonly isHere: boolean;
    readonly port: string;
    readonly pool: number;
  };
  /** Who listens on waptserver's port, with the unit in whose control group it is. */
  readonly listener?: { readonly port: string; readonly pid: string; readonly unit: string; readonly program: string };
  /** When the file was last changed in any way, in seconds since 1970; undefined where that is not known. */
  readonly changed?: number;
  /** What processes are known to have read of it: the SHA-256 by unit and start of the process. */
  readonly read: ReadonlyMap<string, string>;
}

/** WAPT's own defaults, from its code. */
export const DEFAULT_POOL = 90;
const DEFAULT_PORT = "5432";

export const wapt: Service<WaptState> = {
  program: join(__dirname, "wapt.sh"),
  uses: ["systemd"],
  parse: (facts: Facts, files: ReadonlyMap<string, string>): WaptState => {
    const tree = { root: facts.one("ini") ?? PLACES[0]!, files };
    const [changed] = facts.named("changed")[0] ?? [];
    const units = facts
      .named("unit")
      .map(([name = "", ini, program = "", processes = ""]) => ({ name, ini: ini || undefined, program, processes }))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
    return {
      units,
      pools: files.has(tree.root) ? poolsOf(units, tree) : { count: 1 },
      tree,
      database: files.has(tree.root) ? databaseOf(tree, facts) : undefined,
      listener: listenerOf(facts),
      changed: changed ? Number(changed) : undefined,
      read: new Map(facts.named("read").map(([unit, start, hash = ""]) => [`${unit} ${start}`, hash])),
    };
  },
};

function listenerOf(facts: Facts): WaptState["listener"] {
  const [port, pid = "", unit = "", program = ""] = facts.named("listener")[0] ?? [];
  return port === undefined ? undefined : { port, pid, unit, program };
}

/** A waptserver that runs outside its units, which no restart of them would reach. */
export function listenerProblems({ listener }: WaptState, units: readonly string[], isUp: boolean): Problem[] {
  if (!listener || isUp || units.includes(listener.unit)) return [];
  const { port, pid, unit, program } = listener;
  const reason =
    `process ${pid} (${harmless(program, 50)}) of ${unit ? `the unit ${harmless(unit, 100)}` : "no unit"} listens on waptserver's port ${port}, ` +
    "and waptserver.service is not running: no restart of it would reach that process. End it, and start WAPT by its unit (systemctl start waptserver)";
  return [{ property: "connection", reason }];
}

/** `path` is that of waptserver.ini, "" for the one that WAPT's units read. */
export const waptProbe = (path = ""): Probe => ({ service: "wapt", words: [path] });

const isServer = ({ name }: WaptUnit): boolean => name.startsWith("waptserver");

/** The file that a unit reads. */
const iniOf = ({ ini }: WaptUnit, tree: Tree): string => ini ?? (PLACES.includes(tree.root) ? tree.root : PLACES[0]!);

/** The names of the units that read the file; undefined where that is not known: their command lines do not say. */
export function readersOf({ units, tree }: WaptState): string[] | undefined {
  const found = units.filter((unit) => iniOf(unit, tree) === tree.root);
  return found.some(isServer) ? found.map(({ name }) => name) : undefined;
}

/** Each process of waptserver has a pool of its own, and uwsgi runs several. The few of wapttasks are among the ten. */
function poolsOf(units: readonly WaptUnit[], tree: Tree): WaptState["pools"] {
  const servers = units.filter((unit) => isServer(unit) && iniOf(unit, tree) === tree.root);
  let count = 0;
  for (const { name, program, processes: onCommandLine } of servers) {
    if (!program.startsWith("uwsgi")) count += 1;
    else {
      const processes = uwsgiProcesses(tree, onCommandLine);
      if (processes === undefined)
        return {
          count: 1,
          unknown: `${tree.root} does not say in [uwsgi] how many processes ${harmless(name, 100)} runs`,
        };
      count += processes;
    }
  }
  return { count: Math.max(1, count) };
}

/** uwsgi's `processes`, or `workers`, one without either; undefined where that is not said. */
function uwsgiProcesses(tree: Tree, onCommandLine: string): number | undefined {
  if (onCommandLine !== "") return /^[1-9]\d{0,3}$/.test(onCommandLine) ? Number(onCommandLine) : undefined;
  try {
    const found = ini.read(tree, ["uwsgi.processes", "uwsgi.workers"]);
    const said = found["uwsgi.processes"]?.value ?? found["uwsgi.workers"]?.value ?? "1";
    return /^[1-9]\d{0,3}$/.test(said) ? Number(said) : undefined;
  } catch (error) {
    // It has no such section.
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** Pools of which it is not known here how many connections they hold together. */
export function poolWarnings({ units, tree, pools }: WaptState): string[] {
  const others = units.filter((unit) => isServer(unit) && iniOf(unit, tree) !== tree.root);
  const sum = "whether PostgreSQL gives what all pools hold together is not known";
  return [
    ...(pools.unknown === undefined
      ? []
      : [`${pools.unknown}, each with a pool of its own: ${sum}. Give dbMaxConnections`]),
    ...others.map((unit) => {
      const reads = `${harmless(unit.name, 100)} reads ${harmless(iniOf(unit, tree), 200)} and has a pool of its own`;
      return `${reads}: ${sum}. Give dbMaxConnections, and a higher maxConnections`;
    }),
  ];
}

/** Several servers of WAPT on one machine, each with a file of its own: which of them is meant has to be said. */
export function instanceProblems({ units, tree }: WaptState, given?: string): Problem[] {
  const servers = units.filter(isServer);
  if (given !== undefined || new Set(servers.map((unit) => iniOf(unit, tree))).size < 2) return [];
  const all = servers.map((unit) => `${harmless(unit.name, 100)} reads ${harmless(iniOf(unit, tree), 200)}`).join(", ");
  const reason = `several servers of WAPT run here: ${all}. Give waptserverIni, the file of the one that is meant`;
  return [{ property: "waptserverIni", reason }];
}

/** An empty db_host and a path mean the Unix socket. */
const THIS_SERVER = /^(localhost|127\.\d+\.\d+\.\d+|::1|\/.*)?$/i;

function databaseOf(tree: Tree, facts: Facts): WaptState["database"] {
  const found = ini.read(tree, ["options.db_host", "options.db_port", "options.db_max_connections"]);
  const host = found["options.db_host"]?.value ?? "";
  return {
    host,
    isHere: THIS_SERVER.test(host) || facts.one("own-host") === host,
    port: found["options.db_port"]?.value ?? DEFAULT_PORT,
    pool: Number(found["options.db_max_connections"]?.value ?? DEFAULT_POOL),
  };
}

/**
 * Whether a process that was started then has read the file as it stands: it was started later, or what it has read is
 * known and is the same. Clocks of whole seconds may differ by one.
 */
export function hasRead(
  { tree, changed, read }: WaptState,
  hash: string | undefined,
  unit: string,
  start: number,
): boolean {
  if (changed === undefined || !tree.files.has(tree.root)) return true;
  return changed <= start + 1 || (hash !== undefined && read.get(`${unit} ${start}`) === hash);
}

/** A key of waptserver.ini's `[options]`; `hash` is that of the file. */
export function iniPlace(
  { tree }: WaptState,
  hash: string | undefined,
  [key, value]: readonly [key: string, value: number],
  restart: readonly Step[],
): Place {
  const units = restart.flatMap(({ words }) => words);
  const remember: Step = { service: "wapt", verb: "remember", words: [tree.root, hash ?? "-", ...units] };
  return {
    setting: key,
    id: key,
    stage: "wapt",
    format: ini,
    tree,
    key: `options.${key}`,
    value: String(value),
    effective: "by file",
    steps: () => restart,
    checks: () => (restart.length > 0 ? [remember] : []),
  };
}

/** What forbids any change of waptserver.ini. */
export function iniProblems({ tree }: WaptState): Problem[] {
  if (tree.files.has(tree.root)) return [];
  const reason = `there is no ${harmless(tree.root)} on the server: give waptserverIni where WAPT's configuration lies elsewhere`;
  return [{ property: "waptserverIni", reason }];
}

/** The folder in which waptserver.ini is written. */
export const folderOf = ({ tree }: WaptState): string => posix.dirname(tree.root);

/** The restart of some units of WAPT's: it holds connections to PostgreSQL all the time, so it is stopped first and started last. */
export function waptRestart(units: readonly string[], runs: boolean): Step[] {
  if (units.length === 0) return [];
  return [
    { service: "wapt", verb: "restart", words: units, interrupts: true, ...(runs && { restarts: "waptserver" }) },
  ];
}
