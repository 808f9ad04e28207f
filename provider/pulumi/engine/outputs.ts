/** What an observed server says of a resource, as Pulumi stores it. Pure. */

import type { AnyDefinition, Settings } from "../../resources/definition";
import { harmless } from "../../text/harmless";
import type { Base } from "../../transaction/observation";
import type { Before } from "../../transaction/ownership";
import { fileValue, type Place, type Target, valueNow } from "../../transaction/target";
import type { Properties } from "./inputs";

/** A setting's value, or text where several places have several. */
export type Values = Readonly<Record<string, number | string>>;

/** What stood at each place first, by its id: what its file said, and what ran. A file that said nothing is left out. */
export type Places = Readonly<Record<string, { readonly file?: string; readonly running?: string }>>;

const NOT_SET = "not set";

/** What stood there first, as the state remembers it, else the record, else as it stands: by place. */
export function placesOf({ places }: Target, { record }: Base, olds: Properties = {}): Places {
  const known = storedPlaces(olds);
  return Object.fromEntries(
    places.map((place) => {
      const remembered = known[place.id];
      if (remembered) return [place.id, remembered];
      const entry = record[place.id];
      const [file, running] = entry ? [entry.before, entry.running] : [fileValue(place), place.running];
      return [place.id, { ...(file !== null && { file }), ...(running !== undefined && { running }) }];
    }),
  );
}

/** The same by setting, for people: "not set" where neither a file nor the service says anything. */
export function beforeOf({ places }: Target, stood: Places): Values {
  const value = ({ id }: Place) => stood[id]?.file ?? stood[id]?.running ?? NOT_SET;
  const bySetting = Map.groupBy(places, (place) => place.setting);
  return Object.fromEntries(
    [...bySetting].map(([setting, all]) => {
      const [first, ...others] = new Set(all.map(value));
      const each = all.map((place) => `${place.id} ${value(place)}`).join(", ");
      return [setting, others.length > 0 ? each : typed(first!)];
    }),
  );
}

/** The places, and `before`, as the server has them now. */
export function remembered(target: Target, base: Base) {
  const places = placesOf(target, base);
  return { places, before: beforeOf(target, places) };
}

/** Whether the server's record knows what stood at every place. */
export const isRecorded = ({ places }: Target, { record }: Base): boolean =>
  places.every(({ id }) => record[id] !== undefined);

/** Each setting's value on the server: the first one that differs where several places hold it; none where one has none. */
export function observedSettings({ places }: Target, wanted: Settings = {}): Values {
  // What no place holds, such as the limit of units that are not installed, can't differ.
  const held = new Set(places.map((place) => place.setting));
  const values: Record<string, number | string> = Object.fromEntries(
    Object.entries(wanted).flatMap(([name, value]) => (held.has(name) || value === undefined ? [] : [[name, value]])),
  );
  const missing = new Set<string>();
  for (const place of places) {
    const value = valueNow(place);
    if (value === undefined) missing.add(place.setting);
    else if (values[place.setting] === undefined || value !== place.value) values[place.setting] = typed(value);
  }
  return Object.fromEntries(Object.entries(values).filter(([setting]) => !missing.has(setting)));
}

/** Of the settings that no argument gives, what the server makes of their defaults. */
export function derivedOf(definition: AnyDefinition, args: object, { places }: Target): Settings | undefined {
  const isDerived = derivedBy(definition, args);
  const all = places.map(({ setting, value }) => [setting, typed(value)] as const);
  return someOf(all.filter(([setting]) => isDerived(setting)).reverse());
}

/** The same as the state remembers it, where the arguments ask for the default that it was made from. */
export function rememberedDerived(
  definition: AnyDefinition,
  { derived }: Properties,
  former: Settings | undefined,
  news: { readonly args: object; readonly settings: Settings },
): Settings | undefined {
  if (!isBag(derived) || !former) return undefined;
  const isDerived = derivedBy(definition, news.args);
  const stays = (name: string) => isDerived(name) && former[name] === news.settings[name];
  return someOf(Object.entries(derived as Values).filter(([name]) => stays(name)));
}

const someOf = (all: readonly (readonly [string, number | string])[]): Settings | undefined =>
  all.length > 0 ? Object.fromEntries(all) : undefined;

function derivedBy({ derived = {} }: AnyDefinition, args: object): (setting: string) => boolean {
  const given = new Map(Object.entries(args));
  return (setting) => derived[setting] !== undefined && (given.get(derived[setting]) ?? undefined) === undefined;
}

/** What stood there first, as the state remembers it; none where a creation failed half-way: the record has it then. */
export function storedPlaces({ places, before, unset }: Properties): Places {
  if (isBag(places)) return places as Places;
  return Array.isArray(unset) ? earlierPlaces(before, unset.map(String)) : {};
}

/** What to put back at each place, as the state remembers it. */
export function rememberedPlaces(properties: Properties): Record<string, Before> {
  return Object.fromEntries(
    Object.entries(storedPlaces(properties)).map(([id, { file, running }]) => [id, { file: file ?? null, running }]),
  );
}

/** As version 0.1.0 stored it: `before` by place, and in `unset` those that no file had set. */
function earlierPlaces(before: unknown, unset: readonly string[]): Places {
  const values = isBag(before) ? before : {};
  return Object.fromEntries(
    [...new Set([...Object.keys(values), ...unset])].map((id) => {
      const value = values[id] === undefined ? {} : { running: String(values[id]) };
      return [id, unset.includes(id) || !value.running ? value : { ...value, file: value.running }];
    }),
  );
}

const isBag = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** A number where the text is one, so that a value read back has the type of the one wanted; else text to show. */
function typed(text: string): number | string {
  return /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : harmless(text);
}
