/** WAPT: waptserver.ini, its database's pool, and the restart of its units. */
import { join, posix } from "node:path";
import type { Problem } from "../../problem";
import type { Tree } from "../../text/format";
import { harmless } from "../../text/harmless";
import type { Facts } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";
import type { Place } from "../../transaction/target";
import { ini } from "./ini";

/** Where WAPT's installer puts waptserver.ini. */
export const WAPTSERVER_INI = "/opt/wapt/conf/waptserver.ini";

export interface WaptState {
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
    const tree = { root: facts.one("ini") ?? WAPTSERVER_INI, files };
    const [changed] = facts.named("changed")[0] ?? [];
    return {
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

/** A waptserver that runs outside its unit, which no restart of the unit would reach. */
export function listenerProblems({ listener }: WaptState, isUnitActive: boolean): Problem[] {
  if (!listener || isUnitActive || listener.unit === "waptserver") return [];
  const { port, pid, unit, program } = listener;
  const reason =
    `process ${pid} (${harmless(program, 50)}) of ${unit ? `the unit ${harmless(unit, 100)}` : "no unit"} listens on waptserver's port ${port}, ` +
    "and waptserver.service is not running: no restart of it would reach that process. End it, and start WAPT by its unit (systemctl start waptserver)";
  return [{ property: "connection", reason }];
}

export const waptProbe = (path: string = WAPTSERVER_INI): Probe => ({ service: "wapt", words: [path] });

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
  const remember: Step = { service: "wapt", verb: "remember", words: [tree.root, hash ?? "-", ...WAPT_UNITS] };
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
  const reason = `there is no ${tree.root} on the server: give waptserverIni where WAPT's configuration lies elsewhere`;
  return [{ property: "waptserverIni", reason }];
}

/** The folder in which waptserver.ini is written. */
export const folderOf = ({ tree }: WaptState): string => posix.dirname(tree.root);

/** WAPT's units, wapttasks first since it works for the other. */
export const WAPT_UNITS = ["wapttasks", "waptserver"] as const;

/** The restart of some of them: it holds connections to PostgreSQL all the time, so it is stopped first and started last. */
export function waptRestart(units: readonly string[], runs: boolean): Step[] {
  if (units.length === 0) return [];
  return [
    { service: "wapt", verb: "restart", words: units, interrupts: true, ...(runs && { restarts: "waptserver" }) },
  ];
}
