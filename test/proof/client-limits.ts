/** What this machine lets the proof's own process do, so that no figure of the server is really one of the client. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Descriptors of the process that are not connections. */
const OWN_FILES = 200;

/** The connections of a client at the most: its websocket, and one that downloads or logs in. */
const CONNECTIONS = 2;
/** Ports of connections that were closed wait for a minute: those of the attempts of a storm. */
const PORTS = 4;

export interface ClientLimits {
  readonly openFiles: number;
  readonly ports: number;
  /** The most clients that this process can be. */
  readonly most: number;
}

export function clientLimits(): ClientLimits {
  const openFiles = Number(execFileSync("sh", ["-c", "ulimit -Sn"], { encoding: "utf8" })) || Number.POSITIVE_INFINITY;
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/).map(Number);
  const ports = range[1]! - range[0]! + 1;
  return { openFiles, ports, most: Math.floor(Math.min((openFiles - OWN_FILES) / CONNECTIONS, ports / PORTS)) };
}

export const inWords = ({ openFiles, ports, most }: ClientLimits): string =>
  `this client may open ${openFiles} files and has ${ports} ports: at most ${most} clients`;
