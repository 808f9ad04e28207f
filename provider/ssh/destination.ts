/** Puts a connection's arguments, the ssh configuration and credentials together: where to go, and how to log in there. */
import { createHash } from "node:crypto";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { type Connection, type Credentials, environmentCredentials } from "./connection";
import { type HostSettings, hostSettings, localUserName, systemFolder, untilde } from "./ssh-config";
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
export interface Destination {
  /** The name as it was given. */
  readonly name: string;
  readonly user: string;
  readonly host: string;
  readonly port: number;
  /** The server through which this one is reached. */
  readonly via: Destination | undefined;
  /** The name that known_hosts has this server under, when it is not the host and port. */
  readonly hostKeyAlias: string | undefined;
  readonly hostKey: string | undefined;
  readonly checking: "strict" | "accept-new" | "off";
  readonly knownHostsFiles: readonly string[];
  readonly hashKnownHosts: boolean;
  readonly sources: readonly LoginSource[];
  readonly agentSocket: string | undefined;
  /** True when the arguments name the agent: then it comes before stack configuration and environment. */
  readonly agentFirst: boolean;
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** Seconds for each stage of a login; 0 for no limit of ours. */
  readonly stageSeconds: number;
  /** Infinity for no limit. */
  readonly attempts: number;
  /** Seconds between keepalive messages while a command runs; 0 for none. */
  readonly aliveSeconds: number;
  readonly aliveCount: number;
}

type HopArguments = Omit<Connection, "proxy" | "sudo" | "sudoPassword">;

const DEFAULT_IDENTITIES = ["id_rsa", "id_ecdsa", "id_ed25519"];
const MAX_HOPS = 8;

/** Puts a connection's arguments (they win), the ssh configuration and the credentials together. */
export function resolveDestination(connection: Connection, configured: Credentials = {}): Destination {
  const fallbacks: LoginSource[] = [
    { origin: "stack configuration", ...loginPart(configured) },
    { origin: "environment", ...loginPart(environmentCredentials()) },
  ];
  const settings = hostSettings(connection.host, connection.user);
  return destination(connection, settings, fallbacks, route(connection, settings, fallbacks));
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

function route(connection: Connection, settings: HostSettings, fallbacks: LoginSource[]): Destination | undefined {
  const keysOnly = forBastion(fallbacks);
  const inherited = { hostKeyChecking: connection.hostKeyChecking, knownHosts: connection.knownHosts };
  if (connection.proxy !== undefined) {
    const { proxy } = connection;
    const own = hostSettings(proxy.host, proxy.user);
    return destination({ ...inherited, ...defined(proxy) }, own, keysOnly, jump(own.proxyJump, inherited, keysOnly, 1));
  }
  if (settings.proxyCommand && settings.proxyJump === undefined) {
    throw new SshError(
      "config",
      `the ssh configuration reaches ${connection.host} by a ProxyCommand, which is not run here: use ProxyJump, or give connection.proxy`,
    );
  }
  return jump(settings.proxyJump, inherited, keysOnly, 1);
}

/** The last hop of a ProxyJump, with the hops before it. The first hop may have a ProxyJump of its own. */
function jump(
  hops: readonly string[] | undefined,
  inherited: Partial<HopArguments>,
  sources: LoginSource[],
  depth: number,
): Destination | undefined {
  const last = hops?.at(-1);
  if (hops === undefined || last === undefined) return undefined;
  if (depth > MAX_HOPS)
    throw new SshError("config", `ProxyJump leads through more than ${MAX_HOPS} servers: does it go in a circle?`);
  const hop = { ...inherited, ...jumpHost(last) };
  const own = hostSettings(hop.host, hop.user);
  const before = hops.length > 1 ? hops.slice(0, -1) : own.proxyJump;
  return destination(hop, own, sources, jump(before, inherited, sources, depth + 1));
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
  const home = homedir();
  const user = hop.user ?? settings.user ?? "root";
  const port = hop.port ?? settings.port ?? 22;
  if (port < 1 || port > 65535)
    throw new SshError("config", `the ssh configuration gives ${hop.host} the port ${port}`);
  const file = (name: string) => expandFile(name, { home, user, port, host: settings.hostName, given: hop.host });
  const identityFiles = settings.identityFiles.filter((name) => name !== "none");
  const limit = hop.dialErrorLimit ?? 3;
  return {
    name: hop.host,
    user,
    host: settings.hostName,
    port,
    via,
    hostKeyAlias: settings.hostKeyAlias,
    hostKey: hop.hostKey,
    checking: hop.hostKeyChecking ?? "strict",
    knownHostsFiles: knownHostsFiles(hop, settings, home).map(file),
    hashKnownHosts: settings.hashKnownHosts,
    sources: [{ origin: "connection", ...loginPart(hop) }, ...fallbacks],
    agentSocket: agentSocket(hop, settings, file),
    agentFirst: hop.agentSocketPath !== undefined,
    identityFiles:
      settings.identityFiles.length > 0
        ? identityFiles.map(file)
        : DEFAULT_IDENTITIES.map((name) => join(home, ".ssh", name)),
    identitiesOnly: settings.identitiesOnly,
    stageSeconds: hop.perDialTimeout ?? settings.connectTimeout ?? 15,
    attempts: limit < 0 ? Number.POSITIVE_INFINITY : Math.max(1, limit),
    aliveSeconds: settings.serverAliveInterval ?? 15,
    aliveCount: settings.serverAliveCountMax ?? 3,
  };
}

function knownHostsFiles(hop: HopArguments, settings: HostSettings, home: string): string[] {
  if (hop.knownHosts !== undefined) return [hop.knownHosts].flat();
  const own = settings.userKnownHostsFiles ?? ["known_hosts", "known_hosts2"].map((name) => join(home, ".ssh", name));
  const system =
    settings.globalKnownHostsFiles ?? ["ssh_known_hosts", "ssh_known_hosts2"].map((name) => join(systemFolder, name));
  return [...own, ...system].filter((name) => name.toLowerCase() !== "none");
}

function agentSocket(hop: HopArguments, settings: HostSettings, file: (name: string) => string): string | undefined {
  if (hop.agentSocketPath !== undefined) return hop.agentSocketPath || undefined;
  if (settings.identityAgent === null) return undefined;
  if (settings.identityAgent !== undefined && settings.identityAgent !== "SSH_AUTH_SOCK") {
    const name = settings.identityAgent;
    return name.startsWith("$") ? process.env[name.replace(/^\$\{?|\}$/g, "")] : file(name);
  }
  return process.env.SSH_AUTH_SOCK || (process.platform === "win32" ? "\\\\.\\pipe\\openssh-ssh-agent" : undefined);
}

interface Tokens {
  readonly home: string;
  readonly user: string;
  readonly port: number;
  readonly host: string;
  readonly given: string;
}

/** Expands `~`, `${VARIABLE}` and the tokens of ssh_config(5) in a file's name; an unknown token stays as it is. */
function expandFile(name: string, { home, user, port, host, given }: Tokens): string {
  const values: Record<string, string> = {
    "%": "%",
    d: home,
    h: host,
    L: hostname().split(".")[0] ?? "",
    l: hostname(),
    n: given,
    p: String(port),
    r: user,
    u: localUserName(),
  };
  return untilde(name, home)
    .replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (whole, variable: string) => process.env[variable] ?? whole)
    .replace(/%(.)/g, (whole, token: string) => values[token] ?? whole);
}

/** Without the fields that are undefined, which would hide inherited ones. */
function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
