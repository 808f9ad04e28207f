/** What a run will do on a server beside the values: leaves of the inputs, so that a preview shows them. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { Server } from "../../services";
import type { Claim } from "../../transaction/ownership";
import { type Plan, pendingOf, planOf, restartsOf } from "../../transaction/plan";
import type { Target } from "../../transaction/target";
import { defined, OF_ONE_RUN, type Properties } from "./inputs";
import { observedSettings } from "./outputs";

export const withoutRun = (properties: Properties): Properties =>
  Object.fromEntries(Object.entries(properties).filter(([name]) => !(OF_ONE_RUN as readonly string[]).includes(name)));

/** Services with files of which a change is taken for a restart where nothing is said. */
const RESTARTING = new Set(["postgresql", "wapt", "systemd"]);

/** What a plan restarts, and what it leaves for later and why; an empty list where a change of such files restarts nothing. */
export function runOf(plan: Plan): { restarts?: string[]; waits?: string[] } {
  const [restarts, waits] = [restartsOf(plan), [...(plan.waits ?? []), ...(plan.deferred ?? [])]];
  const isGuessed = waits.length === 0 && plan.changes.some(({ stage }) => RESTARTING.has(stage));
  return { ...((restarts.length > 0 || isGuessed) && { restarts }), ...(waits.length > 0 && { waits }) };
}

/** The plan of a claim that nothing forbids; undefined where that depends on another resource of the program. */
export function planAsSeen(server: Server, claim: Claim): Plan | undefined {
  try {
    return planOf(server, claim);
  } catch {
    return undefined;
  }
}

/** What stands on the server and the state does not know; undefined where the state is right. */
export function foundOn(server: Server, target: Target, olds: Properties, now: Date): Properties | undefined {
  const stands = observedSettings(target);
  const known = (olds.settings ?? {}) as Properties;
  const names = [...new Set(target.places.map(({ setting }) => setting))].filter((name) => known[name] !== undefined);
  const settings = names
    .filter((name) => stands[name] !== known[name])
    .map((name) => [name, stands[name] ?? "not set"] as const);
  const pending = pendingOf(target, server);
  const isNews = pending.length > 0 && !isDeepStrictEqual(pending, olds.pending);
  if (settings.length === 0 && !isNews) return undefined;
  // With the time two findings of the same are two differences.
  return defined({ ...Object.fromEntries(settings), pending: isNews ? pending : undefined, at: now.toISOString() });
}
