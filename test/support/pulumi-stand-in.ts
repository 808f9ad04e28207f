/** A program named `pulumi` that does what a test says of each stack, and writes down when it was asked what. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** What it does for a stack. */
export interface Stand {
  /** What it prints, by its command's first word; of `config` there is none if not given. */
  readonly says?: Readonly<Record<string, string>>;
  readonly status?: number;
  readonly milliseconds?: number;
}

export interface Call {
  readonly stack: string;
  readonly words: readonly string[];
  readonly cache?: string;
  readonly runProgram?: string;
  readonly began: number;
  /** undefined where it was ended by a signal, or has not ended. */
  readonly ended?: number;
}

export interface StandIn {
  /** The folder, for other files of the test. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  calls(): Call[];
  /** What the environment of each call said of restarts. */
  restarts(): string[];
  remove(): void;
}

const PROGRAM = `#!${process.execPath}
const { appendFileSync, readFileSync } = require("node:fs");
const words = process.argv.slice(2);
const at = (name) => words[words.indexOf(name) + 1];
const stands = JSON.parse(readFileSync(process.env.STANDS, "utf8"));
if (words[0] === "stack") {
  console.log(JSON.stringify(Object.keys(stands).map((name) => ({ name, current: false }))));
  process.exit(0);
}
const stack = at("--stack");
const { says = {}, status = 0, milliseconds = 0 } = stands[stack];
const operation = words[words.indexOf(stack) + 1];
if (words[0] === "config") {
  console.log(says.config ?? "{}");
  process.exit(0);
}
const note = (call) => appendFileSync(process.env.CALLS, JSON.stringify({ stack, ...call }) + "\\n");
const { NODE_COMPILE_CACHE: cache, PULUMI_RUN_PROGRAM: runProgram = "" } = process.env;
note({ words, cache, runProgram, restarts: process.env.PULUMI_WAPT_RESTARTS ?? "", began: Date.now() });
process.on("SIGINT", () => {
  console.log("error: cancelled");
  process.exit(255);
});
process.stdout.write(says[operation] ?? "");
setTimeout(() => {
  note({ ended: Date.now() });
  process.exitCode = status;
}, milliseconds);
`;

export function pulumiStandIn(stands: Readonly<Record<string, Stand>>): StandIn {
  const folder = mkdtempSync(join(tmpdir(), "wapt-stand-in-"));
  const [program, list, calls] = ["pulumi", "stands.json", "calls"].map((name) => join(folder, name));
  writeFileSync(program!, PROGRAM);
  chmodSync(program!, 0o755);
  writeFileSync(list!, JSON.stringify(stands));
  writeFileSync(calls!, "");
  const written = () =>
    readFileSync(calls!, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return {
    folder,
    // The logs of failures are kept there.
    env: { TMPDIR: folder, PATH: `${folder}${delimiter}${process.env.PATH}`, STANDS: list!, CALLS: calls! },
    restarts: () => written().flatMap(({ restarts }) => (restarts === undefined ? [] : [restarts])),
    calls: () => {
      const byStack = Map.groupBy(written(), ({ stack }) => stack);
      return [...byStack.values()].map((parts) => Object.assign({}, ...parts));
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
