/** Whether nginx's workers have read its configuration files as they are now. Pure. */
import { harmless } from "../../text/harmless";
import type { Facts } from "../../transaction/report";

/** What tells it. */
export interface Reading {
  /** When the oldest worker began, in seconds since 1970: it may have been earlier, not later. */
  readonly since?: number;
  /** The server's clock when it was asked. */
  readonly now: number;
  /** When each file, or a link to it, was last changed. */
  readonly changed: ReadonlyMap<string, number>;
  /** Whether the files are those that the workers of our own last reload have read; undefined after any other one. */
  readonly isSame?: boolean;
}

/** The second that a clock without fractions leaves out. */
const unseen = (clock: string) => (clock.includes(".") ? 0 : 1);

/** A container's host may give it an uptime of its own, which tells nothing of its processes. */
const MOST_SECONDS_APART = 2;

export function readingOf(facts: Facts): Reading {
  const [uptime = "", clock = "", booted = "", hertz = "100"] = facts.named("clock")[0] ?? [];
  // Some date programs have no %N and say the letter.
  const now = Number.parseFloat(clock) + unseen(clock);
  const boot = now - Number(uptime);
  const latestBoot = Math.abs(boot - Number(booted)) > MOST_SECONDS_APART ? Number(booted) + 1 : boot;
  const ticks = facts.named("worker").map(([, , , , ticks]) => Number(ticks));
  const since = latestBoot + (Math.min(...ticks) + 1) / Number(hertz);
  const [read, is] = facts.named("read")[0] ?? [];
  return {
    since: Number.isFinite(since) ? since : undefined,
    now,
    changed: changesOf(facts.named("changed")[0] ?? []),
    isSame: read === undefined ? undefined : read === is,
  };
}

function changesOf(listings: readonly string[]): Map<string, number> {
  const changed = new Map<string, number>();
  for (const line of listings.join("\n").split("\n")) {
    const [, time, path] = /^(\d+(?:\.\d+)?) (.+)$/.exec(line) ?? [];
    if (path !== undefined) changed.set(path, Math.max(Number(time), changed.get(path) ?? 0));
  }
  return changed;
}

/** Files that were changed after the oldest worker began, newest first; not those that the clock says will be changed. */
function newer({ since, now, changed }: Reading): string[] {
  const files = [...changed].filter(([, time]) => since !== undefined && time > since && time <= now + 1);
  return files.sort(([, one], [, other]) => other - one).map(([path]) => path);
}

/** What nginx still runs with, in words; undefined where it has read its files, or where that can't be told. */
export function staleConfiguration(reading: Reading, root: string): string | undefined {
  const [file = reading.isSame === false ? root : undefined] = newer(reading);
  if (reading.isSame === true || file === undefined) return undefined;
  const time = reading.changed.get(file);
  const when = time === undefined ? "" : ` at ${new Date(time * 1000).toISOString().slice(0, 19)}Z`;
  return `nginx runs with what it read before ${harmless(file)} was changed${when}`;
}

/** A file of the future, after which no worker can have begun: a reload would be repeated at each run. */
export function clockWarnings({ now, changed, isSame }: Reading): string[] {
  const [file] = [...changed].find(([, time]) => time > now + 1) ?? [];
  if (file === undefined || isSame !== undefined) return [];
  return [
    `${harmless(file)} was changed in the future by the server's clock: whether nginx has read it can't be told. Set the clock, or reload nginx`,
  ];
}
