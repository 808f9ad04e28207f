/** Verifies the key that a server shows, against known_hosts or the key that was given. */
import { type Destination, destinationName } from "./destination";
import { fingerprint, type KnownKey, keyType, knownHostsName, lookUp, remember } from "./known-hosts";
import { revokedBy } from "./revoked-keys";
import { SshError } from "./ssh-error";

/** Decides whether a server is the one that is meant. */
export interface HostKeyCheck {
  /** The signature algorithms to ask for, those of known keys first. */
  readonly algorithms: readonly string[];
  /** Throws an {@link SshError} of kind `hostkey` unless the server's key is accepted. */
  accept(key: Buffer): Promise<void>;
}

/** Key type to signature algorithms, in the order preferred. ssh-rsa's SHA-1 signatures are offered where ssh's configuration allows them. */
const ALGORITHMS: ReadonlyMap<string, readonly string[]> = new Map([
  ["ssh-ed25519", ["ssh-ed25519"]],
  ["ecdsa-sha2-nistp256", ["ecdsa-sha2-nistp256"]],
  ["ecdsa-sha2-nistp384", ["ecdsa-sha2-nistp384"]],
  ["ecdsa-sha2-nistp521", ["ecdsa-sha2-nistp521"]],
  ["ssh-rsa", ["rsa-sha2-512", "rsa-sha2-256"]],
]);

/**
 * The check for one login: a pinned key, else known_hosts, in the mode asked for. Reads the files now, so that a server
 * with several keys is asked for one that is known. Throws an {@link SshError} of kind `config` for a bad `hostKey`.
 */
export async function hostKeyCheck(target: Destination): Promise<HostKeyCheck> {
  const { algorithms, accept } = await trust(target);
  return {
    algorithms: allowed(algorithms, target),
    async accept(key) {
      refuseShort(target, key);
      await refuseRevoked(target, key);
      await accept(key);
    },
  };
}

/** Those that HostKeyAlgorithms of the ssh configuration allows too. */
function allowed(algorithms: readonly string[], { algorithms: { hostKey }, name }: Destination): readonly string[] {
  if (hostKey === undefined) return algorithms;
  const all = hostKey.includes("ssh-rsa") ? [...algorithms, "ssh-rsa"] : algorithms;
  const usable = all.filter((algorithm) => hostKey.includes(algorithm));
  if (usable.length > 0) return usable;
  const text = `HostKeyAlgorithms of the ssh configuration allows ${name} only what can't be used here: add some of ${algorithms.join(", ")}`;
  throw new SshError("config", text);
}

/** As ssh does, whatever is said of the key elsewhere. */
async function refuseRevoked(target: Destination, key: Buffer): Promise<void> {
  const why = await revokedBy(target.revokedHostKeys, key);
  if (why !== undefined)
    throw new SshError("hostkey", `the host key of ${destinationName(target)}, ${shown(key)}, ${why}`);
}

/** RequiredRSASize of the ssh configuration. An RSA key's bytes are three strings: its type, e and n (RFC 4253, 6.6). */
function refuseShort(target: Destination, key: Buffer): void {
  if (keyType(key) !== "ssh-rsa") return;
  const afterType = 4 + key.readUInt32BE(0);
  const exponent = key.length < afterType + 4 ? 0 : key.readUInt32BE(afterType);
  const modulus = key.subarray(afterType + 4 + exponent + 4);
  const bits = BigInt(`0x0${modulus.toString("hex")}`).toString(2).length;
  if (bits >= target.requiredRsaSize) return;
  const text = `has ${bits} bits, and RequiredRSASize of the ssh configuration asks for ${target.requiredRsaSize}`;
  throw new SshError("hostkey", `the host key of ${destinationName(target)}, ${shown(key)}, ${text}`);
}

async function trust(target: Destination): Promise<HostKeyCheck> {
  if (target.hostKey !== undefined) return pinned(target, readHostKey(target.hostKey));
  if (target.checking === "off") return { algorithms: preferring([]), accept: async () => {} };
  const names = knownNames(target);
  const [entries = [], withoutPort = []] = await Promise.all(names.map((name) => lookUp(target.knownHostsFiles, name)));
  const known = new KnownKeys(target, names[0]!, entries, withoutPort);
  return { algorithms: preferring(known.types()), accept: (key) => known.accept(key) };
}

/**
 * Reads a pinned key: `type base64 [comment]`, as in authorized_keys and the .pub files, or the base64 part alone.
 */
export function readHostKey(text: string): Buffer {
  for (const word of text.trim().split(/\s+/)) {
    const key = Buffer.from(word, "base64");
    if (ALGORITHMS.has(keyType(key) ?? "")) return key;
  }
  throw new SshError(
    "config",
    `connection.hostKey holds no public key: give a line such as "ssh-ed25519 AAAA…" (${[...ALGORITHMS.keys()].join(", ")})`,
  );
}

function preferring(types: readonly string[]): string[] {
  const order = [...types, ...ALGORITHMS.keys()];
  return [...new Set(order.flatMap((type) => ALGORITHMS.get(type) ?? []))];
}

/** The names under which known_hosts may have the server; the one without a port counts only if its key fits. */
function knownNames({ hostKeyAlias, host, port }: Destination): string[] {
  if (hostKeyAlias !== undefined) return [hostKeyAlias.toLowerCase()];
  return port === 22 ? [knownHostsName(host, 22)] : [knownHostsName(host, port), knownHostsName(host, 22)];
}

function pinned(target: Destination, expected: Buffer): HostKeyCheck {
  const accept = async (key: Buffer) => {
    if (key.equals(expected)) return;
    throw new SshError(
      "hostkey",
      `${destinationName(target)} shows the host key ${shown(key)}, but connection.hostKey is ${shown(expected)}. Someone may be between you and the server, or it has a new key: read it on the server (${onServer(key)}) and correct connection.hostKey.`,
    );
  };
  return { algorithms: preferring([keyType(expected)!]), accept };
}

class KnownKeys {
  constructor(
    readonly target: Destination,
    readonly name: string,
    readonly entries: readonly KnownKey[],
    readonly withoutPort: readonly KnownKey[],
  ) {}

  /** The types of the keys that are trusted, in the files' order. */
  types(): string[] {
    return [...this.trusted(this.entries), ...this.trusted(this.withoutPort)].map((entry) => entry.type);
  }

  async accept(key: Buffer): Promise<void> {
    const same = (entry: KnownKey) => entry.key.equals(key);
    const revoked = [...this.entries, ...this.withoutPort].find((entry) => entry.marker === "revoked" && same(entry));
    if (revoked !== undefined) throw this.revoked(key, revoked);
    const trusted = this.trusted(this.entries);
    if (trusted.some(same) || this.trusted(this.withoutPort).some(same)) return;
    if (trusted.length > 0)
      throw this.changed(key, trusted.find((entry) => entry.type === keyType(key)) ?? trusted[0]!);
    if (this.target.checking !== "accept-new") throw this.unknown(key);
    await this.add(key);
  }

  trusted(entries: readonly KnownKey[]): KnownKey[] {
    return entries.filter((entry) => entry.marker === undefined);
  }

  async add(key: Buffer): Promise<void> {
    const [file] = this.target.knownHostsFiles;
    if (file === undefined) {
      throw new SshError(
        "config",
        'hostKeyChecking "accept-new" needs a known_hosts file to write to: give connection.knownHosts',
      );
    }
    try {
      await remember(file, this.name, key, this.target.hashKnownHosts);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "error";
      throw new SshError(
        "hostkey",
        `the host key of ${destinationName(this.target)} is new and can't be written to ${file} (${code})`,
      );
    }
  }

  revoked(key: Buffer, { file, line }: KnownKey): SshError {
    return new SshError(
      "hostkey",
      `the host key of ${destinationName(this.target)}, ${shown(key)}, is revoked at ${file}:${line}: the server needs a new host key`,
    );
  }

  changed(key: Buffer, { type, key: known, file, line }: KnownKey): SshError {
    const forget = `ssh-keygen -R ${quoted(this.name)} -f ${quoted(file)}`;
    return new SshError(
      "hostkey",
      `the host key of ${destinationName(this.target)} has changed: ${file}:${line} has ${type} ${fingerprint(known)}, the server shows ${shown(key)}. Someone may be between you and the server, or it was installed anew. Compare with the key on the server (${onServer(key)}); if it is right, remove the old one (${forget}) and add the new one.`,
    );
  }

  unknown(key: Buffer): SshError {
    const authority = this.entries.find((entry) => entry.marker === "cert-authority");
    const command = this.target.wishes.knownHostsCommand;
    const note =
      authority !== undefined
        ? ` ${authority.file}:${authority.line} trusts a certificate authority for it, but certificates of hosts are not read here: its own key must be listed.`
        : command
          ? " KnownHostsCommand of the ssh configuration is not run here: its key must be listed in a file."
          : "";
    return new SshError(
      "hostkey",
      `the host key of ${destinationName(this.target)} is not known: it shows ${shown(key)}.${note} Compare with the key on the server (${onServer(key)}), then add it: ${this.howToAdd(key)}; or give connection.hostKey, or hostKeyChecking: "accept-new".`,
    );
  }

  howToAdd(key: Buffer): string {
    const { via, host, port, user, knownHostsFiles, hostKeyAlias } = this.target;
    const file = quoted(knownHostsFiles[0] ?? "~/.ssh/known_hosts");
    if (via !== undefined || hostKeyAlias !== undefined)
      return `ssh -o UserKnownHostsFile=${file} ${quoted(`${user}@${this.target.name}`)}`;
    const scan = `ssh-keyscan${port === 22 ? "" : ` -p ${port}`} -t ${shortType(key)} ${quoted(host)}`;
    return `${scan} | ssh-keygen -lf - shows it, ${scan} >> ${file} adds it`;
  }
}

function shown(key: Buffer): string {
  return `${keyType(key)} ${fingerprint(key)}`;
}

/** The type as ssh-keyscan's -t and the names of sshd's key files have it. */
function shortType(key: Buffer): string {
  const type = keyType(key) ?? "";
  return type.startsWith("ecdsa") ? "ecdsa" : type.replace(/^ssh-/, "");
}

function onServer(key: Buffer): string {
  return `ssh-keygen -lf /etc/ssh/ssh_host_${shortType(key)}_key.pub`;
}

/** A word for a POSIX shell, quoted when it needs to be. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
