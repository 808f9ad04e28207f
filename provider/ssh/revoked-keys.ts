/** RevokedHostKeys of the ssh configuration: lists of keys, or OpenSSH's key revocation lists. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fingerprint, keyType } from "./known-hosts";
import { runLocally } from "./local-program";
import { quotable } from "./ssh-error";

const KRL_MAGIC = "SSHKRL\n\0";

/** Why ssh refuses a server's key by these files, as a sentence's end; undefined when it does not. */
export async function revokedBy(files: readonly string[], key: Buffer): Promise<string | undefined> {
  for (const file of files) {
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => error);
    const why = Buffer.isBuffer(bytes) ? await judged(file, bytes, key) : unreadable(file, bytes.code ?? "error");
    if (why !== undefined) return why;
  }
  return undefined;
}

async function judged(file: string, bytes: Buffer, key: Buffer): Promise<string | undefined> {
  const isKrl = bytes.subarray(0, KRL_MAGIC.length).equals(Buffer.from(KRL_MAGIC));
  return isKrl ? inKrl(file, key).catch((error: Error) => unreadable(file, error.message)) : inList(file, bytes, key);
}

/** As ssh does: with a list that it can't read it accepts no key at all. */
function unreadable(file: string, why: string): string {
  return `can't be looked up in ${file}, which RevokedHostKeys of the ssh configuration names (${quotable(why, [])}): correct the file or that line`;
}

/** One public key a line. A fingerprint or anything else that is no key makes the whole list invalid. */
function inList(file: string, bytes: Buffer, key: Buffer): string | undefined {
  for (const [index, line] of bytes.toString("latin1").split("\n").entries()) {
    const text = line.replace(/^[ \t]+/, "");
    if (/^(#|\r?$)/.test(text)) continue;
    const [type, encoded = ""] = text.split(/[ \t\r]+/);
    const listed = Buffer.from(encoded, "base64");
    if (keyType(listed) !== type) return unreadable(file, `line ${index + 1} is no public key`);
    if (listed.equals(key)) return `is revoked at ${file}:${index + 1}: the server needs a new host key`;
  }
  return undefined;
}

async function inKrl(file: string, key: Buffer): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "pulumi-wapt-"));
  try {
    const shown = join(folder, "key.pub");
    await writeFile(shown, `${keyType(key)} ${key.toString("base64")} ${fingerprint(key)}\n`);
    const { stdout, stderr } = await runLocally("ssh-keygen", ["-Q", "-f", file, shown]);
    if (/: ok$/m.test(stdout)) return undefined;
    if (/: REVOKED$/m.test(stdout)) return `is revoked by ${file}: the server needs a new host key`;
    throw new Error(stderr || "ssh-keygen -Q gives no answer");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
