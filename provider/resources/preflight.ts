/**
 * What a server should have before a change, each as a named check with its figure and its remedy. An error stops the
 * change before anything is touched; a warning is said in preview.
 */

import { directives } from "../services/nginx/nginx-conf";
import type { Cluster, Server } from "../transaction/observation";
import { nginxTree } from "./nginx-server";

export interface Finding {
  /** The check's name. */
  readonly check: "backlog" | "disk" | "memory" | "open files" | "ports" | "tasks" | "workers";
  readonly severity: "error" | "warning";
  readonly text: string;
}

/** Shared memory that PostgreSQL takes for a connection, measured on PostgreSQL 15: 49 kB. */
const SHARED_KILOBYTES = 49;

/** What a busy backend of PostgreSQL takes, the lower end of an estimate of 5 to 10 MB. */
const BACKEND_KILOBYTES = 5 * 1024;

/** PostgreSQL's own processes beside its backends, generously. */
const POSTGRES_PROCESSES = 30;

/** Space for a file's candidate, its backup and the journal. */
const DISK_KILOBYTES = 2048;

/** nginx's backlog where a listen directive gives none, on Linux. */
const NGINX_BACKLOG = 511;

const finding = (check: Finding["check"], severity: Finding["severity"], text: string): Finding => ({
  check,
  severity,
  text: `preflight, ${check}: ${text}`,
});

/** The memory that max_connections may take. */
export function memoryFindings(server: Server, maxConnections: number): Finding[] {
  const [total, busy] = [server.memoryKilobytes, maxConnections * BACKEND_KILOBYTES];
  if (server.root !== "" || total === 0 || busy <= total) return [];
  const shared = maxConnections * SHARED_KILOBYTES;
  const text =
    `max_connections ${maxConnections} may take ${mebibytes(busy)} when all are busy, and takes ${mebibytes(shared)} at once; ` +
    `the server has ${mebibytes(total)}. Give it more memory, or fewer connections by maxConnections`;
  return [finding("memory", shared > total / 2 ? "error" : "warning", text)];
}

/** The processes that PostgreSQL's unit may have. */
export function taskFindings(cluster: Cluster, maxConnections: number): Finding[] {
  const need = maxConnections + POSTGRES_PROCESSES;
  if (cluster.tasksMax >= need) return [];
  const text =
    `systemd allows ${cluster.unit} ${cluster.tasksMax} processes, max_connections ${maxConnections} needs ${need}: ` +
    `raise TasksMax of the unit (systemctl edit ${cluster.unit})`;
  return [finding("tasks", "error", text)];
}

/** Whether what is to be written can be: a disk that is full or mounted read-only. */
export function diskFindings(server: Server, folders: readonly string[]): Finding[] {
  return server.disks
    .filter((disk) => folders.some((folder) => folder === disk.path || folder.startsWith(`${disk.path}/`)))
    .flatMap((disk) => {
      if (!disk.writable)
        return [finding("disk", "error", `${disk.path} is on a file system mounted read-only: remount it`)];
      if (disk.freeKilobytes >= DISK_KILOBYTES) return [];
      const text = `${disk.path} has ${disk.freeKilobytes} kB free, a safe change needs ${DISK_KILOBYTES} kB: free some`;
      return [finding("disk", "error", text)];
    });
}

/** The ports for nginx's connections to waptserver: at most one for every second of its connections. */
export function portFindings(server: Server, workerConnections: number): Finding[] {
  const [first, last] = (server.sysctl["net.ipv4.ip_local_port_range"] ?? "").split(" ").map(Number);
  const ports = (last ?? 0) - (first ?? 0) + 1;
  const need = Math.ceil(workerConnections / 2);
  if (!first || !last || ports >= need) return [];
  const text = `net.ipv4.ip_local_port_range has ${ports} ports, nginx's connections to waptserver may need ${need}: widen it`;
  return [finding("ports", "warning", text)];
}

/** The kernel's open files of all processes together. */
export function fileFindings(server: Server, limit: number): Finding[] {
  const most = Number(server.sysctl["fs.file-max"] ?? Number.POSITIVE_INFINITY);
  if (limit <= most) return [];
  return [
    finding("open files", "error", `fs.file-max is ${most}, one service alone may open ${limit}: raise fs.file-max`),
  ];
}

/** One worker of nginx on a server with several processors. */
export function workerFindings(server: Server): Finding[] {
  const [processes] = directives(nginxTree(server), "worker_processes").filter((one) => one.context.length === 0);
  if (server.cpus === 1 || (processes?.value ?? "1") !== "1") return [];
  const where = processes ? `${processes.file}:${processes.line}: ` : "";
  const text = `${where}nginx runs one worker on ${server.cpus} processors: set worker_processes auto`;
  return [finding("workers", "warning", text)];
}

/** Queues that stay short because a listen directive asks for no longer one: somaxconn alone has no effect. */
export function backlogFindings(server: Server, somaxconn: number): Finding[] {
  const tree = nginxTree(server);
  if (!tree.files.has(tree.root)) return [];
  const short = directives(tree, "listen")
    .filter((one) => one.context[0] === "http" && !one.value.startsWith("unix:"))
    .filter((one) => Number(/ backlog=(\d+)/.exec(one.value)?.[1] ?? NGINX_BACKLOG) < somaxconn);
  const [first] = short;
  if (!first) return [];
  const text =
    `${first.file}:${first.line}: listen ${first.value.split(" ")[0]} has a queue of ${/ backlog=(\d+)/.exec(first.value)?.[1] ?? NGINX_BACKLOG}, ` +
    `so net.core.somaxconn ${somaxconn} has no effect there: add backlog=${somaxconn} to one listen of each port`;
  return [finding("backlog", "warning", text)];
}

/** As a target gives them. */
export function reported(property: string, findings: readonly Finding[]) {
  return {
    problems: findings.filter((one) => one.severity === "error").map((one) => ({ property, reason: one.text })),
    warnings: findings.filter((one) => one.severity === "warning").map((one) => one.text),
  };
}

const mebibytes = (kilobytes: number): string => `${Math.ceil(kilobytes / 1024)} MiB`;
