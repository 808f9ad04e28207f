/** Writes a plan as the calls that apply.sh takes, and reads what it reports; and observe.sh with its calls. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { harmlessSentence } from "../text/harmless";
import { call } from "../text/shell";
import type { Splice } from "../text/splices";
import type { FileChange, Plan } from "./plan";
import { formatRecord, parseRecord, RECORD } from "./record";
import { hashOf } from "./report";
import { type Probe, type Services, type Slot, type Step, stepName } from "./service";

/** Where on the server to look. */
export interface Scope {
  /** "" for the server itself, else a folder that holds its files; no service is touched then. */
  readonly root: string;
  readonly probes: readonly Probe[];
  readonly folders: readonly string[];
}

/** Who others are told holds the server's lock, and below which root. */
export interface Run {
  readonly root: string;
  readonly holder: string;
}

/** How long a transaction waits for another one on the same server, in seconds. */
export const LOCK_SECONDS = 120;

/** observe.sh and the services' programs, with the calls that a scope asks for. */
export function observeProgram({ root, probes, folders }: Scope, services: Services): string {
  const order = Object.keys(services.byName);
  const inOrder = probes.toSorted((one, other) => order.indexOf(one.service) - order.indexOf(other.service));
  const calls = [
    call("observe", root),
    ...inOrder.map(({ service, words }) => call("probe", service, ...words)),
    ...folders.map((path) => call("folder", path)),
    call("end_report"),
  ];
  return program(["lines.sh", "observe.sh"], services, withUses(probes, services), calls);
}

/** The transaction's program with the calls that carry out a plan. */
export function applyProgram(plan: Plan, services: Services, run: Run): string {
  return transactionProgram(transactionCalls(plan, services, run), services, servicesOf(plan, services, run));
}

/** The parts of the transaction's own program, in the order of what they need. */
const TRANSACTION = ["lines.sh", "apply.sh", "paths.sh", "files.sh", "folders.sh", "splice.sh"];

/** The transaction's own program and those of some services, with calls. */
export function transactionProgram(calls: readonly string[], services: Services, names: ReadonlySet<string>): string {
  return program(TRANSACTION, services, names, calls);
}

/** The program that takes away what every run leaves, as it was observed. */
export function removalProgram({ root, holder }: Run, journal: string, services: Services): string {
  const begin = call("begin", root, String(LOCK_SECONDS), holder, journal);
  return program([...TRANSACTION, "removal.sh"], services, new Set(), [begin, "leave", "finish", "leave_lock"]);
}

// sh reads a brace group to its end before it runs any of it: a connection cut half-way runs nothing.
function program(
  own: readonly string[],
  services: Services,
  names: ReadonlySet<string>,
  calls: readonly string[],
): string {
  const files = [
    ...own.map((name) => join(__dirname, name)),
    ...[...names].map((name) => services.byName[name]!.program),
  ];
  return `${files.map((file) => readFileSync(file, "utf8")).join("\n")}\n{\n${calls.join("\n")}\n} </dev/null\n`;
}

/** The services whose programs a plan needs. */
export function servicesOf(plan: Plan, services: Services, { root }: Run): ReadonlySet<string> {
  const steps = [...onServer(root, plan.checks), ...services.order.flatMap((slot) => stepsAt(slot, plan, root))];
  return withUses(steps, services);
}

/** Services, and those whose functions they call. */
function withUses(all: readonly { readonly service: string }[], { byName }: Services): ReadonlySet<string> {
  return new Set(all.flatMap(({ service }) => [service, ...(byName[service]!.uses ?? [])]));
}

/** The calls alone, in their order: the transaction's steps. */
export function transactionCalls(plan: Plan, services: Services, run: Run): string[] {
  const { root, holder } = run;
  const names = [...servicesOf(plan, services, run)];
  return [
    call("begin", root, String(LOCK_SECONDS), holder, plan.journal, ...names),
    ...preparations(plan, root),
    ...services.order.flatMap((slot) => callsAt(slot, plan, root)),
    ...plan.removedFolders.map((path) => call("remove_folder", path)),
    ...plan.returnedFolders.map(({ path, mode, owner }) => call("return_folder", path, mode, owner)),
    ...lastOfRecord(plan),
    call("finish"),
  ];
}

/** What is found out and written beside the files before any of them changes. */
function preparations(plan: Plan, root: string): string[] {
  const { first, last } = recordChanges(plan);
  return [
    ...plan.folders.map(({ path, minFree }) => call("space", path, String(minFree.kilobytes), minFree.text)),
    // The record first: it tells another run's change of a file from someone else's.
    ...(first ?? last ?? []).slice(0, 1),
    ...plan.changes.map((change, index) => fileCall(change, `f${index}`, "644")),
    ...(first ?? []).slice(1),
    ...plan.folders.map(({ path, mode, owner, selinuxType }) => call("folder", path, mode, `${owner}:`, selinuxType)),
    ...onServer(root, plan.checks).map(stepCall),
  ];
}

/** Below a root there is no service and no kernel to act on. */
const onServer = (root: string, steps: readonly Step[]): readonly Step[] => (root === "" ? steps : []);

const callsAt = (slot: Slot, plan: Plan, root: string): string[] =>
  "put" in slot
    ? put(plan, "put", ({ stage, isFirst }) => stage === slot.put && !isFirst)
    : "first" in slot
      ? put(plan, "put_first", ({ isFirst }) => isFirst === true)
      : stepsAt(slot, plan, root).map(stepCall);

function stepsAt(slot: Slot, plan: Plan, root: string): Step[] {
  if ("put" in slot || "first" in slot) return [];
  const [steps, name] = "check" in slot ? [plan.checks, slot.check] : [plan.steps, slot.step];
  const here = onServer(root, steps).filter((step) => stepName(step) === name);
  return here.map((step) => ({ ...step, ...slot.by }));
}

const stepCall = ({ service, verb, words }: Step): string => call("step", service, verb, ...words);

function put(plan: Plan, verb: string, isMeant: (change: FileChange) => boolean): string[] {
  return plan.changes.flatMap((change, index) => (isMeant(change) ? [call(verb, `f${index}`, change.path)] : []));
}

/**
 * The record's candidate and its rename, twice: what is new in it comes first, so that a run which is cut off does not
 * lose what stood there before, and what it forgets goes last, when it is no longer needed.
 */
function recordChanges(plan: Plan): { first?: [string, string]; last?: [string, string] } {
  if (!plan.record) return {};
  const { from, to } = plan.record;
  const [old, now] = [parseRecord(from), parseRecord(to)];
  const text = formatRecord({ ...old, ...now });
  const both = text || undefined;
  const steps = (id: string, was: string | undefined, text: string | undefined): [string, string] | undefined =>
    was === text ? undefined : [fileCall(rewritten(was, text), id, "600"), call("put", id, RECORD)];
  const first = isDeepStrictEqual(parseRecord(both), old) ? undefined : steps("r1", from, both);
  return { first, last: steps("r2", first ? both : from, to) };
}

function lastOfRecord(plan: Plan): string[] {
  const { first, last } = recordChanges(plan);
  return (last ?? []).slice(first ? 0 : 1);
}

/** The record with another text. */
function rewritten(from: string | undefined, to: string | undefined): FileChange {
  return {
    path: RECORD,
    stage: "record",
    hash: from === undefined ? undefined : hashOf(from),
    splices: to === undefined ? undefined : [{ start: 0, end: (from ?? "").length, text: to }],
  };
}

function fileCall({ path, hash = "-", splices, stage }: FileChange, id: string, mode: string): string {
  return call("file", id, path, hash, mode, "0:0", stage, ...(splices?.flatMap(spliceWords) ?? ["-"]));
}

const spliceWords = ({ start, end, text }: Splice): string[] => [
  String(start),
  String(end - start),
  Buffer.from(text, "latin1").toString("base64"),
];

export interface Outcome {
  /**
   * "ok", or why not: refused (all as before), changed or, by another run, overtaken (plan again), busy, broken (not all
   * was put back).
   */
  readonly result: "ok" | "refused" | "changed" | "overtaken" | "busy" | "broken" | "unknown";
  /** The reason, when not "ok". */
  readonly reason: string;
  readonly notes: readonly string[];
}

const RESULTS: readonly string[] = ["ok", "refused", "changed", "overtaken", "busy", "broken"];

/** More than any transaction has to say. */
const MOST_NOTES = 100;

/** What the transaction reported; "unknown" when it was cut off before its end. */
export function parseOutcome(output: string): Outcome {
  const notes: string[] = [];
  // A last line without its end may be cut off in the middle of a word.
  for (const line of output.split("\n").slice(0, -1)) {
    const [word, base64] = line.split(" ");
    const text = Buffer.from(base64 ?? "", "base64").toString("utf8");
    if (word === "note" && notes.length < MOST_NOTES) notes.push(harmlessSentence(text));
    const [, result = "", reason = ""] = /^(\w+) (.*)$/s.exec(text) ?? [];
    if (word === "result" && RESULTS.includes(result)) {
      return { result: result as Outcome["result"], reason: harmlessSentence(reason), notes };
    }
  }
  return { result: "unknown", reason: "the transaction's report is not whole", notes };
}
