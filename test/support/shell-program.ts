/** Programs of the provider joined into one, and run by a shell that servers have. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Given {
  /** What the program finds as "$@". */
  readonly words?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** A part is a file below `provider` by its name, or lines of sh. */
const textOf = (part: string): string =>
  /^[a-z/-]+\.sh$/.test(part) ? readFileSync(join(__dirname, "../../provider", part), "latin1") : part;

/**
 * What a shell prints, Latin-1, that gets these parts on its standard input, as on a server; it succeeds and says nothing on
 * its error stream.
 */
export function ran([shell = "sh", ...more]: readonly string[], parts: readonly string[], given: Given = {}): string {
  const { words = [], env = process.env } = given;
  const input = parts.map(textOf).join("\n");
  const options = { input, env, encoding: "latin1", maxBuffer: 2 ** 28, timeout: 300_000 } as const;
  const told = spawnSync(shell, [...more, "-s", ...words], options);
  assert.deepEqual([told.error, told.status, told.stderr], [undefined, 0, ""]);
  return told.stdout;
}
