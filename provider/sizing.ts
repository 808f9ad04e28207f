/**
 * The size of every setting that depends on the number of WAPT clients.
 *
 * The ratios are those of WAPT's own guide for large deployments; each floor is what WAPT's postconf, the kernel,
 * PostgreSQL or WAPT itself has whatever the number of clients. docs/sizes.md has the sources.
 */

import type { Problem } from "./problem";

/** A size for each setting that this package manages, each named as the setting is, in camelCase. */
export interface Sizes {
  /** nginx `worker_connections`: 2.5 a client (websockets, downloads, uploads, a margin), at least WAPT's own 4096. */
  workerConnections: number;
  /** nginx `worker_rlimit_nofile`: at least WAPT's own 32768 and two descriptors a connection (a proxied websocket). */
  workerRlimitNofile: number;
  /** `net.ipv4.tcp_max_syn_backlog`: 1.5 a client, at least 4096 (the guide's example). */
  tcpMaxSynBacklog: number;
  /** `net.core.somaxconn`: 1.5 a client, at least 4096 (the kernel's default since 5.4). */
  somaxconn: number;
  /** nginx's `listen … backlog=`: `somaxconn`, which has no effect on nginx without it. */
  backlog: number;
  /** `nofile` of WAPT's and nginx's users in limits.conf, hard and soft: 500000. */
  nofile: number;
  /** `LimitNOFILE` of nginx's unit and of WAPT's: 32768. */
  limitNofile: number;
  /** PostgreSQL `max_connections`: a quarter a client, at least PostgreSQL's default of 100; with a measured pool 100. */
  maxConnections: number;
  /** waptserver.ini `db_max_connections`, the pool: `max_connections` − 10, which PostgreSQL keeps for housekeeping. */
  dbMaxConnections: number;
  /** waptserver.ini `max_clients`: 1.2 a client, at least WAPT's default of 4096. */
  maxClients: number;
}

/** The names of all sizes. */
export const sizeNames = [
  "workerConnections",
  "workerRlimitNofile",
  "tcpMaxSynBacklog",
  "somaxconn",
  "backlog",
  "nofile",
  "limitNofile",
  "maxConnections",
  "dbMaxConnections",
  "maxClients",
] as const satisfies readonly (keyof Sizes)[];

/** Where the size of the pool comes from: the guide's quarter a client, or the smaller one that takes less memory. */
export const POOLS = ["guide", "measured"] as const;
export type Pool = (typeof POOLS)[number];

/** PostgreSQL's default, and WAPT's own pool of 90 in it: measured with 1,000 agents. docs/sizes.md has the figures. */
const MEASURED_CONNECTIONS = 100;

/** Connections that PostgreSQL keeps from users that are not superusers: superuser_reserved_connections' default. */
export const SUPERUSER_RESERVED = 3;

/** Above this number of clients WAPT's guide advises more than one server. */
export const CLIENTS_OF_ONE_SERVER = 5000;

/** The largest value that a setting may have: a C int, as nginx, the kernel and PostgreSQL hold them. */
export const LARGEST = 2 ** 31 - 1;

/** Sizes that cannot be computed or that contradict each other. */
export class SizingError extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map((problem) => `${problem.property}: ${problem.reason}`).join("\n"));
    this.name = "SizingError";
  }
}

const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LARGEST;

// A ratio is a fraction of whole numbers: 1.2 × n is not always exact in binary, n × 12 / 10 is.
const atLeast = (floor: number, clients: number, of: number, per: number): number =>
  Math.max(floor, Math.ceil((clients * of) / per));

/**
 * The sizes for a number of clients, a whole number of 1 or more. An override stands instead of the derived value, and
 * values derived from it follow.
 *
 * @throws SizingError when a number is no whole number of 1 or more, or an override breaks a link between two values.
 */
export function sizing(clients: number, overrides: Partial<Sizes> = {}, pool: Pool = "guide"): Sizes {
  refuse(notCounts({ clients, ...overrides }));
  const workerConnections = overrides.workerConnections ?? atLeast(4096, clients, 5, 2);
  const connections = pool === "measured" ? MEASURED_CONNECTIONS : atLeast(100, clients, 1, 4);
  const maxConnections = overrides.maxConnections ?? connections;
  const somaxconn = overrides.somaxconn ?? atLeast(4096, clients, 3, 2);
  const sizes: Sizes = {
    workerConnections,
    workerRlimitNofile: overrides.workerRlimitNofile ?? Math.max(32768, 2 * workerConnections),
    tcpMaxSynBacklog: overrides.tcpMaxSynBacklog ?? atLeast(4096, clients, 3, 2),
    somaxconn,
    backlog: overrides.backlog ?? somaxconn,
    nofile: overrides.nofile ?? 500000,
    limitNofile: overrides.limitNofile ?? 32768,
    maxConnections,
    dbMaxConnections: overrides.dbMaxConnections ?? maxConnections - 10,
    maxClients: overrides.maxClients ?? atLeast(4096, clients, 6, 5),
  };
  refuse(brokenLinks(sizes));
  return sizes;
}

function refuse(problems: Problem[]): void {
  if (problems.length > 0) throw new SizingError(problems);
}

function notCounts(numbers: Record<string, unknown>): Problem[] {
  return Object.entries(numbers)
    .filter(([, value]) => value !== undefined && !isCount(value))
    .map(([property, value]) => ({
      property,
      reason: `${JSON.stringify(value) ?? String(value)} is no whole number from 1 to ${LARGEST}; give one`,
    }));
}

function brokenLinks(sizes: Sizes): Problem[] {
  const problems: Problem[] = [];
  if (sizes.workerRlimitNofile < 2 * sizes.workerConnections) {
    problems.push({
      property: "workerRlimitNofile",
      reason:
        `worker_rlimit_nofile ${sizes.workerRlimitNofile} is below 2 × worker_connections ${sizes.workerConnections}: ` +
        `a proxied websocket holds two descriptors; raise it to ${2 * sizes.workerConnections} or lower workerConnections`,
    });
  }
  if (sizes.backlog > sizes.somaxconn) {
    problems.push({
      property: "backlog",
      reason: `a backlog of ${sizes.backlog} is above net.core.somaxconn ${sizes.somaxconn}, which cuts it; lower backlog or raise somaxconn`,
    });
  }
  if (sizes.dbMaxConnections > sizes.maxConnections - SUPERUSER_RESERVED) {
    problems.push({
      property: "dbMaxConnections",
      reason:
        `the pool of ${sizes.dbMaxConnections} is above max_connections ${sizes.maxConnections} less the ` +
        `${SUPERUSER_RESERVED} that PostgreSQL reserves; lower dbMaxConnections or raise maxConnections`,
    });
  }
  if (sizes.dbMaxConnections < 1) {
    problems.push({
      property: "maxConnections",
      reason: `max_connections ${sizes.maxConnections} leaves no connection for WAPT's pool; give at least 11`,
    });
  }
  return problems;
}
