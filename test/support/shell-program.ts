/** Programs of the provider joined into one, and run by a shell that servers have. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Given {
  /** What the program finds as "$@". */
  readonly words?: readonly string[];
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A part is a file below `provider` by its name, or lines of sh. */
const textOf = (part: string): string =>
  /^[a-z/-]+\.sh$/.test(part) ? readFileSync(join(__dirname, "../../provider", part), "latin1") : part;

/** What a shell prints, Latin-1, that runs these parts; it succeeds and says nothing on its error stream. */
export function ran([shell = "sh", ...more]: readonly string[], parts: readonly string[], given: Given = {}): string {
  const { words = [], input = "", env = process.env } = given;
  const folder = mkdtempSync(join(tmpdir(), "shell-program-"));
  const file = join(folder, "program");
  try {
    writeFileSync(file, parts.map(textOf).join("\n"), "latin1");
    const options = { input, env, encoding: "latin1", maxBuffer: 2 ** 28, timeout: 300_000 } as const;
    const told = spawnSync(shell, [...more, file, ...words], options);
    assert.deepEqual([told.error, told.status, told.stderr], [undefined, 0, ""]);
    return told.stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
