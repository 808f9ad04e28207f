/** A resource's inputs as Pulumi stores them, and their way to and from a definition's arguments. */
import { isDeepStrictEqual } from "node:util";
import {
  type Arguments,
  argumentNames,
  type Checked,
  checkArguments,
  type Definition,
  type Settings,
} from "../../resources/definition";
import type { Before } from "../../transaction/ownership";
import { hasUnknown } from "./unknown";

/** Property bags in Pulumi's calls. */
export type Properties = Record<string, unknown>;

/** What a resource stores beside its arguments. */
export interface Stored {
  /** organization/project/stack */
  readonly stack: string;
  readonly name: string;
  readonly settings: Settings;
  /** What stood there first, by place. */
  readonly before?: Settings;
  /** Places of `before` that no file had set: there it is the running value. */
  readonly unset?: readonly string[];
  /** What a server still runs with an old value, as read() found it. */
  readonly pending?: readonly string[];
}

/** The arguments of a definition in a property bag. */
export function argumentsIn(properties: Properties): Properties {
  const names = new Set(["__provider", "stack", "name", "settings", "before", "unset", "pending"]);
  return Object.fromEntries(
    Object.entries(properties).filter(([name, value]) => !names.has(name) && value !== undefined && value !== null),
  );
}

/** Checks the arguments in a property bag; those not known yet are left out. */
export function checkProperties(
  definition: Definition,
  properties: Properties,
): Checked & { unknown: ReadonlySet<string> } {
  const given = argumentsIn(properties);
  const unknown = new Set(Object.keys(given).filter((name) => hasUnknown(given[name])));
  return { ...checkArguments(definition, given, unknown), unknown };
}

/** The arguments of a stored resource, or an Error: they were checked when it was stored. */
export function storedArguments(
  definition: Definition,
  properties: Properties,
): { args: Arguments; settings: Settings } {
  const names = new Set(argumentNames(definition));
  // A later version may have fewer arguments: what it does not know it does not need.
  const known = Object.fromEntries(Object.entries(properties).filter(([name]) => names.has(name)));
  const checked = checkProperties(definition, known);
  if (checked.problems) {
    throw new Error(checked.problems.map((problem) => `${problem.property}: ${problem.reason}`).join("\n"));
  }
  return checked;
}

export function storedIn(properties: Properties): Stored {
  return {
    stack: String(properties.stack ?? ""),
    name: String(properties.name ?? ""),
    settings: (properties.settings ?? {}) as Settings,
    before: properties.before as Settings | undefined,
    unset: properties.unset as string[] | undefined,
    pending: properties.pending as string[] | undefined,
  };
}

/** What to put back at each place, as the state remembers it. */
export function rememberedBefore({ before, unset }: Stored): Record<string, Before> {
  const places = new Set([...Object.keys(before ?? {}), ...(unset ?? [])]);
  return Object.fromEntries(
    [...places].map((id) => {
      const value = before?.[id] === undefined ? undefined : String(before[id]);
      return [id, { file: unset?.includes(id) ? null : (value ?? null), running: value }];
    }),
  );
}

/** The names of the properties in which two bags differ; Pulumi's own and undefined ones do not count. */
export function differing(olds: Properties, news: Properties): string[] {
  const names = new Set([...Object.keys(news), ...("pending" in olds ? ["pending"] : [])]);
  names.delete("__provider");
  return [...names].filter((name) => !isDeepStrictEqual(plain(olds[name]), plain(news[name])));
}

// null and undefined are the same to Pulumi.
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

/** A number where the text is one, so that a value read back has the type of the one wanted. */
export function typed(text: string): number | string {
  return /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}
