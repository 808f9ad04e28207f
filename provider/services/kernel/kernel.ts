/** The kernel: its queues, its limits of open files, and what a container's host leaves of them. */
import { join } from "node:path";
import type { Problem } from "../../problem";
import type { Tree } from "../../text/format";
import { harmless } from "../../text/harmless";
import type { Base } from "../../transaction/observation";
import { bound, type Facts, type OpenFiles, openFiles } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";
import type { Place } from "../../transaction/target";
import { limits, limitsTree } from "./limits";
import { sysctl, sysctlTree } from "./sysctl";

export interface KernelState {
  /** By dotted name. Empty below a root. */
  readonly sysctl: Readonly<Record<string, string>>;
  /** 0 where it is not known. */
  readonly memoryKilobytes: number;
  readonly cpus: number;
  /** The hard limit of open files that root can't raise; undefined where it can. */
  readonly ceiling?: number;
  /** Others that set a sysctl of ours when they start, with the file that says so. */
  readonly managers: readonly { readonly who: string; readonly file: string; readonly key: string }[];
  /** What PAM gives the next login of a user that limits.conf names, with the other lines that may be about it. */
  readonly logins: Readonly<Record<string, OpenFiles & { readonly lines: string }>>;
}

export const kernel: Service<KernelState> = {
  program: join(__dirname, "kernel.sh"),
  parse: (facts: Facts): KernelState => ({
    sysctl: Object.fromEntries(
      facts.named("sysctl").map(([key = "", value = ""]) => [key.replaceAll("/", "."), value]),
    ),
    memoryKilobytes: Number(facts.one("memory") ?? 0),
    cpus: Number(facts.one("cpus") ?? 1),
    ceiling: facts.one("ceiling") === undefined ? undefined : Number(facts.one("ceiling")),
    managers: facts.named("manager").map(([who = "", file = "", key = ""]) => {
      return { who, file, key: key.replaceAll("/", ".") };
    }),
    logins: Object.fromEntries(
      facts.named("login").map(([user = "", soft, hard, lines = ""]) => {
        return [user, { ...openFiles(soft, hard), lines: lines.split("\n").join("; ") }];
      }),
    ),
  }),
};

export const kernelProbe: Probe = { service: "kernel", words: [] };

type Found = Pick<Base, "files" | "names" | "own"> & { readonly kernel: KernelState };

/** A sysctl in its file and in the kernel, which takes it at once. */
export function sysctlPlace(found: Found, key: string, value: number): Place {
  const { sysctl: running } = found.kernel;
  const step = (verb: string, text: string): Step => {
    return { service: "kernel", verb, of: key, words: [key.replaceAll(".", "/"), text] };
  };
  return {
    setting: key,
    id: key,
    stage: "kernel",
    format: sysctl,
    tree: sysctlTree(found),
    key,
    value: String(value),
    removesEmptyFile: true,
    running: running[key],
    isTold: true,
    effective: "by running value",
    steps: (text) => (text === undefined || running[key] === undefined ? [] : [step("sysctl", text)]),
    checks: (text) => (text === undefined ? [] : [step("check", text)]),
  };
}

/** `nofile` of WAPT's guide of 2020, and of those since. */
const OF_GUIDE = 500000;
const OF_NEWER_GUIDE = 32768;

/** Whether what stands is right as it is where the program does not say what `nofile` shall be. */
const isOfGuide = (limit: number): boolean => limit === OF_GUIDE || limit === OF_NEWER_GUIDE;

/**
 * `nofile` of some users, hard and soft. Without a value what stands of either guide stays, and what does not stand gets
 * that of the guide by which the others were made. PAM reads its files at each login: there is nothing to activate, but to
 * look at.
 */
export function nofilePlaces(found: Found, users: readonly string[], value?: number): Place[] {
  const tree = limitsTree(found);
  const keys = users.flatMap((user) => ["hard", "soft"].map((type) => `${user} ${type} nofile`));
  const stands = value === undefined ? limits.read(tree, keys) : {};
  const now = (key: string) => Number(stands[key]?.value);
  const usual = keys.some((key) => now(key) === OF_NEWER_GUIDE) ? OF_NEWER_GUIDE : OF_GUIDE;
  return keys.map((key) => nofilePlace(tree, key, value ?? (isOfGuide(now(key)) ? now(key) : usual)));
}

function nofilePlace(tree: Tree, key: string, value: number): Place {
  const [user = "", type = ""] = key.split(" ");
  const look = (text: string): Step => {
    return { service: "kernel", verb: "login", of: `${user} ${type}`, words: [user, type, text] };
  };
  return {
    setting: "nofile",
    id: key,
    stage: "kernel",
    format: limits,
    tree,
    key,
    value: String(value),
    effective: "by file",
    // What stood before may have been without effect.
    steps: (text) => (text === String(value) ? [look(text)] : []),
  };
}

/** A login that gets another limit than the one that limits.conf says: a line in words that only PAM understands decides. */
export function loginProblems({ kernel }: Found, places: readonly Place[]): Problem[] {
  return places.flatMap((place) => {
    const [user = "", type = ""] = place.key.split(" ");
    const found = kernel.logins[user];
    const said = place.format.read(place.tree, [place.key])[place.key];
    const got = type === "hard" ? found?.hard : found?.soft;
    if (!found || said?.value !== place.value || got === bound(place.value)) return [];
    const reason =
      `a login of ${user} gets ${got} open files (${type}), though ${said.file} says ${place.value}: another line decides` +
      `${found.lines && ` (${harmless(found.lines, 300)})`}; remove it there`;
    return [{ property: "nofile", reason }];
  });
}

/**
 * What forbids each wanted limit of open files, by the argument that overrides it: a container's ceiling, above which a
 * limit would be written and would not be true, and the kernel's own bounds. `connections` are nginx's.
 */
export function openFilesProblems(
  state: KernelState,
  wanted: Readonly<Record<string, number>>,
  connections?: number,
): Problem[] {
  return Object.entries(wanted).flatMap(([property, limit]) => {
    const reason = ceilingReason(state, property, limit, connections) ?? boundReason(state, limit);
    return reason === undefined ? [] : [{ property, reason }];
  });
}

function ceilingReason({ ceiling }: KernelState, property: string, limit: number, connections?: number) {
  if (ceiling === undefined || limit <= ceiling) return undefined;
  const need = connections ? ` (${connections} connections need ${2 * connections} descriptors)` : "";
  const enough = connections && 2 * connections > ceiling ? `, which is not enough for these clients` : "";
  return (
    `a limit of ${limit} open files can't take effect: this server is a container whose hard limit is ${ceiling}${need}. ` +
    `Give ${property}: ${ceiling}${enough}, or raise the limit on the container's host (LXC: lxc.prlimit.nofile; nspawn: LimitNOFILE)`
  );
}

function boundReason({ sysctl: running }: KernelState, limit: number): string | undefined {
  const most = (key: string) => Number(running[key] ?? Number.POSITIVE_INFINITY);
  if (limit > most("fs.nr_open"))
    return `a limit of ${limit} open files is above the kernel's fs.nr_open ${most("fs.nr_open")}: raise that first, or give less`;
  if (limit > most("fs.file-max"))
    return `preflight, open files: fs.file-max is ${most("fs.file-max")}, one service alone may open ${limit}: raise fs.file-max`;
  return undefined;
}

/** What else sets a sysctl of ours: which of the two wins depends on who comes last. */
export const managerWarnings = ({ managers }: KernelState): string[] =>
  managers.map(
    ({ who, file, key }) =>
      `preflight, sysctl: ${harmless(who, 100)} sets ${key} too (${harmless(file, 200)}) when it starts, and may undo this value: remove it there`,
  );

/** The ports for nginx's connections to waptserver: at most one for every second of its connections. */
export function portWarnings({ sysctl: running }: KernelState, workerConnections: number): string[] {
  const [first, last] = (running["net.ipv4.ip_local_port_range"] ?? "").split(" ").map(Number);
  const ports = (last ?? 0) - (first ?? 0) + 1;
  const need = Math.ceil(workerConnections / 2);
  if (!first || !last || ports >= need) return [];
  return [
    `preflight, ports: net.ipv4.ip_local_port_range has ${ports} ports, nginx's connections to waptserver may need ${need}: widen it`,
  ];
}
