/** What is wrong and what to do: the words for the user. */

export interface Problem {
  /** The argument at fault. */
  readonly property: string;
  /** What was found, where, and what to do. */
  readonly reason: string;
}

/** A change that must not be made; nothing was touched. */
export class RefusedError extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map((problem) => problem.reason).join("\n"));
    this.name = "RefusedError";
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
