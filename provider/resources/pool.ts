/**
 * The link between two services: waptserver's pools together never exceed the connections that PostgreSQL gives them, at no
 * instant and on no disk that a crash leaves, whichever of the two is started next. Each of its processes has a pool.
 */
import type { Server } from "../services";
import { commandLineSetting } from "../services/postgresql/command-line";
import { type Cluster, configurationTree, findCluster, reservedConnections } from "../services/postgresql/postgresql";
import { postgresqlConf } from "../services/postgresql/postgresql-conf";
import { DEFAULT_POOL, iniPlace } from "../services/wapt/wapt";
import type { Before } from "../transaction/ownership";
import type { Conflict, HeldBack, Kept, Place, Planned } from "../transaction/target";
import { isStale, readers, restartOfWapt, waptUnits } from "./units";

/** The setting that bounds the pool, and the pool. */
const LIMIT = "max_connections";
const POOL = "db_max_connections";

/** What PostgreSQL keeps from WAPT's role. */
const RESERVES = ["superuser_reserved_connections", "reserved_connections"];

/** PostgreSQL's own default of max_connections, from its code. */
export const DEFAULT_LIMIT = 100;

/** What PostgreSQL gives WAPT's role. */
interface Limit {
  /** max_connections as it runs; undefined where PostgreSQL does not run. */
  readonly running?: number;
  /** max_connections as its next start takes it. */
  readonly next: number;
  /** The connections that it keeps from WAPT's role. */
  readonly reserved: number;
}

/** The cluster that WAPT uses, or why there is none; undefined where WAPT's configuration names no database of this server. */
function clusterOfWapt({ wapt: { database }, postgresql, files }: Server, given?: string) {
  return database?.isHere ? findCluster(postgresql, files, database, given) : undefined;
}

/** Its limit, or why that is not known. */
function limitOf(server: Server, given?: string): Limit | { readonly unknown: string } | undefined {
  const found = clusterOfWapt(server, given);
  if (!found) return undefined;
  return "problem" in found ? { unknown: found.problem.reason } : limitOfCluster(server, found.cluster);
}

function limitOfCluster(server: Server, cluster: Cluster): Limit | { readonly unknown: string } {
  const { configuration, online, settings, error } = cluster;
  if (online && !settings) return { unknown: `PostgreSQL runs and does not answer: ${error ?? "no reason was given"}` };
  const { files } = server;
  if (!files.has(configuration)) return { unknown: `${configuration} was not read` };
  const found = postgresqlConf.read(configurationTree(cluster, files), [LIMIT, ...RESERVES]);
  const said = commandLineSetting(cluster.command, LIMIT) ?? found[LIMIT]?.value ?? String(DEFAULT_LIMIT);
  const next = Number(said);
  if (!Number.isInteger(next)) return { unknown: `PostgreSQL would be started with ${LIMIT} = ${said}` };
  const inFiles = Object.fromEntries(RESERVES.flatMap((name) => (found[name] ? [[name, found[name].value]] : [])));
  const reserved = reservedConnections({ settings: { ...inFiles, ...settings } });
  return { running: settings && Number(settings[LIMIT]), next, reserved };
}

/** max_connections as a transaction leaves it: what it plans, else what both a start of PostgreSQL and the running one give. */
const mostOf = ({ running, next }: Limit, wanted: string | undefined): number =>
  wanted === undefined ? Math.min(running ?? next, next) : Number(wanted);

/** The pool of each process as waptserver.ini has it. */
const poolNow = ({ wapt: { database } }: Server): number => database?.pool ?? DEFAULT_POOL;

/** The connections that the pools of all processes hold together. */
const sum = ({ wapt: { pools } }: Server, pool: number): number => pools.count * pool;

/** The pool of each process where all together may have so many connections. */
export const poolOfEach = ({ wapt: { pools } }: Server, all: number): number =>
  Math.max(1, Math.floor(all / pools.count));

/** What forbids a pool: PostgreSQL as this transaction leaves it, or as it runs and would start, gives less. */
export function poolConflicts(server: Server, pool: number, planned: Planned, given?: string): Conflict[] {
  const limit = limitOf(server, given);
  const wanted = planned(LIMIT);
  if (!limit) return [];
  if ("unknown" in limit) {
    // What stands and was read, or less than that, activates nothing that may be wrong.
    if (wanted !== undefined || isNoRaise(server, pool)) return [];
    return refused(`a pool of ${pool} can't be compared with what PostgreSQL gives it: ${limit.unknown}`);
  }
  const most = mostOf(limit, wanted);
  if (sum(server, pool) <= most - limit.reserved) return [];
  const { count } = server.wapt.pools;
  const each = count === 1 ? "" : ` in each of ${count} processes of waptserver, ${sum(server, pool)} together,`;
  return refused(
    `a pool of ${pool}${each} is above what PostgreSQL gives it: max_connections ${most} less ${limit.reserved} reserved. ` +
      "Raise max_connections first: add dependsOn: [the PostgresConnections of this server] to this resource, " +
      "or use WaptServer without omitting it, which changes both in one transaction. A smaller dbMaxConnections goes without",
  );
}

/** What forbids a restart of WAPT: its PostgreSQL does not run, so it would not come up again. */
export function downConflicts(server: Server, given?: string): Conflict[] {
  const found = clusterOfWapt(server, given);
  if (server.root !== "" || !found || !isWaptUp(server)) return [];
  if ("problem" in found || found.cluster.online || server.systemd.left.includes(found.cluster.unit)) return [];
  const reason =
    `WAPT runs and PostgreSQL (${found.cluster.unit}) does not: a WAPT that is restarted would not come up. ` +
    `Start PostgreSQL first (systemctl start ${found.cluster.unit}), or stop WAPT`;
  return [{ property: "connection", reason, beside: POOL, needsRestart: true }];
}

/** Whether a pool is less than the one in the file, or that one and already read: no more than it may hold is activated. */
function isNoRaise(server: Server, pool: number): boolean {
  const now = poolNow(server);
  return pool < now || (pool === now && !readers(server).some((unit) => isStale(server, unit)));
}

const refused = (reason: string): Conflict[] => [{ property: "dbMaxConnections", reason, beside: LIMIT }];

/** Places that wait where no service may be restarted: a restart that comes by itself would break the link. */
export function heldBack(server: Server, planned: Planned, given?: string): HeldBack[] {
  const limit = limitOf(server, given);
  if (!limit || "unknown" in limit) return [];
  const { running, next, reserved } = limit;
  // NaN where the transaction gives it none.
  const [pool, wanted] = [Number(planned(POOL)), Number(planned(LIMIT))];
  const now = poolNow(server);
  const all: HeldBack[] = [];
  if (running !== undefined && pool > now && sum(server, pool) > running - reserved) {
    all.push({ id: POOL, why: `${POOL} stays ${now} until PostgreSQL, which runs with ${running}, was restarted` });
  }
  const mayHold = readers(server).some((unit) => server.systemd(unit).active && isStale(server, unit));
  if (wanted < Math.min(next, running ?? next) && isWaptUp(server)) {
    if (mayHold || sum(server, now) > wanted - reserved)
      all.push({ id: LIMIT, why: `${LIMIT} stays ${next} until WAPT, which may hold more, was restarted` });
  }
  return all;
}

const isWaptUp = (server: Server): boolean => waptUnits(server).some((unit) => server.systemd(unit).active);

/**
 * Whether the pool's file goes before PostgreSQL's: where the pool that stands is above what PostgreSQL will give. Else it
 * goes behind PostgreSQL's restart.
 */
export function poolComesFirst(server: Server, planned: Planned, given?: string): boolean {
  const wanted = planned(LIMIT);
  const limit = limitOf(server, given);
  if (wanted === undefined || !limit || "unknown" in limit) return false;
  return sum(server, poolNow(server)) > Number(wanted) - limit.reserved;
}

/** A key of waptserver.ini with a value. */
export const keyOfIni = (server: Server, key: string, value: number): Place =>
  iniPlace(server.wapt, server.hashes.get(server.wapt.tree.root), [key, value], restartOfWapt(server));

/** The pool's place with a value. */
export const poolPlace = (server: Server, pool: number, given?: string): Place => ({
  ...keyOfIni(server, POOL, pool),
  default: String(DEFAULT_POOL),
  comesFirst: (planned) => poolComesFirst(server, planned, given),
});

/** The pool follows a lower max_connections in the same transaction. */
export function smallerPool(server: Server, cluster: Cluster, wanted: string | undefined, given?: string): Place[] {
  const { database } = server.wapt;
  if (!database || wanted === undefined) return [];
  if (sum(server, database.pool) <= Number(wanted) - reservedConnections(cluster)) return [];
  return [poolPlace(server, poolOfEach(server, Number(wanted) - 10), given)];
}

/** The pool keeps its value where what stood before is above what PostgreSQL gives by now. */
export function keptPool(server: Server, planned: Planned, given?: string): Kept[] {
  const [pool, wanted, limit] = [Number(planned(POOL)), planned(LIMIT), limitOf(server, given)];
  const now = poolNow(server);
  // NaN where it is not put back.
  if (!limit || !(pool > now)) return [];
  const stays = `${POOL} stays ${now}: what stood before, ${pool},`;
  if ("unknown" in limit) {
    const why = `${stays} can't be compared with what PostgreSQL gives it: ${limit.unknown}`;
    return wanted === undefined ? [{ id: POOL, why, beside: LIMIT }] : [];
  }
  const most = mostOf(limit, wanted) - limit.reserved;
  if (sum(server, pool) <= most) return [];
  return [{ id: POOL, why: `${stays} is above what PostgreSQL gives it, ${most}`, beside: LIMIT }];
}

/** Whether the pool that stood before would be above max_connections. */
export function holdsPool(server: Server, cluster: Cluster, wanted: number, id: string, { file }: Before): boolean {
  return id === POOL && sum(server, Number(file ?? DEFAULT_POOL)) > wanted - reservedConnections(cluster);
}
