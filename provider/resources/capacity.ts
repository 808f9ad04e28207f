/** What a server must have for so many clients: the memory that the pool takes, and what WAPT's vendor asks for. */
import type { Problem } from "../problem";
import type { Server } from "../services";
import { mebibytes } from "../services/postgresql/postgresql";
import type { ServerArguments } from "./definition";

/** What a backend of the pool holds of its own after a storm of agents, measured on WAPT 1.8.2: 3.0 to 3.6 MB. */
const BACKEND_KILOBYTES = 3516;

/** Left for the system, nginx, waptserver and PostgreSQL's own memory. */
const OTHER_KILOBYTES = 512 * 1024;

/**
 * A storm fills the whole pool, and its backends keep what they have: a server without that memory would swap, or the
 * kernel would end PostgreSQL.
 */
export function memoryProblems(
  server: Server,
  pool: number,
  { accept = [] }: Pick<ServerArguments, "accept">,
): Problem[] {
  const { root, kernel, wapt } = server;
  const has = kernel.memoryKilobytes;
  const all = pool * wapt.pools.count;
  const need = all * BACKEND_KILOBYTES;
  const isElsewhere = wapt.database !== undefined && !wapt.database.isHere;
  if (root !== "" || isElsewhere || has === 0 || need + OTHER_KILOBYTES <= has || accept.includes("memory")) return [];
  const fits = Math.max(0, Math.floor((has - OTHER_KILOBYTES) / BACKEND_KILOBYTES / wapt.pools.count));
  const reason =
    `preflight, memory: when all PCs come back at once the pool of ${all} fills, which takes ${mebibytes(need)} of PostgreSQL; ` +
    `the server has ${mebibytes(has)} for that and all else, and would swap or be killed. Give it more memory, or a smaller pool by ` +
    `dbMaxConnections (${fits} fit), or take the risk by accept: ["memory"]`;
  return [{ property: "dbMaxConnections", reason }];
}

/** The vendor's table: PCs, processors, GiB of memory. */
const HARDWARE = [
  [300, 2, 2],
  [1000, 4, 4],
  [3000, 8, 8],
  [Number.POSITIVE_INFINITY, 16, 16],
] as const;

/** The kernel keeps a part of the memory that a machine was given. */
const KERNELS_PART = 0.9;

export function hardwareWarnings({ root, kernel }: Server, clients: number): string[] {
  const [, cpus, gibibytes] = HARDWARE.find(([most]) => clients <= most)!;
  const has = kernel.memoryKilobytes;
  const isEnough = kernel.cpus >= cpus && has >= gibibytes * 1024 * 1024 * KERNELS_PART;
  if (root !== "" || has === 0 || isEnough) return [];
  return [
    `preflight, hardware: for ${clients} PCs WAPT's vendor asks for ${cpus} processors and ${gibibytes} GiB of memory; ` +
      `this server has ${kernel.cpus} and ${mebibytes(has)}: give it more, or say that you know by accept: ["hardware"]`,
  ];
}
