/** nginx: its configuration as it reads it, its workers, and how a change is tested and takes effect. */
import { join } from "node:path";
import type { Problem } from "../../problem";
import type { Tree } from "../../text/format";
import { harmless } from "../../text/harmless";
import { type Facts, type OpenFiles, openFiles } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";
import type { Place } from "../../transaction/target";
import { directives, nginxConf } from "./nginx-conf";

export interface NginxState {
  readonly installed: boolean;
  /** Whether it is the server's own, not one below a root. */
  readonly live: boolean;
  /** The main configuration file, with what it includes. */
  readonly tree: Tree;
  /** `nginx -V`. */
  readonly version: string;
  /** "ok", or what `nginx -t` said. */
  readonly test: string;
  readonly workers: readonly OpenFiles[];
}

export const nginx: Service<NginxState> = {
  program: join(__dirname, "nginx.sh"),
  uses: ["systemd"],
  parse: (facts: Facts, files: ReadonlyMap<string, string>, root: string): NginxState => {
    const conf = facts.one("conf") ?? "";
    const version = facts.one("version");
    return {
      installed: version !== undefined || (root !== "" && files.has(conf)),
      live: root === "",
      tree: { root: conf, files },
      version: version ?? "",
      test: facts.one("test")?.trim() ?? "ok",
      workers: facts.named("worker").map(([, soft, hard]) => openFiles(soft, hard)),
    };
  },
};

/** `conf` is the main configuration file, "" for the one that nginx was built to read. */
export const nginxProbe = (conf = ""): Probe => ({ service: "nginx", words: [conf] });

/** A directive of the main configuration or of what it includes. */
export function nginxPlace(
  state: NginxState,
  directive: { readonly setting: string; readonly context?: string; readonly value: string },
  running?: { readonly value: string | undefined; readonly limitsFiles: boolean },
): Place {
  const { setting, context, value } = directive;
  const limit = (text: string | undefined) => (running?.limitsFiles && text !== undefined ? text : "-");
  return {
    setting,
    id: setting,
    stage: "nginx",
    format: nginxConf,
    tree: state.tree,
    key: context ? `${context}.${setting}` : setting,
    value,
    running: running?.value,
    inherits: true,
    effective: running ? "by either" : "by file",
    steps: (text) => (state.live ? [step(state, "reload", limit(text))] : []),
    checks: () => [step(state, "check")],
  };
}

const step = ({ tree }: NginxState, verb: string, ...words: string[]): Step => {
  return { service: "nginx", verb, words: [tree.root, ...words] };
};

/** The user of nginx's workers: of its `user` directive, else the one it was compiled with. */
export function nginxUser({ tree, version }: NginxState, given?: string): string {
  if (given) return given;
  const [configured] = inMain(tree, "user");
  const compiled = /--user=(\S+)/.exec(version)?.[1];
  return configured?.value.split(" ")[0] ?? compiled ?? "www-data";
}

/** The least of the workers' limits of open files: one that kept an old limit is a difference. */
export function workersLimit({ workers }: NginxState): string | undefined {
  return workers.length === 0
    ? undefined
    : String(workers.reduce((least, { soft }) => Math.min(least, soft), Number.POSITIVE_INFINITY));
}

/** What forbids any change of nginx's configuration. */
export function nginxProblems({ installed, tree, test }: NginxState): Problem[] {
  if (!installed || !tree.files.has(tree.root)) {
    const reason = `nginx is not installed, or its configuration ${tree.root || "nginx.conf"} can't be read: give nginxConf where it lies elsewhere`;
    return [{ property: "nginxConf", reason }];
  }
  if (test === "ok") return [];
  const reason = `nginx refuses its configuration as it stands, before any change: ${harmless(test)}. Repair it first; nothing was touched`;
  return [{ property: "nginxConf", reason }];
}

/** One worker on a server with several processors. */
export function workerWarnings({ tree }: NginxState, cpus: number): string[] {
  const [processes] = inMain(tree, "worker_processes");
  if (cpus === 1 || (processes?.value ?? "1") !== "1") return [];
  const where = processes ? `${processes.file}:${processes.line}: ` : "";
  return [`preflight, workers: ${where}nginx runs one worker on ${cpus} processors: set worker_processes auto`];
}

/** nginx's backlog where a listen directive gives none, on Linux. */
const DEFAULT_BACKLOG = 511;

/** Queues that stay short because a listen directive asks for no longer one: somaxconn alone has no effect. */
export function backlogWarnings({ tree }: NginxState, somaxconn: number): string[] {
  if (!tree.files.has(tree.root)) return [];
  const backlog = (value: string) => Number(/ backlog=(\d+)/.exec(value)?.[1] ?? DEFAULT_BACKLOG);
  const short = directives(tree, "listen").find(
    ({ context, value }) => context[0] === "http" && !value.startsWith("unix:") && backlog(value) < somaxconn,
  );
  if (!short) return [];
  return [
    `preflight, backlog: ${short.file}:${short.line}: listen ${short.value.split(" ")[0]} has a queue of ${backlog(short.value)}, ` +
      `so net.core.somaxconn ${somaxconn} has no effect there: add backlog=${somaxconn} to one listen of each port`,
  ];
}

/** Places further in that win over the one in http. */
export function innerWarnings({ tree }: NginxState, name: string): string[] {
  return directives(tree, name)
    .filter(({ context }) => context.length > 1)
    .map(
      ({ file, line, value, context }) =>
        `${file}:${line}: ${name} ${value} stands inside ${context.at(-1)} and wins there`,
    );
}

const inMain = (tree: Tree, name: string) =>
  tree.files.has(tree.root) ? directives(tree, name).filter(({ context }) => context.length === 0) : [];
