/** A run over the stacks of a fleet: waves, progress, an interrupt, and the closing table. */
import { harmlessSentence } from "../text/harmless";
import { demandOwnServers } from "./own-servers";
import { type Progress, progressOn } from "./progress";
import { type Runner, runnerIn, type StackRun } from "./stack-run";
import { stacksOf } from "./stacks";
import { rollOut, waveEnds } from "./waves";
import { countOf, type Option, textOf, type Words } from "./words";

export const runOptions: Readonly<Record<string, Option>> = {
  parallel: { type: "string", value: "N", help: "how many stacks run at the same time; 4 if not given" },
  output: {
    type: "string",
    value: "FOLDER",
    help: "where logs are kept; those of failures alone are kept if not given",
  },
};

/** Stacks that run at the same time: each is three processes of Node.js or Pulumi, about half a gigabyte. */
const PARALLEL = "4";

export interface FleetRun {
  readonly done: readonly { readonly stack: string; readonly result: StackRun }[];
  readonly notStarted: readonly string[];
  readonly failed: readonly string[];
}

export interface Plan {
  readonly words: readonly string[];
  readonly waves: string;
  readonly maxFail: number;
  /** Whether a server that two of the stacks name is refused first. */
  readonly ownsServers: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  /** What is said of one that ended well. */
  verdict(run: StackRun): string;
}

/** A share may have no stacks. */
const NOTHING: FleetRun = { done: [], notStarted: [], failed: [] };

/** @throws UsageError for options that are wrong, before anything is started. */
export async function runFleet(words: Words, plan: Plan): Promise<FleetRun> {
  const parallel = countOf(textOf(words, "parallel") ?? PARALLEL, "--parallel");
  const stacks = await stacksOf(words);
  if (stacks.length === 0) return NOTHING;
  const waves = waveEnds(plan.waves, stacks.length);
  if (plan.ownsServers) await demandOwnServers(stacks, (line) => console.error(line));
  const runner = runnerIn(textOf(words, "output"), plan.environment);
  const progress = progressOn(process.stderr);
  const interrupt = heedInterrupts(runner, progress);
  const keepsAll = textOf(words, "output") !== undefined;
  const rules = {
    waves,
    parallel,
    maxFail: plan.maxFail,
    isFailure: ({ status }: StackRun) => status !== 0,
    isStopped: () => interrupt.count > 0,
    onWave: (wave: number, some: readonly string[]) => {
      if (waves.length > 1)
        progress.note(`wave ${wave + 1} of ${waves.length}: ${some.length} of ${stacks.length} stacks`);
    },
  };
  try {
    const { done, notStarted } = await rollOut(stacks, rules, async (stack) => {
      progress.started(stack);
      const run = await runner.run(stack, plan.words, (line) => progress.says(stack, line));
      progress.ended(stack, verdictOf(run, plan));
      return run;
    });
    runner.tidy(done.filter(({ result }) => !keepsAll && result.status === 0).map(({ result }) => result.log));
    const failed = done.filter(({ result }) => rules.isFailure(result)).map(({ stack }) => stack);
    return { done, notStarted, failed };
  } finally {
    progress.close();
    interrupt.end();
  }
}

function verdictOf(run: StackRun, { verdict }: Plan): string {
  return run.status === 0
    ? `done in ${run.seconds} s${suffix(verdict(run))}`
    : `failed after ${run.seconds} s: ${reasonOf(run)}; log: ${run.log}`;
}

const suffix = (text: string): string => (text === "" ? "" : `: ${text}`);

/** The first error that says something; "update failed" does not. */
export function reasonOf({ last, status }: Pick<StackRun, "last" | "status">): string {
  const errors = last.flatMap((line) => /error: (.*)/.exec(line)?.[1] ?? []);
  const said = errors.find((line) => !/^(update|preview|refresh|destroy|resource .*) failed$/.test(line)) ?? errors[0];
  return harmlessSentence(said ?? last.at(-1) ?? `pulumi ended with status ${status}`);
}

/** Pulumi's own count: "1 updated, 1 unchanged". */
export function countsOf({ last }: StackRun): string {
  const counts = last.flatMap((line) => /^ {4}(?:[-+~]+ *)?(\d+ \w+)$/.exec(line)?.[1] ?? []);
  return counts.join(", ");
}

/** The first interrupt lets those that run end, and starts no others; each later one is passed on to Pulumi. */
function heedInterrupts(runner: Runner, progress: Progress) {
  const state = {
    count: 0,
    end: () => {
      for (const signal of SIGNALS) process.off(signal, heed);
    },
  };
  const heed = () => {
    state.count++;
    if (state.count > 1) return runner.interrupt();
    progress.note("interrupted: the stacks that run go on to their end; once more cancels them");
  };
  for (const signal of SIGNALS) process.on(signal, heed);
  return state;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** The closing table. */
export function tableOf({ done, notStarted, failed }: FleetRun, verdict: (run: StackRun) => string): string {
  const isFailed = new Set(failed);
  const rows = [
    ...done.map(({ stack, result }) => {
      const said = isFailed.has(stack) ? `${reasonOf(result)}; log: ${result.log}` : verdict(result);
      return [stack, isFailed.has(stack) ? "failed" : "done", `${result.seconds} s`, said];
    }),
    ...notStarted.map((stack) => [stack, "not started", "", ""]),
  ];
  const width = (column: number) => Math.max(0, ...rows.map((row) => row[column]!.length));
  const [first, second, third] = [width(0), width(1), width(2)];
  const lines = rows.map(([stack, result, time, said]) =>
    `${stack!.padEnd(first!)}  ${result!.padEnd(second!)}  ${time!.padStart(third!)}  ${said}`.trimEnd(),
  );
  const counts = [
    `${done.length - failed.length} done`,
    ...(failed.length > 0 ? [`${failed.length} failed`] : []),
    ...(notStarted.length > 0 ? [`${notStarted.length} not started`] : []),
  ];
  return `${lines.map((line) => `${line}\n`).join("")}${counts.join(", ")}\n`;
}
