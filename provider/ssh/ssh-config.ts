/** What the effective ssh configuration says of one host, in our terms. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Asked, type Effective, effectiveConfiguration } from "./effective-configuration";
import { type Home, inHome, systemFolder, userHome } from "./home";

/** What the ssh configuration says of one host (ssh_config(5)), defaults included. */
export interface HostSettings {
  readonly hostName: string;
  readonly user: string;
  readonly port: number;
  /** With ssh's tokens and `~`, as they are written; not all of them exist. */
  readonly identityFiles: readonly string[];
  readonly certificateFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** A socket's path, or a variable (`SSH_AUTH_SOCK`, `$NAME`) that has it; `null` for `none`. */
  readonly identityAgent: string | null;
  /** Whether ssh would log in with keys. */
  readonly publicKeys: boolean;
  /** `user@host:port` of each hop, the first one first; undefined for none. */
  readonly proxyJump: readonly string[] | undefined;
  readonly proxyCommand: boolean;
  readonly knownHostsFiles: readonly string[];
  readonly revokedHostKeys: readonly string[];
  readonly hostKeyAlias: string | undefined;
  readonly hashKnownHosts: boolean;
  /** Bits that an RSA key of a server must have. */
  readonly requiredRsaSize: number;
  /** Seconds. */
  readonly connectTimeout: number | undefined;
  /** Seconds; 0, also ssh's default, for none. */
  readonly serverAliveInterval: number;
  readonly serverAliveCountMax: number;
  /** 4, 6, or 0 for both. */
  readonly addressFamily: 0 | 4 | 6;
  /** Where to connect from: an address of this machine, or a network interface. */
  readonly bindAddress: string | undefined;
  readonly bindInterface: string | undefined;
  /** The algorithms that may be used; undefined for those of ssh2. */
  readonly algorithms: Algorithms;
  readonly wishes: Wishes;
}

export interface Algorithms {
  readonly hostKey: readonly string[] | undefined;
  readonly kex: readonly string[] | undefined;
  readonly cipher: readonly string[] | undefined;
  readonly hmac: readonly string[] | undefined;
}

/** What the configuration asks and can't be done here. */
export interface Wishes {
  readonly gssapi: boolean;
  readonly hostbased: boolean;
  readonly pkcs11Provider: string | undefined;
  readonly knownHostsCommand: boolean;
}

/** What ssh would do for this host. Throws an `SshError` of kind `config` when it can't read its configuration. */
export async function hostSettings(asked: Asked): Promise<HostSettings> {
  const home = userHome();
  const effective = (await effectiveConfiguration(asked, home)) ?? defaults(asked, home);
  return { ...whereTo(effective), ...whoIsThere(effective, home), ...whoLogsIn(effective, home), ...how(effective) };
}

/** What ssh has without any configuration, as far as it is used here. */
function defaults({ host, port, user, userElse }: Asked, { folder }: Home): Effective {
  const known = ["known_hosts", "known_hosts2"].map((name) => join(folder, ".ssh", name));
  const global = ["ssh_known_hosts", "ssh_known_hosts2"].map((name) => join(systemFolder, name));
  return new Map([
    ["hostname", [host]],
    ["port", [String(port ?? 22)]],
    ["user", [user ?? userElse ?? "root"]],
    ["identityfile", ["rsa", "ecdsa", "ed25519"].map((type) => `~/.ssh/id_${type}`)],
    ["userknownhostsfile", [known.join(" ")]],
    ["globalknownhostsfile", [global.join(" ")]],
  ]);
}

const first = (effective: Effective, keyword: string) => effective.get(keyword)?.[0];
/** Some versions of ssh print `true` and `false` for some keywords. */
const yes = (effective: Effective, keyword: string) => /^(yes|true)$/.test(first(effective, keyword) ?? "");
const no = (effective: Effective, keyword: string) => /^(no|false)$/.test(first(effective, keyword) ?? "");

/** Undefined for `none`, which some versions of ssh print and others leave out. */
function unlessNone(effective: Effective, keyword: string): string | undefined {
  const value = first(effective, keyword);
  return value === undefined || value === "" || value.toLowerCase() === "none" ? undefined : value;
}

/** Undefined for anything but a whole number. */
function whole(effective: Effective, keyword: string): number | undefined {
  const value = first(effective, keyword) ?? "";
  return /^[0-9]{1,9}$/.test(value) ? Number(value) : undefined;
}

function list(effective: Effective, keyword: string): string[] | undefined {
  return first(effective, keyword)?.split(",");
}

function whereTo(effective: Effective) {
  const family = first(effective, "addressfamily");
  return {
    hostName: first(effective, "hostname") ?? "",
    user: first(effective, "user") ?? "",
    port: whole(effective, "port") ?? 22,
    proxyJump: unlessNone(effective, "proxyjump")
      ?.split(",")
      .map((hop) => hop.trim()),
    proxyCommand: unlessNone(effective, "proxycommand") !== undefined,
    addressFamily: family === "inet" ? (4 as const) : family === "inet6" ? (6 as const) : (0 as const),
    bindAddress: first(effective, "bindaddress"),
    bindInterface: first(effective, "bindinterface"),
  };
}

function whoIsThere(effective: Effective, home: Home) {
  const files = (keyword: string) => filesOf(unlessNone(effective, keyword) ?? "", (name) => inHome(name, home));
  return {
    knownHostsFiles: [...files("userknownhostsfile"), ...files("globalknownhostsfile")],
    revokedHostKeys: filesOf(unlessNone(effective, "revokedhostkeys") ?? "", literally(home)),
    hostKeyAlias: first(effective, "hostkeyalias"),
    hashKnownHosts: yes(effective, "hashknownhosts"),
    requiredRsaSize: whole(effective, "requiredrsasize") ?? 1024,
  };
}

function whoLogsIn(effective: Effective, home: Home) {
  const agent = first(effective, "identityagent") ?? "SSH_AUTH_SOCK";
  const isVariable = agent === "SSH_AUTH_SOCK" || agent.startsWith("$");
  const preferred = list(effective, "preferredauthentications");
  return {
    identityFiles: (effective.get("identityfile") ?? []).filter((name) => name !== "none"),
    certificateFiles: (effective.get("certificatefile") ?? []).filter((name) => name !== "none"),
    identitiesOnly: yes(effective, "identitiesonly"),
    identityAgent: agent.toLowerCase() === "none" ? null : isVariable ? agent : inHome(agent, home),
    publicKeys: !no(effective, "pubkeyauthentication") && preferred?.includes("publickey") !== false,
  };
}

function how(effective: Effective) {
  return {
    connectTimeout: whole(effective, "connecttimeout"),
    serverAliveInterval: whole(effective, "serveraliveinterval") ?? 0,
    serverAliveCountMax: whole(effective, "serveralivecountmax") ?? 3,
    algorithms: {
      hostKey: list(effective, "hostkeyalgorithms"),
      kex: list(effective, "kexalgorithms"),
      cipher: list(effective, "ciphers"),
      hmac: list(effective, "macs"),
    },
    wishes: {
      gssapi: yes(effective, "gssapiauthentication"),
      hostbased: yes(effective, "hostbasedauthentication"),
      pkcs11Provider: unlessNone(effective, "pkcs11provider"),
      knownHostsCommand: unlessNone(effective, "knownhostscommand") !== undefined,
    },
  };
}

/** Where an older version of ssh prints `~`, it has not replaced it and does not: then there is no such file. */
function literally(home: Home): (name: string) => string {
  return (name) => (name.startsWith("~") ? name : inHome(name, home));
}

/**
 * The files of a list. ssh prints it without quotes, so a name with blanks is found by looking: the longest one that
 * exists is taken.
 */
function filesOf(text: string, pathOf: (name: string) => string): string[] {
  const words = text.split(" ").filter((word) => word !== "");
  const path = (from: number, to: number) => pathOf(words.slice(from, to).join(" "));
  const files: string[] = [];
  for (let at = 0; at < words.length; ) {
    let end = words.length;
    while (end > at + 1 && !existsSync(path(at, end))) end--;
    files.push(path(at, end));
    at = end;
  }
  return files;
}
