/** Several resources of one server as one: one read, one check, one transaction. */
import { z } from "zod";
import type { Problem } from "../problem";
import type { Server } from "../services";
import { notAName } from "../text/nearest";
import type { Probe } from "../transaction/service";
import { merged, type Target } from "../transaction/target";
import type { AnyDefinition, Definition, Own, Schemas, ServerArguments, Settings } from "./definition";

export interface Part {
  readonly definition: AnyDefinition;
  /** The argument that holds the part's own arguments; without it the part is left out. */
  readonly under?: string;
}

/** The parts' settings keep their order. `omit` names parts to leave out. */
export function compose<A extends ServerArguments & { omit?: readonly string[] }, S extends Settings>(
  type: string,
  parts: readonly Part[],
): Definition<A, S> {
  const plain = parts.filter((part) => part.under === undefined);
  const types = plain.map((part) => part.definition.type);
  const schemas = {
    ...Object.assign({}, ...plain.map((part) => part.definition.schemas)),
    ...Object.fromEntries(
      parts.flatMap(({ definition, under }) =>
        under === undefined
          ? []
          : [[under, z.strictObject(definition.schemas, { error: wordsFor(under, definition) }).optional()]],
      ),
    ),
    omit: z
      .array(
        z.enum(types, { error: ({ input }) => notAName(`part as ${JSON.stringify(input)}`, [String(input)], types) }),
        {
          error: `give a list of ${types.join(", ")}`,
        },
      )
      .optional(),
  };
  const chosen = (args: A) => chosenParts(parts, args);
  return {
    type,
    isSized: true,
    schemas: schemas as Schemas<Own<A>>,
    contradictions: (args) => withoutPart(plain, args),
    settings: (args, sizes) =>
      Object.assign({}, ...chosen(args).map((part) => part.definition.settings(part.args, sizes))),
    derived: Object.assign({}, ...parts.map((part) => part.definition.derived)),
    probes: (args) => oneOfEach(chosen(args).flatMap((part) => part.definition.probes(part.args))),
    folders: (args) => chosen(args).flatMap((part) => part.definition.folders?.(part.args) ?? []),
    target: (settings, server, args) => merged(chosen(args).map((part) => targetOf(part, settings, server))),
  };
}

/** Arguments of none but parts that are left out. */
function withoutPart(parts: readonly Part[], args: { omit?: readonly string[] }): Problem[] {
  const omitted = parts.filter(({ definition }) => args.omit?.includes(definition.type));
  const taken = new Set(
    parts.filter((part) => !omitted.includes(part)).flatMap((part) => Object.keys(part.definition.schemas)),
  );
  const given = Object.entries(args).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return omitted.flatMap(({ definition: { type, schemas } }) =>
    given
      .filter((name) => name in schemas && !taken.has(name))
      .map((property) => ({ property, reason: `omit names ${type}, so this has no effect: give only one of them` })),
  );
}

/** A sentence in place of zod's own. */
const wordsFor =
  (under: string, { schemas }: AnyDefinition) =>
  (issue: { code?: string; keys?: string[] }) => {
    const names = Object.keys(schemas);
    return issue.code === "unrecognized_keys"
      ? `${(issue.keys ?? []).join(", ")}: ${notAName(`argument of ${under}`, issue.keys ?? [], names)}`
      : `give an object with ${names.join(", ")}`;
  };

interface ChosenPart extends Part {
  readonly args: ServerArguments;
}

function chosenParts(parts: readonly Part[], args: ServerArguments & { omit?: readonly string[] }): ChosenPart[] {
  const named: Readonly<Record<string, unknown>> = { ...args };
  return parts.flatMap((part) => {
    if (args.omit?.includes(part.definition.type)) return [];
    if (part.under === undefined) return [{ ...part, args }];
    const own = named[part.under];
    return own === undefined ? [] : [{ ...part, args: { ...args, ...own } }];
  });
}

/** A problem of an argument is that of the argument which holds it. */
function targetOf({ definition, under, args }: ChosenPart, settings: Settings, server: Server): Target {
  const target = definition.target(settings, server, args);
  const own = (property: string) => (under && property in definition.schemas ? `${under}.${property}` : property);
  const problems = target.problems?.map((problem) => ({ ...problem, property: own(problem.property) }));
  return { ...target, problems };
}

/** A service is asked once: the parts have the arguments in common that say how. */
function oneOfEach(probes: readonly Probe[]): Probe[] {
  return [...new Map(probes.map((probe) => [probe.service, probe])).values()];
}
