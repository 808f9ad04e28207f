/** What a benchmark prints: medians, tables in Markdown, and the machine they come from. */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Of an even number of values, the lower one of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new Error("there is no median of nothing");
  return middle;
}

/** A Markdown table; the first column to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => (row[column] ?? "").length), 3));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, i) => (i === 0 ? (cells[i] ?? "").padEnd(width) : (cells[i] ?? "").padStart(width))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

/** The date, the processors, the load of the last minute, and the versions of Node.js and the kernel. */
export function machine(): string {
  const date = new Date().toISOString().slice(0, 10);
  const kernel = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
  return `${date}: ${availableParallelism()} processors, load ${load()}, Node.js ${process.version}, Linux ${kernel}`;
}

/** How many processes wanted a processor, on average of the last minute. */
export const load = (): string => loadavg()[0]!.toFixed(1);

const LOOK_SECONDS = 2;
/** Of all processors together, while nobody works. */
const IDLE_SHARE = 0.8;

/** Waits until the processors are mostly idle, so that one step is not slowed by another's aftermath; gives up in time. */
export async function quiet(patienceSeconds: number): Promise<void> {
  const deadline = Date.now() + patienceSeconds * 1000;
  let before = processorTimes();
  while (Date.now() < deadline) {
    await sleep(LOOK_SECONDS * 1000);
    const now = processorTimes();
    if ((now.idle - before.idle) / (now.all - before.all) >= IDLE_SHARE) return;
    before = now;
  }
}

/** Since the machine's start, of all processors: in nothing but "idle" and "iowait", and altogether. */
function processorTimes(): { idle: number; all: number } {
  const [first = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const times = first.split(/ +/).slice(1, 9).map(Number);
  return { idle: times[3]! + times[4]!, all: times.reduce((sum, time) => sum + time, 0) };
}
