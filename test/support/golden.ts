/** What a reader sees, kept as a file: a change of it is reviewed in a diff. `GOLDEN=write` in the environment writes it anew. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
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

/** @throws AssertionError with the difference between the text and the file's. */
export function equalsGolden(path: string, text: string): void {
  if (process.env.GOLDEN === "write") writeFileSync(path, text);
  assert.ok(existsSync(path), `${path} is missing: GOLDEN=write writes it`);
  assert.equal(text, readFileSync(path, "utf8"), `${path}: GOLDEN=write writes it anew`);
}

/** What a run of the CLI has printed, stdout before stderr, as `previews/NAME.txt` has it. */
export function printsGolden(name: string, { stdout, stderr }: Run): void {
  const errors = stderr === "" ? "" : `stderr:\n${settled(stderr)}`;
  equalsGolden(join(FOLDER, `${name}.txt`), settled(stdout) + errors);
}
