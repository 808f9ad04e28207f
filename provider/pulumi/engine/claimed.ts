/** What a resource's claim on its server is made from, beside its arguments: what it wanted before, its id, its stack's proofs. */
import { RefusedError } from "../../problem";
import type { AnyDefinition } from "../../resources/definition";
import type { Server } from "../../services";
import type { Target } from "../../transaction/target";
import type { Stored } from "./inputs";
import { rememberedPlaces } from "./outputs";
import type { Former } from "./servers";

/** The claim also holds what the resource wanted until now, so that it can be put back. */
export function applied(definition: AnyDefinition, target: Target, former: Former | undefined, server: Server) {
  const mode = "apply" as const;
  if (!former) return { target, mode };
  const { settings, args, properties } = former;
  return { target, mode, former: definition.target(settings, server, args), before: rememberedPlaces(properties) };
}

/** @throws RefusedError for a target of which a part can't be read: it must not be taken for one that is not there. */
export function readable(target: Target): Target {
  if (target.isUnreadable) throw new RefusedError(target.problems ?? []);
  return target;
}

/** @throws RefusedError, also for a target of which a part is no longer there. */
export function whole(target: Target): Target {
  if (target.gone?.length) throw new RefusedError(target.problems ?? []);
  return readable(target);
}

/** A resource's id, which check is not told: by its name in the server's record. */
export function idOnRecord({ type }: AnyDefinition, { stack, name }: Stored, { record }: Server): string {
  const entries = Object.values(record);
  return entries.find((entry) => entry.stack === stack && entry.resource === `${type} ${name}`)?.id ?? "";
}

// The state's outputs have the proof, and check is given its inputs alone: until a refresh the stack's name has to do.
export function proofsOfStack(proofs: ReadonlySet<string>, { stack }: Stored, { record }: Server): ReadonlySet<string> {
  const ofStack = Object.values(record).filter((entry) => entry.stack === stack);
  return new Set([...proofs, ...ofStack.flatMap(({ proof }) => proof ?? [])]);
}
