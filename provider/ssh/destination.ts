/** Puts a connection's arguments, the ssh configuration and credentials together: where to go, and how to log in there. */
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { type Connection, type Credentials, environmentCredentials } from "./connection";
import { localUserName } from "./effective-configuration";
import { untilde, userHome } from "./home";
import { type HostSettings, hostSettings } from "./ssh-config";
import { SshError } from "./ssh-error";

/** Where login secrets come from, in the order in which they are tried. */
export interface LoginSource {
  /** For messages, such as `connection`. */
  readonly origin: string;
  readonly password?: string | undefined;
  readonly privateKey?: string | undefined;
  readonly privateKeyPassword?: string | undefined;
}

/** All that must be known to reach a server and log in: arguments, ssh configuration and credentials put together. */
export interface Destination extends Omit<HostSettings, "hostName"> {
  /** The name as it was given. */
  readonly name: string;
  readonly host: string;
  /** The server through which this one is reached. */
  readonly via: Destination | undefined;
  readonly hostKey: string | undefined;
  readonly checking: "strict" | "accept-new" | "off";
  readonly sources: readonly LoginSource[];
  readonly agentSocket: string | undefined;
  /** True when the arguments name the agent: then it comes before stack configuration and environment. */
  readonly agentFirst: boolean;
  /** Seconds for each stage of a login; 0 for no limit of ours. */
  readonly stageSeconds: number;
  /** Infinity for no limit. */
  readonly attempts: number;
  /** Seconds between keepalive messages while a command runs; 0 for none. */
  readonly aliveSeconds: number;
  readonly aliveCount: number;
}

type HopArguments = Omit<Connection, "proxy" | "sudo" | "sudoPassword">;

const MAX_HOPS = 8;
/** Seconds between keepalive messages where ssh's configuration asks for none. */
const ALIVE_SECONDS = 15;

/** Puts a connection's arguments (they win), the ssh configuration and the credentials together. */
export async function resolveDestination(connection: Connection, configured: Credentials = {}): Promise<Destination> {
  const fallbacks: LoginSource[] = [
    { origin: "stack configuration", ...loginPart(configured) },
    { origin: "environment", ...loginPart(environmentCredentials()) },
  ];
  const settings = await settingsOf(connection);
  return destination(connection, settings, fallbacks, await route(connection, settings, fallbacks));
}

/** Of a server that the arguments name: without any user's name it is root who logs in. */
function settingsOf({ host, port, user }: HopArguments): Promise<HostSettings> {
  return hostSettings({ host, port, user, userElse: "root" });
}

/** `user@host:port`, with an IPv6 address in brackets. */
export function destinationKey({ user, host, port }: Pick<Destination, "user" | "host" | "port">): string {
  return `${user}@${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Tells one server from another within a process: who logs in where, and through which servers. */
export function destinationRoute(target: Destination): string {
  const via = target.via === undefined ? "" : ` via ${destinationRoute(target.via)}`;
  return `${destinationKey(target)}${via}`;
}

/** Names the destination in messages: as it was given, and what that stands for. */
export function destinationName(target: Destination): string {
  const key = destinationKey(target);
  return target.name === target.host ? key : `${target.name} (${key})`;
}

/**
 * What tells one login from another: two resources share a connection only when they reach the same server in the same
 * way, verify it alike and log in alike. A digest, since it covers secrets.
 */
export function destinationId(target: Destination): string {
  const { via, attempts: _, stageSeconds: __, ...rest } = target;
  const text = JSON.stringify([rest, via === undefined ? null : destinationId(via)]);
  return createHash("sha256").update(text).digest("base64");
}

/** Every secret that logging in may use, so that messages can mask them. */
export function destinationSecrets(target: Destination): string[] {
  const own = target.sources.flatMap((source) => [source.password, source.privateKey, source.privateKeyPassword]);
  const hop = target.via === undefined ? [] : destinationSecrets(target.via);
  return [...own.filter((secret) => secret !== undefined), ...hop];
}

function loginPart({ password, privateKey, privateKeyPassword }: Credentials): Credentials {
  return { password, privateKey, privateKeyPassword };
}

/** A password is for one server: only keys, which a server can't take away, are shown to a bastion unasked. */
function forBastion(sources: readonly LoginSource[]): LoginSource[] {
  return sources.map(({ origin, privateKey, privateKeyPassword }) => ({ origin, privateKey, privateKeyPassword }));
}

async function route(
  connection: Connection,
  settings: HostSettings,
  fallbacks: LoginSource[],
): Promise<Destination | undefined> {
  const keysOnly = forBastion(fallbacks);
  const inherited = { hostKeyChecking: connection.hostKeyChecking, knownHosts: connection.knownHosts };
  const { proxy } = connection;
  if (proxy === undefined)
    return jump(connection.host, settings, jumps(connection.host, settings), inherited, keysOnly);
  const own = await settingsOf(proxy);
  const before = await jump(proxy.host, own, jumps(proxy.host, own), inherited, keysOnly);
  return destination({ ...inherited, ...defined(proxy) }, own, keysOnly, before);
}

/** The hops of the ProxyJump that a host has of its own; of ProxyJump and ProxyCommand ssh takes what comes first. */
function jumps(name: string, { proxyJump = [], proxyCommand }: HostSettings): readonly string[] {
  if (!proxyCommand) return proxyJump;
  const text = `the ssh configuration reaches ${name} by a ProxyCommand, which is not run here: use ProxyJump, or give connection.proxy`;
  throw new SshError("config", text);
}

/** The last of these hops, with the hops before it. The first hop may have a ProxyJump of its own. */
async function jump(
  name: string,
  { hostName, port, user }: HostSettings,
  hops: readonly string[],
  inherited: Partial<HopArguments>,
  sources: LoginSource[],
  depth = 1,
): Promise<Destination | undefined> {
  const last = hops.at(-1);
  if (last === undefined) return undefined;
  if (depth > MAX_HOPS)
    throw new SshError("config", `ProxyJump leads through more than ${MAX_HOPS} servers: does it go in a circle?`);
  const tokens = { "%": "%", h: hostName, n: name, p: String(port), r: user };
  const hop = { ...inherited, ...jumpHost(expandTokens(last, tokens)) };
  // As in `ssh -J a,b`: what is given for b replaces its own ProxyJump.
  const own = await hostSettings(hop);
  const before = hops.length > 1 ? hops.slice(0, -1) : jumps(hop.host, own);
  return destination(hop, own, sources, await jump(hop.host, own, before, inherited, sources, depth + 1));
}

/** Reads `[ssh://][user@]host[:port]`; an IPv6 address with a port stands in brackets. */
function jumpHost(text: string): { user?: string; host: string; port?: number } {
  const bare = text.replace(/^ssh:\/\//, "");
  const at = bare.lastIndexOf("@");
  const address = bare.slice(at + 1);
  const parts = /^\[([^\]]+)\](?::([0-9]{1,5}))?$/.exec(address) ?? /^([^:]+)(?::([0-9]{1,5}))?$/.exec(address);
  const host = parts?.[1] ?? address;
  const port = parts?.[2];
  return { host, ...(at > 0 && { user: bare.slice(0, at) }), ...(port !== undefined && { port: Number(port) }) };
}

function destination(
  hop: HopArguments,
  settings: HostSettings,
  fallbacks: readonly LoginSource[],
  via: Destination | undefined,
): Destination {
  const file = (name: string) => expandFile(name, hop.host, settings);
  const limit = hop.dialErrorLimit ?? 3;
  return {
    ...settings,
    name: hop.host,
    host: settings.hostName,
    via,
    hostKey: hop.hostKey,
    checking: hop.hostKeyChecking ?? "strict",
    knownHostsFiles: hop.knownHosts === undefined ? settings.knownHostsFiles : [hop.knownHosts].flat().map(file),
    sources: [{ origin: "connection", ...loginPart(hop) }, ...fallbacks],
    agentSocket: agentSocket(hop, settings),
    agentFirst: hop.agentSocketPath !== undefined,
    identityFiles: settings.publicKeys ? settings.identityFiles.map(file) : [],
    certificateFiles: settings.certificateFiles.map(file),
    stageSeconds: hop.perDialTimeout ?? settings.connectTimeout ?? 15,
    attempts: limit < 0 ? Number.POSITIVE_INFINITY : Math.max(1, limit),
    aliveSeconds: settings.serverAliveInterval || ALIVE_SECONDS,
    aliveCount: settings.serverAliveCountMax,
  };
}

function agentSocket(hop: HopArguments, { identityAgent, publicKeys }: HostSettings): string | undefined {
  if (hop.agentSocketPath !== undefined) return hop.agentSocketPath || undefined;
  if (identityAgent === null || !publicKeys) return undefined;
  if (identityAgent.startsWith("$")) return process.env[identityAgent.replace(/^\$\{?|\}$/g, "")];
  if (identityAgent !== "SSH_AUTH_SOCK") return identityAgent;
  return process.env.SSH_AUTH_SOCK || (process.platform === "win32" ? "\\\\.\\pipe\\openssh-ssh-agent" : undefined);
}

/** Expands `~`, `${VARIABLE}` and the tokens of ssh_config(5) in a file's name that ssh leaves as it is written. */
function expandFile(name: string, given: string, settings: HostSettings): string {
  const home = userHome();
  const text = untilde(name, home).replace(
    /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g,
    (whole, variable: string) => process.env[variable] ?? whole,
  );
  return expandTokens(text, {
    "%": "%",
    d: home.folder,
    h: settings.hostName,
    i: String(process.getuid?.() ?? ""),
    k: settings.hostKeyAlias ?? given,
    L: hostname().split(".")[0] ?? "",
    l: hostname(),
    n: given,
    p: String(settings.port),
    r: settings.user,
    u: localUserName(),
  });
}

/** Replaces the tokens that have a value; an unknown one stays as it is. */
function expandTokens(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/%(.)/g, (whole, token: string) => values[token] ?? whole);
}

/** Without the fields that are undefined, which would hide inherited ones. */
function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
