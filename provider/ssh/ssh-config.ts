/** Reads ssh_config files: what they say for one host. */
import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import type * as Package from "ssh-config" with { "resolution-mode": "import" };
import { nameMatcher } from "../text/wildcards";
import { expandGlob } from "./file-glob";
import { matchesPatterns } from "./host-patterns";
import { SshError } from "./ssh-error";

// The package has a CommonJS build, but declares types for ES modules only, which an import here would refuse.
const { LineType, parse } = require("ssh-config") as typeof Package;

/** What the ssh configuration says of one host (ssh_config(5)); undefined or empty where it says nothing. */
export interface HostSettings {
  readonly hostName: string;
  readonly user?: string;
  readonly port?: number;
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** A socket's path; `null` for `none`. */
  readonly identityAgent?: string | null;
  /** `user@host:port`, first hop first; undefined for none. */
  readonly proxyJump?: readonly string[];
  readonly proxyCommand: boolean;
  readonly userKnownHostsFiles?: readonly string[];
  readonly globalKnownHostsFiles?: readonly string[];
  readonly hostKeyAlias?: string;
  readonly hashKnownHosts: boolean;
  /** Seconds. */
  readonly connectTimeout?: number;
  /** Seconds; 0 for none. */
  readonly serverAliveInterval?: number;
  readonly serverAliveCountMax?: number;
}

const MAX_INCLUDES = 16;

/** Where OpenSSH keeps its own files for the whole machine. */
export const systemFolder =
  process.platform === "win32" ? join(process.env.PROGRAMDATA ?? "C:\\ProgramData", "ssh") : "/etc/ssh";

interface Walk {
  readonly host: string;
  /** The user asked for, who wins over `User`. */
  readonly user: string | undefined;
  readonly home: string;
  /** Lower-case keyword to its words, the first obtained. */
  readonly found: Map<string, string[]>;
  /** OpenSSH reads its configuration a second time, for `Match final`. */
  finalPass: boolean;
}

/**
 * Reads ~/.ssh/config and the system's ssh_config, with what they include. `Match exec` is not run: such a section
 * does not count. Throws an {@link SshError} of kind `config` for a file that can't be parsed; quotes nothing of it.
 */
export function hostSettings(host: string, user: string | undefined, home: string = homedir()): HostSettings {
  const walk: Walk = { host, user, home, found: new Map(), finalPass: false };
  for (walk.finalPass of [false, true]) {
    readConfig(join(home, ".ssh", "config"), join(home, ".ssh"), walk, 0);
    readConfig(join(systemFolder, "ssh_config"), systemFolder, walk, 0);
  }
  return settingsFrom(walk);
}

function readConfig(file: string, folder: string, walk: Walk, depth: number): void {
  if (depth > MAX_INCLUDES) throw new SshError("config", `${file}: Include goes deeper than ${MAX_INCLUDES} files`);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // As ssh does: a file that is missing or can't be read says nothing.
    return;
  }
  applyLines(parsed(text, file), file, folder, walk, depth);
}

function parsed(text: string, file: string): readonly Package.Line[] {
  try {
    const lines = parse(text);
    // The parser takes a keyword without a value together with the next line.
    const all = lines.flatMap((line) => ("config" in line ? [line, ...line.config] : [line]));
    if (!all.some((line) => line.type === LineType.DIRECTIVE && /[\r\n]/.test(line.param))) return lines;
  } catch {
    // Told below, without the parser's words: they quote the file.
  }
  const advice = "look for an open quote or a keyword without a value";
  throw new SshError("config", `${file} can't be read as an ssh configuration: ${advice}`);
}

function applyLines(lines: readonly Package.Line[], file: string, folder: string, walk: Walk, depth: number): void {
  for (const line of lines) {
    if (line.type !== LineType.DIRECTIVE) continue;
    const keyword = line.param.toLowerCase();
    if ("config" in line) {
      const fits = "criteria" in line ? matchFits(line.criteria, walk) : matchesPatterns(words(line), walk.host);
      if (fits) applyLines(line.config, file, folder, walk, depth);
    } else if (keyword === "include") {
      for (const name of words(line)) {
        const path = untilde(name, walk.home);
        for (const included of expandGlob(isAbsolute(path) ? path : join(folder, path))) {
          readConfig(included, folder, walk, depth + 1);
        }
      }
    } else obtain(keyword, words(line), walk.found);
  }
}

/** The first value obtained counts; identity files add up. */
function obtain(keyword: string, values: readonly string[], found: Map<string, string[]>): void {
  const before = found.get(keyword);
  if (before === undefined) found.set(keyword, [...values]);
  else if (keyword === "identityfile") before.push(...values.filter((value) => !before.includes(value)));
}

function words(line: Package.Directive): string[] {
  return typeof line.value === "string" ? [line.value] : line.value.map((word) => word.val);
}

function matchFits(criteria: Readonly<Record<string, unknown>>, walk: Walk): boolean {
  return Object.entries(criteria).every(([name, value]) => {
    const negated = name.startsWith("!");
    const patterns = typeof value === "string" ? value.split(",") : [];
    const fits = criterionFits(name.slice(negated ? 1 : 0).toLowerCase(), patterns, walk);
    return fits !== undefined && fits !== negated;
  });
}

/** Undefined for a criterion that is not judged here: then its section does not count, negated or not. */
function criterionFits(name: string, patterns: readonly string[], walk: Walk): boolean | undefined {
  const localUser = localUserName();
  switch (name) {
    case "all":
      return true;
    case "final":
      return walk.finalPass;
    case "host":
      return matchesPatterns(patterns, hostNameFrom(walk));
    case "originalhost":
      return matchesPatterns(patterns, walk.host);
    case "user":
      return matchesPatterns(patterns, walk.user ?? walk.found.get("user")?.[0] ?? localUser);
    case "localuser":
      return patterns.some((pattern) => nameMatcher(pattern)(localUser));
    default:
      return undefined;
  }
}

/** The name of whoever runs this process; empty when the system does not know. */
export function localUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? "";
  }
}

function hostNameFrom(walk: Walk): string {
  const name = walk.found.get("hostname")?.[0];
  return name === undefined ? walk.host : name.replaceAll("%h", walk.host);
}

/** A leading `~` as the home folder. */
export function untilde(path: string, home: string): string {
  return path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path;
}

function settingsFrom(walk: Walk): HostSettings {
  const first = (keyword: string) => walk.found.get(keyword)?.[0];
  const number = (keyword: string) => whole(first(keyword));
  const yes = (keyword: string) => first(keyword)?.toLowerCase() === "yes";
  return {
    hostName: hostNameFrom(walk),
    user: first("user"),
    port: number("port"),
    identityFiles: walk.found.get("identityfile") ?? [],
    identitiesOnly: yes("identitiesonly"),
    identityAgent: first("identityagent")?.toLowerCase() === "none" ? null : first("identityagent"),
    proxyJump: jumps(first("proxyjump")),
    proxyCommand: first("proxyjump") === undefined && (first("proxycommand") ?? "none").toLowerCase() !== "none",
    userKnownHostsFiles: walk.found.get("userknownhostsfile"),
    globalKnownHostsFiles: walk.found.get("globalknownhostsfile"),
    hostKeyAlias: first("hostkeyalias"),
    hashKnownHosts: yes("hashknownhosts"),
    connectTimeout: number("connecttimeout"),
    serverAliveInterval: number("serveraliveinterval"),
    serverAliveCountMax: number("serveralivecountmax"),
  };
}

function jumps(value: string | undefined): string[] | undefined {
  if (value === undefined || value.toLowerCase() === "none") return undefined;
  return value
    .split(",")
    .map((hop) => hop.trim())
    .filter((hop) => hop !== "");
}

/** Undefined for anything but a whole number (`none`, `5m`): then the default counts. */
function whole(value: string | undefined): number | undefined {
  return value !== undefined && /^[0-9]{1,9}$/.test(value) ? Number(value) : undefined;
}
