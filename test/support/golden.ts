/** A preview as the CLI prints it, kept as a file: what a reader sees is reviewed in a diff. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Run } from "../../examples/demo/stack";

const FOLDER = join(__dirname, "../servers/previews");

/** What differs from run to run, as one word each: times, the server's own place and names, what its disk has free. */
const DIFFERS: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>"],
  [/(\bport *: )\d+/g, "$1<port>"],
  [/(\buser *: ")[^"]+/g, "$1<user>"],
  [/(\bhostKey *: ")[^"]+/g, "$1<key>"],
  [/(\broot *: ")[^"]+/g, "$1<folder>"],
  [/\bhas \d+ MiB free/g, "has <some> MiB free"],
  [/(\bmachine *: ")[^"]+/g, "$1<machine>"],
  [/(\[id=[^\]]*\/)[0-9a-f]{12}\]/g, "$1<digest>]"],
  // How often progress is told depends on time.
  [/^@ .*\n/gm, ""],
  [/[ \t]+$/gm, ""],
  [/\n{3,}/g, "\n\n"],
];

const settled = (output: string): string =>
  `${DIFFERS.reduce((text, [found, told]) => text.replace(found, told), output).trim()}\n`;

/**
 * Compares what a run has printed with `previews/NAME.txt`, stdout before stderr; `GOLDEN=write` in the environment writes that
 * file.
 * @throws AssertionError with the difference.
 */
export function assertGolden(name: string, { stdout, stderr }: Run): void {
  const path = join(FOLDER, `${name}.txt`);
  const text = settled(stdout) + (stderr === "" ? "" : `stderr:\n${settled(stderr)}`);
  if (process.env.GOLDEN === "write") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"), `${name}: GOLDEN=write writes it anew`);
}
