/** What a preview's step says of one server: its settings, present and wanted. Pure. */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { harmless, harmlessSentence } from "../text/harmless";
import { restartsOf } from "./restarts";

/** A setting that a run would give another value. */
export interface Change {
  readonly setting: string;
  /** What stands on the server; null where that is not known. */
  readonly present: string | null;
  /** What the run gives it; null where that is not known before the run. */
  readonly wanted: string | null;
  /** What the last run gave it, where the server says something else by now: a drift. */
  readonly drifted?: string | null;
}

export interface ServerPreview {
  /** STACK/RESOURCE, or the stack's name where the resource has the same. */
  readonly name: string;
  /** Pulumi's word. */
  readonly operation: string;
  readonly changes: readonly Change[];
  /** What it still runs with an old value. */
  readonly due: readonly string[];
  /** Names of arguments that change beside settings; their values are not managed settings. */
  readonly arguments: readonly string[];
  /** Services that the run restarts. */
  readonly restarts: readonly string[];
  /** Restarts that it leaves for later, in words. */
  readonly waits: readonly string[];
  /** Why the server could not be read. */
  readonly unread?: string;
}

const bag = z.record(z.string(), z.unknown());
const state = z.looseObject({ inputs: bag.nullish(), outputs: bag.nullish() });
export const stepSchema = z.looseObject({
  op: z.string(),
  urn: z.string(),
  oldState: state.nullish(),
  newState: state.nullish(),
});

export type Step = z.infer<typeof stepSchema>;
type Bag = z.infer<typeof bag>;

const NOT_SET = "not set";

/** What is known of a step beside the step itself. */
export interface Circumstances {
  /** What the state said before the refresh: what the last run gave. */
  readonly last?: Bag;
  /** What the refresh complained of. */
  readonly complaint?: string;
}

export function serverPreview(name: string, step: Step, { last, complaint }: Circumstances): ServerPreview {
  const { op } = step;
  const [old, wanted] = statesOf(step);
  const unread = unreadReason(op, complaint, wanted);
  const isKnown = unread === undefined;
  const policy = (op === "delete" ? old.restart : wanted.restart) ?? "as needed";
  const isWaiting = policy !== "as needed";
  const former = isReading(step) ? wanted : isBag(wanted.found) ? old : last;
  const changes = isKnown && op !== "same" ? changesOf(op, old, wanted, former, isWaiting) : [];
  const due = isKnown ? wordsIn(old.pending) : [];
  const restarts = isKnown && op !== "same" ? restartsIn(wanted, changes, due) : [];
  // A version that says nothing of what waits leaves all restarts.
  const isLeft = isWaiting && restarts.length > 0 && wanted.waits === undefined && wanted.restarts === undefined;
  const policyName = typeof policy === "string" ? policy : JSON.stringify(policy);
  return {
    name: harmless(name),
    operation: op,
    changes,
    due,
    arguments: op === "update" && isKnown ? otherArguments(old, wanted) : [],
    restarts: isLeft ? [] : restarts,
    waits: isLeft ? [harmless(`${restarts.join(" and ")} (restart: ${policyName})`)] : wordsIn(wanted.waits),
    ...(unread !== undefined && { unread }),
  };
}

/** As the provider says it; one that does not say it is known by its changes. */
function restartsIn({ restarts, waits }: Bag, changes: readonly Change[], due: readonly string[]): string[] {
  if (!Array.isArray(restarts)) return waits === undefined ? restartsOf(changes, due) : [];
  return wordsIn(restarts).map((unit) => SERVICES[unit] ?? unit);
}

const SERVICES: Readonly<Record<string, string>> = { postgresql: "PostgreSQL", waptserver: "WAPT" };

const wordsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.map((word) => harmlessSentence(String(word))) : [];

/** A preview of a refresh knows the outputs of its new state: those are what the server says. */
const isReading = ({ op, newState }: Step): boolean => op === "update" && newState?.outputs?.settings !== undefined;

/** What stands, and what is wanted; where the server is only read that is what the last run gave. */
function statesOf(step: Step): [Bag, Bag] {
  const [old, given] = [step.oldState?.inputs ?? {}, step.newState?.inputs ?? {}];
  return isReading(step) ? [given, old] : [old, given];
}

/** A new one that is down has nothing of what stood there before. */
function unreadReason(op: string, complaint: string | undefined, wanted: Bag): string | undefined {
  if (complaint !== undefined) return harmlessSentence(complaint);
  return op === "create" && !isBag(wanted.before) ? "it is new, and what stands there could not be read" : undefined;
}

function changesOf(op: string, old: Bag, wanted: Bag, last: Bag | undefined, isWaiting: boolean): Change[] {
  const [present, target] = valuesOf(op, old, wanted);
  if (!isBag(target)) return [{ setting: "settings", present: null, wanted: null }];
  // What a check found on the server, where no refresh was made.
  const found = isBag(wanted.found) ? wanted.found : {};
  const now: Bag = { ...(isBag(present) ? present : {}), ...found };
  delete now.at;
  const before = isBag(old.before) ? old.before : {};
  const former = op === "update" && isBag(last?.settings) ? last.settings : {};
  return [...new Set([...Object.keys(target), ...Object.keys(now)])].flatMap((setting) => {
    const [stands, wants] = [now[setting] ?? NOT_SET, target[setting] ?? before[setting] ?? NOT_SET];
    if (isDeepStrictEqual(stands, wants)) return [];
    const change = { setting: harmless(setting), present: shown(stands), wanted: shown(wants) };
    const was = former[setting];
    const isDrift = was !== undefined && !isDeepStrictEqual(was, stands);
    // What a run was told to leave for later is no drift.
    const isLeft = isWaiting && isDeepStrictEqual(was, wants) && restartsOf([change], []).length > 0;
    return [isDrift && !isLeft ? { ...change, drifted: shown(was) } : change];
  });
}

/** From what to what an operation takes the settings: a deletion puts back what stood there first. */
function valuesOf(op: string, old: Bag, wanted: Bag): [unknown, unknown] {
  if (op === "create") return [wanted.before, wanted.settings];
  if (op === "delete") return [old.settings, old.before];
  return [old.settings, wanted.settings];
}

/** What is no argument, of this version and of others. */
const OWN = new Set(
  "__provider stack name settings before places proof derived pending unset restarts waits found machine".split(" "),
);

function otherArguments(old: Bag, wanted: Bag): string[] {
  const names = [...new Set([...Object.keys(old), ...Object.keys(wanted)])].sort();
  const changed = names.filter((name) => !OWN.has(name) && !isDeepStrictEqual(old[name], wanted[name]));
  return changed.map((name) => harmless(name));
}

const isBag = (value: unknown): value is Bag => typeof value === "object" && value !== null && !Array.isArray(value);

/** A managed value is a number or a word; what is neither is not shown. */
const shown = (value: unknown): string | null =>
  typeof value === "number" || typeof value === "string" ? harmless(String(value), 200) : null;
