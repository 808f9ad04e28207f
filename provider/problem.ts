/** What is wrong and what to do: the words for the user. */
import { harmlessSentence } from "./text/harmless";

export interface Problem {
  /** The argument at fault. */
  readonly property: string;
  /** What was found, where, and what to do. */
  readonly reason: string;
}

/** A change that must not be made; nothing was touched. */
export class RefusedError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const shown = problems.map(harmlessProblem);
    super(shown.map(({ reason }) => reason).join("\n"));
    this.name = "RefusedError";
    this.problems = shown;
  }
}

/** A problem whose words may quote a server. */
export const harmlessProblem = ({ property, reason }: Problem): Problem => ({
  property,
  reason: harmlessSentence(reason),
});

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
