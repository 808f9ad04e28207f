/** What a benchmark prints: medians, tables in Markdown, and the machine they come from. */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";

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
