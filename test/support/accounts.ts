import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Sandbox } from "./sandbox";

/** Users of this name and a process's id are temporary; those whose process has ended are leftovers. */
const PREFIX = "wapttest";

export interface AccountOptions {
  /** The login shell. Default: /bin/bash. */
  readonly shell?: string;
  readonly password?: string;
  /** Lines for sudoers; USER stands for the user's name. */
  readonly sudoers?: readonly string[];
}

let count = 0;

/** Makes a user of this machine with a home of its own, who is removed after the tests. Needs root. */
export function account(sandbox: Sandbox, options: AccountOptions = {}): string {
  if (count === 0) removeLeftovers();
  const name = `${PREFIX}${process.pid}x${++count}`;
  run("useradd", "--create-home", "--shell", options.shell ?? "/bin/bash", "--password", hash(options.password), name);
  sandbox.atEnd(() => removeAccount(name));
  if (options.sudoers !== undefined) {
    const text = options.sudoers.map((line) => `${line.replaceAll("USER", name)}\n`).join("");
    writeFileSync(sudoersFile(name), text, { mode: 0o440 });
    run("visudo", "-c", "-q", "-f", sudoersFile(name));
  }
  return name;
}

/** The home folder of a user of this machine. */
export function homeOf(name: string): string {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  return line?.split(":")[5] ?? "/nonexistent";
}

function removeAccount(name: string): void {
  rmSync(sudoersFile(name), { force: true });
  run("userdel", "--remove", "--force", name);
}

function removeLeftovers(): void {
  for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
    const name = line.split(":")[0] ?? "";
    const pid = new RegExp(`^${PREFIX}([0-9]+)x[0-9]+$`).exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) removeAccount(name);
  }
  for (const file of existsSync("/etc/sudoers.d") ? readdirSync("/etc/sudoers.d") : []) {
    const pid = new RegExp(`^${PREFIX}([0-9]+)x[0-9]+$`).exec(file)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(sudoersFile(file), { force: true });
  }
}

function sudoersFile(name: string): string {
  return `/etc/sudoers.d/${name}`;
}

/** A password's hash for /etc/shadow; without a password the account has none that fits. */
function hash(password: string | undefined): string {
  if (password === undefined) return "*";
  return execFileSync("openssl", ["passwd", "-6", "-stdin"], { input: password }).toString().trim();
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
}
