/** Writes a plan as the calls that apply.sh takes, and reads what it reports. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { FileChange, Plan } from "./plan";
import { formatRecord, parseRecord } from "./record";
import type { Action, Check } from "./target";

const program = (name: string): string => readFileSync(join(__dirname, name), "utf8");

/** A word that sh takes as it is. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

const call = (name: string, ...words: string[]): string => [name, ...words.map(quote)].join(" ");

/** observe.sh with its call. */
export function observeProgram(arguments_: {
  root: string;
  nginx: string;
  postgresql: string;
  waptserver: string;
  folders: readonly string[];
}): string {
  const { root, nginx, postgresql, waptserver, folders } = arguments_;
  return whole(["observe.sh"], [call("observe", root, nginx, postgresql, waptserver, ...folders)]);
}

// sh reads a brace group to its end before it runs any of it: a connection cut half-way runs nothing.
function whole(names: readonly string[], calls: readonly string[]): string {
  return `${names.map(program).join("\n")}\n{\n${calls.join("\n")}\n} </dev/null\n`;
}

/** How long a transaction waits for another one on the same server, in seconds. */
export const LOCK_SECONDS = 120;

/** The transaction's program with the calls that carry out a plan, `holder` being who others are told holds the lock. */
export function applyProgram(plan: Plan, root: string, holder: string): string {
  return transactionProgram(transactionCalls(plan, root, holder));
}

/** apply.sh and services.sh with calls. */
export function transactionProgram(calls: readonly string[]): string {
  return whole(["apply.sh", "services.sh"], calls);
}

/** The calls alone, in their order: the transaction's steps. */
export function transactionCalls(plan: Plan, root: string, holder: string): string[] {
  return [
    call("begin", root, String(LOCK_SECONDS), holder, ...plan.start),
    ...preparations(plan, root),
    ...activations(plan, root),
    call("finish"),
  ];
}

/** What is found out and written beside the files before any of them changes. */
function preparations(plan: Plan, root: string): string[] {
  const { first, last } = recordChanges(plan);
  const actions = actionsOn(root, plan);
  return [
    ...plan.folders.map(({ path, minFree }) => call("check_space", path, String(minFree.kilobytes), minFree.text)),
    ...managed(plan).map((change, index) => fileCall(change, `f${index}`)),
    ...(first ?? last ?? []).slice(0, 1),
    ...named(actions, "sysctl").map(({ key, value }) => call("check_sysctl", key.replaceAll(".", "/"), value)),
    ...(actions.length > 0 ? [call("pending", ...new Set(actions.map(({ name }) => name)))] : []),
    ...(first ?? []).slice(1),
    ...plan.folders.map((folder) => call("folder", folder.path, folder.mode, `${folder.owner}:`)),
    ...(root === "" ? plan.checks.map((check) => checkCall(check)) : []),
  ];
}

/** The one order that is safe for raising and for lowering: WAPT's pool never exceeds PostgreSQL. */
function activations(plan: Plan, root: string): string[] {
  const act = <N extends Action["name"]>(name: N) => named(actionsOn(root, plan), name);
  const toStart = root === "" ? plan.start : [];
  const units = act("wapt restart").flatMap((action) => action.units);
  const placed = root === "" ? plan.checks.filter((check) => check.name === "postgresql") : [];
  const { first, last } = recordChanges(plan);
  return [
    ...put(plan, "kernel"),
    ...act("sysctl").map(({ key, value }) => call("set_sysctl", key.replaceAll(".", "/"), value)),
    ...act("daemon-reload").map(() => call("daemon_reload")),
    ...put(plan, "nginx"),
    ...act("nginx reload").map((action) => call("nginx_reload", action.configuration, action.workerNofile ?? "-")),
    ...put(plan, "postgresql"),
    ...placed.map((check) => checkCall(check, "check_placed_postgres")),
    ...(units.length > 0 ? [call("stop", ...units)] : []),
    ...act("postgresql restart").map((action) =>
      call("postgres_restart", action.unit, action.owner, action.port, action.data, action.maxConnections ?? "-"),
    ),
    ...put(plan, "wapt"),
    ...(units.length > 0 || toStart.length > 0 ? [call("start", ...toStart)] : []),
    ...plan.removedFolders.map((path) => call("remove_folder", path)),
    ...(last ?? []).slice(first ? 0 : 1),
  ];
}

/** Below a root there is no service and no kernel to act on. */
const actionsOn = (root: string, plan: Plan): readonly Action[] => (root === "" ? plan.actions : []);

function named<N extends Action["name"]>(actions: readonly Action[], name: N): (Action & { name: N })[] {
  return actions.filter((one): one is Action & { name: N } => one.name === name);
}

const managed = (plan: Plan): FileChange[] => plan.changes.filter(({ stage }) => stage !== "record");

function put(plan: Plan, stage: FileChange["stage"]): string[] {
  return managed(plan).flatMap((change, index) =>
    change.stage === stage ? [call("put", `f${index}`, change.path)] : [],
  );
}

/**
 * The record's candidate and its rename, twice: what is new in it comes first, so that a run which is cut off does not
 * lose what stood there before, and what it forgets goes last, when it is no longer needed.
 */
function recordChanges(plan: Plan): { first?: [string, string]; last?: [string, string] } {
  const change = plan.changes.find(({ stage }) => stage === "record");
  if (!change) return {};
  const [old, now] = [parseRecord(change.from), parseRecord(change.to || undefined)];
  const both = formatRecord({
    settings: { ...old.settings, ...now.settings },
    pending: [...new Set([...old.pending, ...now.pending])].sort(),
  });
  const steps = (id: string, from: string | undefined, to: string): [string, string] | undefined =>
    from === to ? undefined : [fileCall({ ...change, from, to }, id), call("put", id, change.path)];
  const first = isDeepStrictEqual(parseRecord(both || undefined), old) ? undefined : steps("r1", change.from, both);
  return { first, last: steps("r2", first ? both : change.from, change.to) };
}

function fileCall(change: FileChange, id: string): string {
  const bytes = (text: string) => Buffer.from(text, "latin1");
  const hash = change.from === undefined ? "-" : createHash("sha256").update(bytes(change.from)).digest("hex");
  const content = change.to === "" && change.stage !== "nginx" ? "-" : bytes(change.to).toString("base64");
  return call("file", id, change.path, hash, content, change.stage === "record" ? "600" : "644", "0:0");
}

function checkCall(check: Check, postgresql = "check_postgres"): string {
  if (check.name === "nginx") return call("check_nginx", check.configuration);
  const { owner, binary, data, configuration, maxConnections } = check;
  return call(postgresql, owner, binary, data, configuration, maxConnections ?? "-");
}

export interface Outcome {
  /** "ok", or why not: refused (all as before), changed (plan again), busy, broken (not all was put back). */
  readonly result: "ok" | "refused" | "changed" | "busy" | "broken" | "unknown";
  /** The reason, when not "ok". */
  readonly reason: string;
  readonly notes: readonly string[];
}

const RESULTS: readonly string[] = ["ok", "refused", "changed", "busy", "broken"];

/** What the transaction reported; "unknown" when it was cut off before its end. */
export function parseOutcome(output: string): Outcome {
  const notes: string[] = [];
  // A last line without its end may be cut off in the middle of a word.
  for (const line of output.split("\n").slice(0, -1)) {
    const [word, base64] = line.split(" ");
    const text = Buffer.from(base64 ?? "", "base64").toString("utf8");
    if (word === "note") notes.push(text);
    const [, result = "", reason = ""] = /^(\w+) (.*)$/s.exec(text) ?? [];
    if (word === "result" && RESULTS.includes(result)) return { result: result as Outcome["result"], reason, notes };
  }
  return { result: "unknown", reason: "the transaction's report is not whole", notes };
}
