/** Tries a sudo password once at a time, so that one that is wrong does not lock the account. */
import { createHash } from "node:crypto";
import type { SshError } from "./ssh-error";
import { isWrongPassword } from "./sudo";

/** Verdict on a password: undefined when sudo took it, or when nothing was learnt. */
const verdicts = new Map<string, Promise<SshError | undefined>>();

/**
 * Runs something with a sudo password that may be wrong. The first to use a password on a server tries it alone; whoever
 * comes meanwhile waits until sudo has taken or refused it, and a refused one is not shown to that server again: three
 * programs at once with a wrong password would lock the account (faillock). `run` calls `taken` once sudo let it pass.
 */
export async function withTriedPassword<T>(
  destination: string,
  password: string,
  run: (taken: () => void) => Promise<T>,
): Promise<T> {
  const id = createHash("sha256")
    .update(JSON.stringify([destination, password]))
    .digest("base64");
  for (let known = verdicts.get(id); known !== undefined; known = verdicts.get(id)) {
    const refusal = await known;
    if (refusal !== undefined) throw refusal;
    // A trial that taught nothing (the connection was cut) is forgotten: then the next one tries.
    if (verdicts.get(id) === known) return run(() => {});
  }
  let decide: (verdict: SshError | undefined) => void = () => {};
  verdicts.set(id, new Promise((resolve) => (decide = resolve)));
  try {
    return await run(() => decide(undefined));
  } catch (error) {
    if (isWrongPassword(error)) decide(error);
    else verdicts.delete(id);
    throw error;
  } finally {
    decide(undefined);
  }
}

/** Forgets which passwords were refused. */
export function forgetTrials(): void {
  verdicts.clear();
}
