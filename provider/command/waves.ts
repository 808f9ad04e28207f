/** A roll-out in waves: a few stacks first, and more only when those are well. It knows nothing of what runs. */
import { UsageError } from "./words";

/** How many stacks have been started when each wave is over, such as 1, 3, 30. @throws UsageError for no waves. */
export function waveEnds(text: string, stacks: number): number[] {
  const ends = text.split(",").map((part) => {
    const [, number = "", percent] = /^\s*(\d+)(%?)\s*$/.exec(part) ?? [];
    const end = percent ? Math.ceil((stacks * Number(number)) / 100) : Number(number);
    if (number === "" || end < 1 || (percent && Number(number) > 100))
      throw new UsageError(`--waves is "${text}": give how many stacks each wave ends with, such as 1,10%,100%`);
    return Math.min(end, stacks);
  });
  if (!isRising(ends))
    throw new UsageError(`--waves is "${text}": each wave ends with more stacks than the one before it`);
  if (ends.at(-1) !== stacks)
    throw new UsageError(
      `--waves is "${text}": ${stacks - ends.at(-1)!} of ${stacks} stacks are in none; end it with 100%`,
    );
  // With few stacks a percentage may say no more than the one before it.
  return [...new Set(ends)];
}

const isRising = (ends: readonly number[]): boolean => ends.every((end, at) => at === 0 || end >= ends[at - 1]!);

export interface RollOut<T> {
  /** In the order in which they ended. */
  readonly done: readonly { readonly stack: string; readonly result: T }[];
  readonly notStarted: readonly string[];
}

export interface Rules<T> {
  readonly waves: readonly number[];
  readonly parallel: number;
  /** More failures than that, and nothing else is started. */
  readonly maxFail: number;
  isFailure(result: T): boolean;
  /** Whether nothing else shall be started. */
  isStopped(): boolean;
  onWave?(wave: number, stacks: readonly string[]): void;
}

export async function rollOut<T>(
  stacks: readonly string[],
  rules: Rules<T>,
  run: (stack: string) => Promise<T>,
): Promise<RollOut<T>> {
  const done: { stack: string; result: T }[] = [];
  let started = 0;
  const failures = () => done.filter(({ result }) => rules.isFailure(result)).length;
  const goesOn = () => !rules.isStopped() && failures() <= rules.maxFail;
  for (const [wave, end] of rules.waves.entries()) {
    if (!goesOn()) break;
    rules.onWave?.(wave, stacks.slice(started, end));
    const worker = async () => {
      while (started < end && goesOn()) {
        const stack = stacks[started++]!;
        done.push({ stack, result: await run(stack) });
      }
    };
    await Promise.all(Array.from({ length: Math.min(rules.parallel, end - started) }, worker));
  }
  return { done, notStarted: stacks.slice(started) };
}
