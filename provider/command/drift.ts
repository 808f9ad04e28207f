/** What has drifted since the last report: a notice once, not each night. Pure, but for its file. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import type { Overview } from "./overview";
import { plural } from "./sections";

/** What is drifted, by server and what: what stands there. */
export type Drift = Readonly<Record<string, Readonly<Record<string, string>>>>;

const reportSchema = z.object({ version: z.literal(1), drift: z.record(z.string(), z.record(z.string(), z.string())) });

export interface News {
  /** In words, by server; those that were not in the last report, or are otherwise by now. */
  readonly fresh: readonly { readonly server: string; readonly what: string }[];
  readonly known: number;
  /** Those of the last report that are no more. */
  readonly ended: number;
  readonly unknown: readonly { readonly server: string; readonly reason: string }[];
  /** What the next report is compared with. */
  readonly drift: Drift;
}

/** @param stacks those that this run has read, where it is some of all: what was reported of others stays as it is. */
export function newsOf(overview: Overview, report: Drift, stacks?: readonly string[]): News {
  const { last = {}, others = {} } = partsOf(report, stacks);
  const now = driftOf(overview);
  const unknown = [...overview.failed, ...overview.unread].flatMap(({ what, servers }) =>
    servers.map((server) => ({ server, reason: what })),
  );
  // What was not read now is as it was.
  const isUnknown = (server: string) =>
    unknown.some((one) => one.server === server || server.startsWith(`${one.server}/`));
  const kept = Object.entries(last).filter(([server]) => isUnknown(server) && !now[server]);
  const fresh = entries(now).filter(([server, what, value]) => last[server]?.[what] !== value);
  return {
    fresh: fresh.map(([server, what, value]) => ({ server, what: wordsOf(what, value, overview, server) })),
    known: entries(now).length - fresh.length + entries(Object.fromEntries(kept)).length,
    ended: entries(last).filter(([server, what]) => !isUnknown(server) && now[server]?.[what] === undefined).length,
    unknown,
    drift: { ...others, ...Object.fromEntries(kept), ...now },
  };
}

/** What a report says of the stacks of this run, and of others. */
function partsOf(report: Drift, stacks?: readonly string[]): { last?: Drift; others?: Drift } {
  if (!stacks) return { last: report };
  // A server is STACK or STACK/RESOURCE, and `pulumi stack ls` may name a stack's organization before it.
  const read = new Set(stacks.map((stack) => stack.split("/").at(-1)));
  const isRead = (server: string) => read.has(server.split("/")[0]);
  const part = (isOf: boolean) => Object.fromEntries(Object.entries(report).filter(([one]) => isRead(one) === isOf));
  return { last: part(true), others: part(false) };
}

function driftOf({ servers }: Overview): Drift {
  const all = servers.flatMap(({ name, changes, due, waits }) => {
    const drifted = changes.filter((change) => change.drifted !== undefined);
    const values = drifted.map(({ setting, present }) => [setting, present ?? "?"] as const);
    // What a run was told to leave for later has not drifted.
    const late = waits.length === 0 ? due.map((what) => [what, ""] as const) : [];
    return values.length + late.length > 0 ? [[name, Object.fromEntries([...values, ...late])] as const] : [];
  });
  return Object.fromEntries(all);
}

const entries = (drift: Drift): [server: string, what: string, value: string][] =>
  Object.entries(drift).flatMap(([server, all]) =>
    Object.entries(all).map(([what, value]): [string, string, string] => [server, what, value]),
  );

function wordsOf(what: string, value: string, { servers }: Overview, server: string): string {
  if (value === "") return what;
  const change = servers.find(({ name }) => name === server)?.changes.find(({ setting }) => setting === what);
  return `${what} is ${value}, the last run set ${change?.drifted ?? "?"}`;
}

export function statusOfNews({ fresh, unknown }: News): 0 | 1 | 2 {
  if (unknown.length > 0) return 1;
  return fresh.length > 0 ? 2 : 0;
}

export function newsInWords({ fresh, known, ended, unknown }: News): string {
  const counts = [
    fresh.length === 0 ? "nothing has drifted anew" : `${plural(fresh.length, "new drift")}`,
    ...(known > 0 ? [`${known} as reported before`] : []),
    ...(ended > 0 ? [`${ended} put right since`] : []),
    ...(unknown.length > 0 ? [`${unknown.length} not read`] : []),
  ];
  const lines = [
    ...fresh.map(({ server, what }) => `  ${server}: ${what}\n`),
    ...unknown.map(({ server, reason }) => `  ${server}: not read: ${reason}\n`),
  ];
  return `${counts.join(", ")}\n${lines.join("")}`;
}

/** The last report; nothing is known where there is none. @throws Error for a file that is no report. */
export function lastDrift(path: string): Drift {
  if (!existsSync(path)) return {};
  try {
    return reportSchema.parse(JSON.parse(readFileSync(path, "utf8"))).drift;
  } catch {
    throw new Error(
      `${path} is no report of pulumi-wapt fleet drift: remove it, and all that has drifted counts as new`,
    );
  }
}

export const writeDrift = (path: string, drift: Drift): void =>
  writeFileSync(path, `${JSON.stringify({ version: 1, drift }, null, 1)}\n`);
