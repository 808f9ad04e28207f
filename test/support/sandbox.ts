import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { utils } from "ssh2";

/**
 * A home folder of its own for this test process, so that no test reads the real ~/.ssh, agent or credentials. To be
 * made while the file loads; deleted after its tests.
 */
export class Sandbox {
  readonly home: string;
  readonly #ends: (() => unknown)[] = [];

  constructor() {
    this.home = mkdtempSync(join(tmpdir(), "wapt-ssh-"));
    // sshd reads authorized keys below it as the user who logs in.
    chmodSync(this.home, 0o755);
    mkdirSync(join(this.home, ".ssh"), { mode: 0o700 });
    process.env.HOME = this.home;
    delete process.env.SSH_AUTH_SOCK;
    for (const name of Object.keys(process.env)) if (name.startsWith("PULUMI_")) delete process.env[name];
    this.atEnd(() => rmSync(this.home, { recursive: true, force: true }));
    after(async () => {
      for (const end of this.#ends.reverse()) await end();
    });
  }

  /** Has something done after all tests of the file, the latest first; `after` inside a test or hook ends with that. */
  atEnd(end: () => unknown): void {
    this.#ends.push(end);
  }

  path(...parts: string[]): string {
    return join(this.home, ...parts);
  }

  write(name: string, text: string, mode = 0o600): string {
    const file = this.path(name);
    writeFileSync(file, text, { mode });
    chmodSync(file, mode);
    return file;
  }

  remove(name: string): void {
    rmSync(this.path(name), { force: true });
  }

  /** Replaces ~/.ssh/config. */
  config(...lines: string[]): void {
    this.write(".ssh/config", lines.map((line) => `${line}\n`).join(""));
  }
}

export interface KeyPair {
  readonly private: string;
  readonly public: string;
}

/** A new key pair, in OpenSSH's formats. About one in 200 of ssh2's is malformed: then another one is made. */
export function keyPair(type: "ed25519" | "ecdsa" | "rsa" = "ed25519", passphrase?: string): KeyPair {
  const encryption = passphrase === undefined ? {} : { passphrase, cipher: "aes256-ctr", rounds: 2 };
  const bits = type === "rsa" ? { bits: 2048 } : type === "ecdsa" ? { bits: 256 } : {};
  for (;;) {
    const pair = utils.generateKeyPairSync(type as "rsa", { ...bits, ...encryption, comment: "test" } as never);
    if (!(utils.parseKey(pair.private, passphrase) instanceof Error)) return pair;
  }
}
