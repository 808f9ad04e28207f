/** A resource's properties as Pulumi stores them, and their way to and from a definition's arguments. */
import { isDeepStrictEqual } from "node:util";
import {
  type AnyDefinition,
  argumentNames,
  type Checked,
  checkArguments,
  type ServerArguments,
  type Settings,
} from "../../resources/definition";
import { hasUnknown } from "./unknown";

/** Property bags in Pulumi's calls. */
export type Properties = Record<string, unknown>;

/** What a resource stores beside its arguments. */
export interface Stored {
  /** organization/project/stack */
  readonly stack: string;
  readonly name: string;
}

/** Properties that are of one run: a refresh takes them out of the state's inputs, and outputs have none. */
export const OF_ONE_RUN = ["restarts", "waits", "found", "machine"] as const;

/** Properties that are no arguments. */
const OWN = new Set<string>([
  ...["__provider", "stack", "name", "settings", "before", "places", "proof", "derived", "unset", "pending"],
  ...OF_ONE_RUN,
]);

/** Checks the arguments in a property bag; those not known yet are left out. */
export function checkProperties(
  definition: AnyDefinition,
  properties: Properties,
): Checked<ServerArguments, Settings> & { unknown: ReadonlySet<string> } {
  const given = defined(Object.fromEntries(Object.entries(properties).filter(([name]) => !OWN.has(name))));
  const unknown = new Set(Object.keys(given).filter((name) => hasUnknown(given[name])));
  return { ...checkArguments(definition, given, unknown), unknown };
}

/** The arguments of a stored resource, or an Error: they were checked when it was stored. */
export function storedArguments(
  definition: AnyDefinition,
  properties: Properties,
): { args: ServerArguments; settings: Settings } {
  const checked = checkStored(definition, properties);
  if (checked.problems) {
    throw new Error(checked.problems.map((problem) => `${problem.property}: ${problem.reason}`).join("\n"));
  }
  if (!checked.settings) throw new Error("the stored arguments have a value that is not known");
  return { args: checked.args, settings: checked.settings };
}

/** The arguments that a resource had when it was stored; undefined for a new one, and where they are none of this version's. */
export function formerArguments(
  definition: AnyDefinition,
  properties: Properties,
): { args: ServerArguments; settings: Settings } | undefined {
  if (properties.settings === undefined) return undefined;
  const checked = checkStored(definition, properties);
  return checked.problems || !checked.settings ? undefined : { args: checked.args, settings: checked.settings };
}

function checkStored(definition: AnyDefinition, properties: Properties): Checked<ServerArguments, Settings> {
  const names = new Set(argumentNames(definition));
  // A later version may have fewer arguments: what it does not know it does not need.
  return checkProperties(
    definition,
    Object.fromEntries(Object.entries(properties).filter(([name]) => names.has(name))),
  );
}

export const storedIn = ({ stack, name }: Properties): Stored => ({
  stack: String(stack ?? ""),
  name: String(name ?? ""),
});

/** The names of the properties in which two bags differ; Pulumi's own and undefined ones do not count. */
export function differing(olds: Properties, news: Properties): string[] {
  const names = new Set([...Object.keys(news), ...("pending" in olds ? ["pending"] : [])]);
  for (const name of ["__provider", "places", "proof", "derived"]) names.delete(name);
  return [...names].filter((name) => !isDeepStrictEqual(plain(olds[name]), plain(news[name])));
}

// null and undefined are the same to Pulumi.
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

/** Without what is not there: to Pulumi null is nothing, too. */
export const defined = (bag: object): Properties =>
  Object.fromEntries(Object.entries(bag).filter(([, value]) => value !== undefined && value !== null));
