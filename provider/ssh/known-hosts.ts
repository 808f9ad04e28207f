/** known_hosts files: looking a server up, and adding one that was never seen. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { matchesPatterns } from "./host-patterns";

/**
 * known_hosts as sshd(8) describes it under SSH_KNOWN_HOSTS FILE FORMAT: an optional marker, host patterns (plain or
 * hashed), the key's type, the key in base64, a comment.
 */
export interface KnownKey {
  readonly marker: "revoked" | "cert-authority" | undefined;
  readonly hosts: string;
  readonly type: string;
  readonly key: Buffer;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

const MARKERS = { "@revoked": "revoked", "@cert-authority": "cert-authority" } as const;

/** The entries of a file's text; comments and lines that hold no key are left out, as ssh does. */
export function parseKnownHosts(text: string, file: string): KnownKey[] {
  return text.split("\n").flatMap((content, index) => {
    const fields = content.trim().split(/[ \t]+/);
    const first = fields[0] ?? "";
    if (first === "" || first.startsWith("#")) return [];
    const marker = first.startsWith("@") ? MARKERS[first as keyof typeof MARKERS] : undefined;
    // A line with a marker of a later OpenSSH means something else than a trusted key.
    if (first.startsWith("@") && marker === undefined) return [];
    const [hosts, type, encoded] = marker === undefined ? fields : fields.slice(1);
    if (hosts === undefined || type === undefined || encoded === undefined) return [];
    const key = Buffer.from(encoded, "base64");
    return keyType(key) === type ? [{ marker, hosts, type, key, file, line: index + 1 }] : [];
  });
}

/** The type at the front of a public key's bytes (RFC 4253, 6.6); undefined when the bytes are no key. */
export function keyType(key: Buffer): string | undefined {
  if (key.length < 4) return undefined;
  const length = key.readUInt32BE(0);
  return length > 0 && length <= 64 && key.length >= 4 + length ? key.toString("latin1", 4, 4 + length) : undefined;
}

/** A key's fingerprint as ssh prints it: `SHA256:` and unpadded base64. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replaceAll("=", "")}`;
}

/** How known_hosts names a server: its name alone at port 22, else `[name]:port`. */
export function knownHostsName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Whether an entry's host field, patterns or a hash, speaks of this name. */
export function namesHost(hosts: string, name: string): boolean {
  if (!hosts.startsWith("|")) return matchesPatterns(hosts.toLowerCase().split(","), name);
  const [, version, salt, hash] = hosts.split("|");
  if (version !== "1" || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, "base64");
  const actual = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** The entries of these files that speak of the name, in their order. A file that is missing or unreadable has none. */
export async function lookUp(files: readonly string[], name: string): Promise<KnownKey[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
  return texts.flatMap((text, index) =>
    parseKnownHosts(text, files[index]!).filter((entry) => namesHost(entry.hosts, name)),
  );
}

/**
 * Appends a server's key to a known_hosts file, which is created (0600, its folder 0700) when it does not exist.
 * Throws the file system's own error.
 */
export async function remember(file: string, name: string, key: Buffer, hashed: boolean): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, "a+", 0o600);
  try {
    const { size } = await handle.stat();
    const last = Buffer.alloc(1, "\n");
    if (size > 0) await handle.read(last, 0, 1, size - 1);
    const entry = `${hashed ? hashedName(name) : name} ${keyType(key)} ${key.toString("base64")}\n`;
    await handle.appendFile(last.toString() === "\n" ? entry : `\n${entry}`);
  } finally {
    await handle.close();
  }
}

/** A name as `HashKnownHosts` writes it. */
export function hashedName(name: string, salt: Buffer = randomBytes(20)): string {
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}
