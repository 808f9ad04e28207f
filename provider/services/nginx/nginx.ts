/** nginx: its configuration as it reads it, its workers, and how a change is tested and takes effect. */
import { join } from "node:path";
import type { Problem } from "../../problem";
import type { Tree } from "../../text/format";
import { harmless } from "../../text/harmless";
import { type Facts, type OpenFiles, openFiles } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";
import type { Need, Place } from "../../transaction/target";
import { type Reading, readingOf, staleConfiguration } from "./freshness";
import { directives, nginxConf } from "./nginx-conf";
import { type Master, mastersOf, type Serving, servingOf, unknownServing } from "./serving";

/** A process that answers requests. */
export interface Worker extends OpenFiles {
  readonly user?: string;
}

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
  /** Those of the one that serves. */
  readonly workers: readonly Worker[];
  /** All that run. */
  readonly masters: readonly Master[];
  /** undefined where none runs, or where it can't be told which of several serves. */
  readonly serving?: Serving;
  /** The unit of the one that serves, else of the one that would be started. */
  readonly unit: string;
  /** The configuration that the program gives, where the one that serves reads another. */
  readonly otherThan?: string;
  readonly reading: Reading;
  /** By address and port, such as 0.0.0.0:443: the connections that may wait there, as the kernel has it. */
  readonly queues: ReadonlyMap<string, number>;
}

export const nginx: Service<NginxState> = {
  program: join(__dirname, "nginx.sh"),
  uses: ["systemd"],
  parse: (facts: Facts, files: ReadonlyMap<string, string>, root: string): NginxState => {
    const conf = facts.one("conf") ?? "";
    const version = facts.one("version");
    const serving = servingOf(facts);
    return {
      installed: version !== undefined || (root !== "" && files.has(conf)),
      live: root === "",
      tree: { root: conf, files },
      version: version ?? facts.one("built") ?? "",
      test: facts.one("test")?.trim() ?? "ok",
      workers: facts.named("worker").map(([, soft, hard, user]) => ({ ...openFiles(soft, hard), user })),
      masters: mastersOf(facts),
      serving,
      unit: serving?.unit ?? "nginx",
      otherThan: facts.one("given"),
      reading: readingOf(facts),
      queues: new Map(facts.named("queue").map(([address = "", queue]) => [address, Number(queue)])),
    };
  },
};

/** `conf` is the main configuration file, "" for that of the nginx that serves, else the one that it was built to read. */
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
    steps: (text) => (state.live ? [step(state, "reload", state.unit, limit(text))] : []),
    checks: () => [step(state, "check", state.unit, state.serving && !stale(state) ? "fresh" : "-")],
  };
}

const step = ({ tree }: NginxState, verb: string, ...words: string[]): Step => {
  return { service: "nginx", verb, words: [tree.root, ...words] };
};

const stale = ({ reading, tree }: NginxState) => staleConfiguration(reading, tree.root);

/** A reload where files are right that nginx has not read. */
export function readingNeeds(state: NginxState): Need[] {
  const what = state.serving?.unit === undefined ? undefined : stale(state);
  return what === undefined ? [] : [{ what, steps: [step(state, "reload", state.unit, "-")] }];
}

/**
 * The user of nginx's workers: whom they run as, unless a reload would change that; else the one of the `user`
 * directive, the one that nginx was built for, and nginx's own default.
 */
export function nginxUser(state: NginxState, given?: string): string {
  const { tree, version, workers, serving } = state;
  const running = workers[0]?.user;
  if (given || (running && !stale(state))) return given || running!;
  const [configured] = [...inMain(commandLine(serving), "user"), ...inMain(tree, "user")];
  return configured?.value.split(" ")[0] ?? /--user=(\S+)/.exec(version)?.[1] ?? "nobody";
}

/** The directives of its command line, as a file. */
const commandLine = (serving: Serving | undefined): Tree => ({
  root: "-g",
  files: new Map([["-g", serving?.globals ?? ""]]),
});

/** nginx refuses a directive in a file that its command line has too. */
export function commandLineProblems({ serving }: NginxState, setting: string): Problem[] {
  const [given] = inMain(commandLine(serving), setting);
  if (!serving || !given) return [];
  const reason = `${setting} ${given.value} is on the command line of nginx (${harmless(serving.title, 200)}): remove it there (systemctl cat ${serving.unit ?? "nginx"})`;
  return [{ property: "connection", reason }];
}

/** The least of the workers' limits of open files: one that kept an old limit is a difference. */
export function workersLimit({ workers }: NginxState): string | undefined {
  return workers.length === 0
    ? undefined
    : String(workers.reduce((least, { soft }) => Math.min(least, soft), Number.POSITIVE_INFINITY));
}

/** What forbids any change of nginx's configuration: it is not known, or nginx refuses it. */
export function nginxProblems({ installed, tree, test, masters, serving, otherThan }: NginxState): Problem[] {
  const unknown = unknownServing(masters, serving);
  if (unknown !== undefined) return [{ property: "nginxConf", reason: unknown }];
  if (otherThan !== undefined) {
    const who = serving
      ? `the nginx that serves (process ${serving.pid}, ${harmless(serving.title, 200)})`
      : "the unit nginx, which does not run,";
    const reason = `nginxConf is ${otherThan}, but ${who} reads ${harmless(tree.root)}: remove nginxConf, or give that file`;
    return [{ property: "nginxConf", reason }];
  }
  if (serving && !tree.root.startsWith("/")) {
    const reason = `the nginx that serves (process ${serving.pid}, ${harmless(serving.title, 200)}) reads ${harmless(tree.root)}, a path that depends on where it was started: start it with whole paths (-c, -p)`;
    return [{ property: "nginxConf", reason }];
  }
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
