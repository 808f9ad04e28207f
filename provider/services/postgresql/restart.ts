/** What a restart of a cluster needs, and what it would activate beside our change: found out before it. */
import type { Problem } from "../../problem";
import { harmless } from "../../text/harmless";
import { type Cluster, type Fault, type PendingSetting, pendingOfOthers } from "./postgresql";

/** Settings that say where a server is found, or by which files: after a restart WAPT might not reach it. */
const WHEREABOUTS: ReadonlySet<string> = new Set([
  "data_directory",
  "external_pid_file",
  "hba_file",
  "ident_file",
  "listen_addresses",
  "port",
  "unix_socket_directories",
]);

/** What forbids the restart of one that runs. */
export function restartProblems(cluster: Cluster): Problem[] {
  const reasons = [...processReasons(cluster), ...faultReasons(cluster.faults), ...pendingReasons(cluster)];
  return reasons.map((reason) => ({ property: "postgresqlConf", reason }));
}

function processReasons({ process, unit, binary, owner, disabled, configuration }: Cluster): string[] {
  const reasons: string[] = [];
  if (process && !process.isMain) {
    reasons.push(
      `PostgreSQL (process ${process.id} of ${owner}) runs in ${harmless(process.group, 100)}, and is the main process of no unit, ` +
        `so that it can't be restarted: stop it where it was started, and start its unit (systemctl start ${unit})`,
    );
  }
  if (binary.endsWith(" (deleted)")) {
    reasons.push(
      `PostgreSQL's program ${binary.replace(/ \(deleted\)$/, "")} is gone, so that it would not start again: install its package again`,
    );
  }
  if (disabled) {
    const file = configuration.replace(/[^/]*$/, "start.conf");
    reasons.push(`${file} says disabled, so that PostgreSQL would not start again: write auto or manual there`);
  }
  return reasons;
}

const faultReasons = (faults: readonly Fault[]): string[] =>
  faults.map(({ file, line, error }) => {
    const place = file === "" ? "" : `${file}:${line}: `;
    return `${place}${harmless(error, 300)}: PostgreSQL runs, but would not start again with that; correct it, and reload PostgreSQL`;
  });

function pendingReasons(cluster: Cluster): string[] {
  const others = pendingOfOthers(cluster);
  const moved = others.filter(({ name }) => WHEREABOUTS.has(name));
  if (moved.length > 0) {
    return [
      `a restart of PostgreSQL would also activate what its files say of ${listed(moved)}, after which WAPT might not reach it: ` +
        "restart it yourself when that is wanted, or take it back",
    ];
  }
  if (cluster.trial === undefined) return [];
  return [
    `PostgreSQL runs, but would not start again with what its files say of ${listed(others)}: ` +
      `${harmless(cluster.trial, 300) || "a trial gave no reason"}. Take that back, or restart it yourself`,
  ];
}

/** What the administrator should know of a restart. */
export function restartWarnings(cluster: Cluster): string[] {
  const others = pendingOfOthers(cluster);
  if (others.length === 0) return [];
  return [
    `the restart of PostgreSQL also activates what its files say of ${listed(others)}; a start with that is tried before it`,
  ];
}

/** A max_connections that someone changed and that waits for a restart. */
export function waitingWarnings({ pending }: Cluster): string[] {
  return pending
    .filter(({ name, running, file }) => name === "max_connections" && running !== file)
    .map(({ running, file }) => {
      const waits = file === "" ? "its default" : file;
      return `max_connections: PostgreSQL runs with ${running}; ${waits} stands in its files and waits for a restart`;
    });
}

const listed = (pending: readonly PendingSetting[]): string =>
  pending.map(({ name, running, file }) => (running && file ? `${name} (${running} → ${file})` : name)).join(", ");
