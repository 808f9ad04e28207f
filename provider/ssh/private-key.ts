/** Reads private keys of every format that OpenSSH users have. */
import { createHash, createPrivateKey, type KeyObject } from "node:crypto";
import { type ParsedKey, utils } from "ssh2";
import { keyType } from "./known-hosts";

/** A key to log in with, or why there is none: a sentence's end, such as `is encrypted, and …`. */
export type PrivateKey = { readonly key: ParsedKey } | { readonly problem: string };

const OPENSSH_MAGIC = "openssh-key-v1\0";
/** ssh-keygen's default is 16 or 24. A damaged key may ask for billions, and nothing else would run meanwhile. */
const MOST_ROUNDS = 2000;

// Decrypting takes a tenth of a second of CPU by design, and one key usually opens many servers.
const read = new Map<string, PrivateKey>();

/**
 * Reads a private key in any of the forms that ssh-keygen, OpenSSL and PuTTY write; an encrypted one with the first
 * passphrase that fits.
 */
export function readPrivateKey(text: string, passphrases: readonly string[]): PrivateKey {
  const id = createHash("sha256")
    .update(JSON.stringify([text, passphrases]))
    .digest("base64");
  const known = read.get(id);
  if (known !== undefined) return known;
  const key = readAny(text, passphrases);
  read.set(id, key);
  return key;
}

function readAny(text: string, passphrases: readonly string[]): PrivateKey {
  // Copied through forms and environments, keys lose their line ends.
  const normal = `${text.replaceAll("\r\n", "\n").replaceAll("\\n", "\n").trim()}\n`;
  if (!normal.includes("PRIVATE KEY") && !normal.startsWith("PuTTY-User-Key-File")) {
    return { problem: "holds no private key" };
  }
  const { rounds, type } = openSshHead(normal);
  if (type.startsWith("sk-")) return { problem: "is on a hardware token (sk), which can't be used here" };
  if (rounds > MOST_ROUNDS) return { problem: "is not a private key that can be read here" };
  const plain = parse(normal, undefined);
  if (plain !== undefined) return { key: plain };
  if (!isEncrypted(normal)) return { problem: "is not a private key that can be read here" };
  for (const passphrase of passphrases) {
    const key = parse(normal, passphrase);
    if (key !== undefined) return { key };
  }
  return {
    problem:
      passphrases.length === 0
        ? "is encrypted, and no privateKeyPassword is given"
        : "is encrypted, and the privateKeyPassword does not open it",
  };
}

/**
 * What a key in OpenSSH's format says before its encrypted part (its PROTOCOL.key: after the magic, the names of cipher
 * and kdf, then the kdf's options, a salt and bcrypt's rounds, then the number of keys, and the public key); 0 and no type
 * for other keys.
 */
function openSshHead(text: string): { rounds: number; type: string } {
  const [, body = ""] = text.split(/-----(?:BEGIN|END) OPENSSH PRIVATE KEY-----/);
  const bytes = Buffer.from(body, "base64");
  const skip = (at: number) => (at + 4 > bytes.length ? bytes.length : at + 4 + bytes.readUInt32BE(at));
  const options = skip(skip(OPENSSH_MAGIC.length));
  const publicKey = skip(options) + 4;
  const type = keyType(bytes.subarray(publicKey + 4)) ?? "";
  if (options + 4 > bytes.length || bytes.readUInt32BE(options) === 0) return { rounds: 0, type };
  const rounds = skip(options + 4);
  return { rounds: rounds + 4 > bytes.length ? 0 : bytes.readUInt32BE(rounds), type };
}

function isEncrypted(text: string): boolean {
  const result = parseKey(text);
  return (
    text.includes("BEGIN ENCRYPTED PRIVATE KEY") || (result instanceof Error && /passphrase/i.test(result.message))
  );
}

function parse(text: string, passphrase: string | undefined): ParsedKey | undefined {
  const source = /-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----/.test(text) ? fromPkcs8(text, passphrase) : text;
  const key = source === undefined ? undefined : parseKey(source, passphrase);
  return key === undefined || key instanceof Error || !key.isPrivateKey() ? undefined : key;
}

/** The first key of a text; ssh2 throws for some malformed ones and returns an error for others. */
function parseKey(text: string, passphrase?: string): ParsedKey | Error | undefined {
  try {
    const result: ParsedKey | ParsedKey[] | Error = utils.parseKey(text, passphrase);
    return Array.isArray(result) ? result[0] : result;
  } catch {
    return undefined;
  }
}

/** PKCS#8, which ssh2 does not read, in a form that it reads. */
function fromPkcs8(text: string, passphrase: string | undefined): string | undefined {
  try {
    const key = createPrivateKey({ key: text, format: "pem", passphrase: passphrase ?? "" });
    if (key.asymmetricKeyType === "rsa") return key.export({ type: "pkcs1", format: "pem" }).toString();
    if (key.asymmetricKeyType === "ec") return key.export({ type: "sec1", format: "pem" }).toString();
    return key.asymmetricKeyType === "ed25519" ? openSshEd25519(key) : undefined;
  } catch {
    return undefined;
  }
}

/** An Ed25519 key in OpenSSH's own format (its PROTOCOL.key), unencrypted. */
function openSshEd25519(key: KeyObject): string {
  const { x, d } = key.export({ format: "jwk" });
  const [open, secret] = [Buffer.from(x ?? "", "base64url"), Buffer.from(d ?? "", "base64url")];
  const type = lengthAnd("ssh-ed25519");
  const check = Buffer.alloc(8);
  const body = Buffer.concat([check, type, lengthAnd(open), lengthAnd(Buffer.concat([secret, open])), lengthAnd("")]);
  const padding = Buffer.from(Array.from({ length: (8 - (body.length % 8)) % 8 }, (_, index) => index + 1));
  const file = Buffer.concat([
    Buffer.from(OPENSSH_MAGIC),
    ...["none", "none", ""].map(lengthAnd),
    Buffer.from([0, 0, 0, 1]),
    lengthAnd(Buffer.concat([type, lengthAnd(open)])),
    lengthAnd(Buffer.concat([body, padding])),
  ]);
  const lines = file.toString("base64").match(/.{1,70}/g) ?? [];
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join("\n")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

function lengthAnd(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
