/** One `pulumi` process for one stack: several updates in one process are not safe in Pulumi. */
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

export interface StackRun {
  /** The exit status; undefined where the program could not be started, or was ended by a signal. */
  readonly status: number | undefined;
  readonly seconds: number;
  readonly stdout: string;
  /** The last lines of all that it said. */
  readonly last: readonly string[];
  /** Where all that it said is. */
  readonly log: string;
}

export interface Runner {
  /** @param onLine receives the last line as it comes. */
  run(stack: string, words: readonly string[], onLine?: (line: string) => void): Promise<StackRun>;
  /** Passes an interrupt on to those that run. */
  interrupt(): void;
  /** Removes logs that nobody needs, and the folder where nothing is left of it. */
  tidy(logs: readonly string[]): void;
  /** The folder of the logs. */
  readonly folder: string;
}

type Environment = Readonly<Record<string, string>>;

/** What stacks have in common is compiled once, for all of them and for later runs. */
export function commonEnvironment(): Record<string, string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pulumi-wapt/compiled");
  return {
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? cache,
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
}

/** The server is read by the process that plans: `refresh: always` alone starts another one for that. */
const ofOperation = (operation = ""): Environment =>
  ["preview", "up"].includes(operation) ? { PULUMI_RUN_PROGRAM: process.env.PULUMI_RUN_PROGRAM ?? "true" } : {};

/** @param output where logs are kept; a new folder for temporary files if not given. */
export function runnerIn(output: string | undefined, environment: Environment = {}): Runner {
  if (output !== undefined) mkdirSync(output, { recursive: true, mode: 0o700 });
  const folder = output ?? mkdtempSync(join(tmpdir(), "pulumi-wapt-"));
  const running = new Set<number>();
  return {
    folder,
    interrupt: () => {
      for (const pid of running) process.kill(pid, "SIGINT");
    },
    tidy: (logs) => {
      for (const log of logs) rmSync(log, { force: true });
      if (output === undefined && readdirSync(folder).length === 0) rmdirSync(folder);
    },
    run: async (stack, words, onLine) => {
      const began = Date.now();
      const log = join(folder, `${fileName(stack)}.log`);
      const { status, stdout, last } = await pulumi(["--stack", stack, ...words], {
        log,
        running,
        environment: { ...ofOperation(words[0]), ...environment },
        onLine,
      });
      return { status, seconds: Math.round((Date.now() - began) / 1000), stdout, last, log };
    },
  };
}

/** A stack of Pulumi Cloud is ORGANIZATION/STACK. */
export const fileName = (stack: string): string => stack.replace(/[^\w.-]/g, "_");

const KEPT_LINES = 200;

interface Watching {
  readonly log: string;
  /** The processes that run. */
  readonly running: Set<number>;
  readonly environment: Environment;
  readonly onLine?: ((line: string) => void) | undefined;
}

function pulumi(
  words: readonly string[],
  { log, running, environment, onLine = () => undefined }: Watching,
): Promise<Pick<StackRun, "status" | "stdout" | "last">> {
  rmSync(log, { force: true });
  const file = createWriteStream(log, { mode: 0o600 });
  // In a group of its own: an interrupt on the terminal is for this command, which lets it end.
  const child = spawn("pulumi", [...words, "--non-interactive", "--color=never"], {
    env: { ...process.env, ...commonEnvironment(), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  if (child.pid !== undefined) running.add(child.pid);
  // A character of several bytes may come in two pieces.
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8");
  let stdout = "";
  let last: string[] = [];
  const take = (chunk: string) => {
    file.write(chunk);
    const lines = chunk
      .toString()
      .split("\n")
      .filter((line) => line.trim() !== "");
    last = [...last, ...lines].slice(-KEPT_LINES);
    for (const line of lines) onLine(line.trim());
  };
  child.stdout.on("data", (chunk: string) => {
    stdout += chunk;
    take(chunk);
  });
  child.stderr.on("data", take);
  return new Promise((resolve) => {
    const end = (status: number | undefined, why?: string) => {
      if (child.pid !== undefined) running.delete(child.pid);
      if (why !== undefined) file.write(why);
      file.end(() => resolve({ status, stdout, last: why === undefined ? last : [...last, why] }));
    };
    child.on("error", (error) => end(undefined, `pulumi could not be started: ${error.message}`));
    child.on("close", (status, signal) =>
      end(status ?? undefined, signal ? `pulumi was ended by ${signal}` : undefined),
    );
  });
}

/** Runs `pulumi` for its answer. @throws Error with what it said where it fails. */
export async function ask(words: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "pulumi-wapt-"));
  try {
    const { status, stdout, last } = await pulumi(words, {
      log: join(folder, "log"),
      running: new Set(),
      environment: {},
    });
    if (status !== 0) throw new Error(`pulumi ${words.join(" ")}: ${last.slice(-5).join(" ") || `status ${status}`}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
