/** Secrets that are planted for a test, and the search for them: in clear, in base64 and in hexadecimal. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Planted secrets by what they are called in a failed test. */
export type Secrets = Readonly<Record<string, string>>;

export interface Leak {
  readonly secret: string;
  readonly form: "clear" | "base64" | "hexadecimal";
  /** The text in which it was found. */
  readonly where: string;
  /** The line of it. */
  readonly line: string;
}

/** A password that occurs nowhere else. */
export const newPassword = (): string => randomBytes(15).toString("base64url").replace(/[-_]/g, "x");

/** A private key, encrypted when there is a passphrase, and its public half. */
export function newKey(passphrase = ""): { privateKey: string; publicKey: string } {
  const folder = mkdtempSync(join(tmpdir(), "wapt-key-"));
  try {
    const file = join(folder, "key");
    // One round of the key derivation: each login pays for it.
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-a", "1", "-N", passphrase, "-C", "planted", "-f", file]);
    return { privateKey: readFileSync(file, "utf8"), publicKey: readFileSync(`${file}.pub`, "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where secrets occur in texts. */
export function leaks(secrets: Secrets, texts: Readonly<Record<string, string>>): Leak[] {
  const found: Leak[] = [];
  const wanted = Object.entries(secrets).flatMap(([secret, value]) =>
    formsOf(value).map((form) => ({ secret, ...form })),
  );
  for (const [where, text] of Object.entries(texts)) {
    for (const { secret, form, sought } of wanted.filter((one) => text.includes(one.sought))) {
      const lines = text.split("\n").filter((line) => line.includes(sought));
      found.push(...lines.map((line) => ({ secret, form, where, line })));
    }
  }
  return found;
}

/** Every file below a folder, by its path there. */
export function filesBelow(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, "latin1")]));
}

function formsOf(value: string): Pick<Leak & { sought: string }, "form" | "sought">[] {
  return piecesOf(value).flatMap((piece) => [
    { form: "clear" as const, sought: piece },
    ...[0, 1, 2].map((offset) => ({ form: "base64" as const, sought: base64Within(piece, offset) })),
    { form: "hexadecimal" as const, sought: Buffer.from(piece).toString("hex") },
  ]);
}

// Of a key each line counts: between them may stand a line break, its escape, or a space. The first line of OpenSSH's
// format is alike in all keys but for its end.
function piecesOf(value: string): string[] {
  const lines = value.split("\n").filter((line) => line !== "" && !line.startsWith("-----"));
  return lines.map((line) => (lines.length > 1 ? line.slice(-40) : line)).filter((piece) => piece.length >= 6);
}

/** What a piece looks like inside a longer text's base64 when so many bytes stand before it in its group of three. */
function base64Within(piece: string, offset: number): string {
  const encoded = Buffer.from("\0".repeat(offset) + piece)
    .toString("base64")
    .replace(/=+$/, "");
  const shared = Math.ceil((offset * 4) / 3);
  // The last digit may hold bits of what follows.
  return encoded.slice(shared, (offset + Buffer.byteLength(piece)) % 3 === 0 ? undefined : -1);
}
