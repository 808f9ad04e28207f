/** Writes a plan as the calls that apply.sh takes, and reads what it reports. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FileChange, Plan } from "./plan";
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
  return whole("observe.sh", [call("observe", root, nginx, postgresql, waptserver, ...folders)]);
}

// sh reads a brace group to its end before it runs any of it: a connection cut half-way runs nothing.
function whole(name: string, calls: readonly string[]): string {
  return `${program(name)}\n{\n${calls.join("\n")}\n} </dev/null\n`;
}

/** How long a transaction waits for another one on the same server, in seconds. */
export const LOCK_SECONDS = 120;

/** apply.sh with the calls that carry out a plan, `holder` being who others are told holds the lock. */
export function applyProgram(plan: Plan, root: string, holder: string): string {
  return whole("apply.sh", transactionCalls(plan, root, holder));
}

/** The calls alone, in their order: the transaction's steps. */
export function transactionCalls(plan: Plan, root: string, holder: string): string[] {
  const ids = new Map(plan.changes.map((change, index) => [change, `f${index}`]));
  const put = (...stages: FileChange["stage"][]) =>
    plan.changes
      .filter((change) => stages.includes(change.stage))
      .map((change) => call("put", ids.get(change)!, change.path));
  const running = root === "" ? plan.actions : [];
  const act = <N extends Action["name"]>(name: N) =>
    running.filter((one): one is Action & { name: N } => one.name === name);
  const wapt = act("wapt restart").flatMap((action) => action.units);
  const stopsWapt = wapt.length > 0;
  return [
    call("begin", root, String(LOCK_SECONDS), holder),
    ...plan.folders.map((folder) =>
      call("check_space", folder.path, String(folder.minFree.kilobytes), folder.minFree.text),
    ),
    ...plan.changes.map((change) => fileCall(change, ids.get(change)!)),
    ...act("sysctl").map((action) => call("check_sysctl", action.key.replaceAll(".", "/"), action.value)),
    ...(root === "" ? plan.checks.map(checkCall) : []),
    ...running.map((action) => call("pending", action.name)),
    ...plan.folders.map((folder) => call("folder", folder.path, folder.mode, `${folder.owner}:`)),
    ...put("kernel"),
    ...act("sysctl").map((action) => call("set_sysctl", action.key.replaceAll(".", "/"), action.value)),
    ...act("daemon-reload").map(() => call("daemon_reload")),
    ...put("nginx"),
    ...act("nginx reload").map((action) => call("nginx_reload", action.configuration, action.workerNofile ?? "-")),
    ...(stopsWapt ? [call("stop", ...wapt)] : []),
    ...put("postgresql"),
    ...act("postgresql restart").map((action) =>
      call("postgres_restart", action.unit, action.owner, action.port, action.data, action.maxConnections ?? "-"),
    ),
    ...put("wapt"),
    ...(stopsWapt || plan.start.length > 0 ? [call("start", ...plan.start)] : []),
    ...plan.removedFolders.map((path) => call("remove_folder", path)),
    ...put("record"),
    call("finish"),
  ];
}

function fileCall(change: FileChange, id: string): string {
  const bytes = (text: string) => Buffer.from(text, "latin1");
  const hash = change.from === undefined ? "-" : createHash("sha256").update(bytes(change.from)).digest("hex");
  const content = change.to === "" && change.stage !== "nginx" ? "-" : bytes(change.to).toString("base64");
  return call("file", id, change.path, hash, content, change.stage === "record" ? "600" : "644", "0:0");
}

function checkCall(check: Check): string {
  if (check.name === "nginx") return call("check_nginx", check.configuration);
  const { owner, binary, data, configuration, maxConnections } = check;
  return call("check_postgres", owner, binary, data, configuration, maxConnections ?? "-");
}

export interface Outcome {
  /** "ok", or why not: refused (all as before), changed (plan again), busy, broken (not all was put back). */
  readonly result: "ok" | "refused" | "changed" | "busy" | "broken" | "unknown";
  /** The reason, when not "ok". */
  readonly reason: string;
  readonly notes: readonly string[];
}

/** What apply.sh reported; "unknown" when it was cut off before its end. */
export function parseOutcome(output: string): Outcome {
  const notes: string[] = [];
  for (const line of output.split("\n")) {
    const [word, base64] = line.split(" ");
    const text = Buffer.from(base64 ?? "", "base64").toString("utf8");
    if (word === "note") notes.push(text);
    if (word === "result") {
      const space = text.indexOf(" ");
      return { result: text.slice(0, space) as Outcome["result"], reason: text.slice(space + 1), notes };
    }
  }
  return { result: "unknown", reason: "the transaction's report is not whole", notes };
}
