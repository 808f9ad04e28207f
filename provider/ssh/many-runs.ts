/** Many runs of one program of this machine, asked for at the same time: a shell starts them, many in one of its own. */
import { randomBytes } from "node:crypto";
import { quote } from "../text/shell";
import { type LocalResult, runLocally } from "./local-program";
import { Slots } from "./slots";

/** Runs of one shell: fewer than its input and its time allow for. */
const OF_ONE_SHELL = 25;
/** Shells, or single runs, at a time. */
const AT_A_TIME = 8;

interface Runner {
  readonly program: string;
  /** That one shell may take, and then each run; those of {@link runLocally} if not given. */
  readonly seconds: number | undefined;
  readonly places: Slots;
}

interface Waiting {
  readonly words: readonly string[];
  resolve(result: LocalResult): void;
  reject(error: unknown): void;
}

/** Runs the program with the words of each call, as {@link runLocally} does. */
export function runnerOfMany(program: string, seconds?: number): (words: readonly string[]) => Promise<LocalResult> {
  const places = new Slots(AT_A_TIME);
  let waiting: Waiting[] = [];
  const start = () => {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += OF_ONE_SHELL)
      void runSome({ program, seconds, places }, all.slice(at, at + OF_ONE_SHELL));
  };
  return (words) =>
    new Promise((resolve, reject) => {
      // Those of one turn of the event loop go together.
      if (waiting.length === 0) setImmediate(start);
      waiting.push({ words, resolve, reject });
    });
}

/** Each on its own where one shell can't run them all: where one of them hangs, the others still have their answers. */
async function runSome(runner: Runner, some: readonly Waiting[]): Promise<void> {
  const results = some.length > 1 && process.platform !== "win32" ? await inOneShell(runner, some) : undefined;
  const { program, seconds, places } = runner;
  await Promise.all(
    some.map(async ({ words, resolve, reject }, i) => {
      if (results?.[i] !== undefined) return resolve(results[i]);
      await inPlace(places, () => runLocally(program, words, seconds)).then(resolve, reject);
    }),
  );
}

async function inPlace<T>(places: Slots, run: () => Promise<T>): Promise<T> {
  await places.take();
  try {
    return await run();
  } finally {
    places.free();
  }
}

/** The result of each, or nothing where the shell did not run all of them to their ends. */
async function inOneShell(runner: Runner, some: readonly Waiting[]): Promise<LocalResult[] | undefined> {
  const { program, seconds, places } = runner;
  const mark = randomBytes(12).toString("hex");
  const runs = some.map(
    ({ words }) =>
      `${[program, ...words].map(quote).join(" ")}; printf '%s %s\n' ${mark} $?; printf '%s\n' ${mark} >&2`,
  );
  try {
    const { stdout, stderr } = await inPlace(places, () => runLocally("sh", ["-c", runs.join("\n")], seconds));
    const [outputs, errors] = [stdout, stderr].map((text) => text.split(mark)) as [string[], string[]];
    if (outputs.length !== some.length + 1 || errors.length !== some.length + 1) return undefined;
    const results = some.map((_, i) => ({
      stdout: outputs[i]!.replace(/^ \d+\n/, ""),
      stderr: errors[i]!.replace(/^\n/, ""),
      code: Number(/^ (\d+)\n/.exec(outputs[i + 1]!)?.[1]),
    }));
    // What the shell says of a program that is not there is no word of the program's.
    return results.some(({ code }) => code === 127) ? undefined : results;
  } catch {
    // Each alone says why.
    return undefined;
  }
}
