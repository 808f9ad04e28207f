/** Who is compared, and what is asked of each. */
import type { Run } from "../../examples/demo/stack";
import { type Result, type RunOptions, run } from "../lab/host";
import type { Fleet } from "./fleet";

/**
 * One contender, set up for one fleet; one that only reads leaves out what changes, and the engine's floor what it can't
 * see. Every step throws where the contender says it did not succeed.
 */
export interface Session {
  /** Tunes the servers. */
  apply(): Promise<void>;
  /** The same on tuned servers. @throws Error where the contender says that it changed something. */
  again?(): Promise<void>;
  /** Only asks whether something is to be changed. @throws Error where the contender says that something is. */
  ask(): Promise<void>;
  /** The same where somebody has changed a value on every server. @throws Error where the contender does not see it. */
  drift?(): Promise<void>;
  /** Ends what a step left running; called behind each, outside the measured time. */
  settle?(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  /** Whether the servers have nothing of it, so that they are not asked. */
  readonly tunesNothing?: boolean;
  /** Writes what the contender reads into an empty folder; nothing of this is measured. */
  session(fleet: Fleet, folder: string): Promise<Session>;
}

/** What a run of the CLI printed. @throws Error with that, unless its status is 0. */
export function succeededRun({ code, output }: Run): string {
  if (code !== 0) throw new Error(`pulumi: exit status ${code}\n${output}`);
  return output;
}

/** Of one step, all servers together. */
const STEP_SECONDS = 300;

/** Runs a contender's program. @throws Error with the end of what it printed, unless its status is 0. */
export async function succeeded(command: string[], options: RunOptions): Promise<Result> {
  const result = await run(command, { timeoutSeconds: STEP_SECONDS, ...options });
  if (result.code === 0) return result;
  const end = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-25).join("\n");
  throw new Error(`${command[0]}: exit status ${result.code}\n${end}`);
}
