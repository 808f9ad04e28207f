import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type KeyPair, keyPair, type Sandbox } from "./sandbox";

const SSHD = "/usr/sbin/sshd";

/**
 * Why real servers can't be tested here; undefined when they can. Under CI they must be: then the tests fail instead of
 * being skipped.
 */
export function whyNoSshd(...programs: string[]): string | undefined {
  const missing = [SSHD, ...programs].filter((program) => !existsSync(program));
  const reason =
    process.getuid?.() !== 0
      ? "needs root, to log in as other users"
      : missing.length > 0
        ? `needs ${missing.join(", ")} (packages openssh-server, sudo, fish, tcsh)`
        : undefined;
  if (reason !== undefined && process.env.CI === "true")
    throw new Error(`under CI the tests of real servers ${reason}`);
  return reason;
}

export interface SshdOptions {
  /** Lines of sshd_config; the first of a keyword counts. */
  readonly lines?: readonly string[];
  readonly hostKeys?: readonly ("ed25519" | "ecdsa" | "rsa")[];
}

/** A real OpenSSH server on the loopback interface, with host keys of its own; it ends with the tests. */
export class Sshd {
  readonly hostKeys: ReadonlyMap<string, KeyPair>;
  #child: ChildProcess | undefined;
  #log = "";

  private constructor(
    readonly sandbox: Sandbox,
    readonly name: string,
    readonly port: number,
    options: SshdOptions,
  ) {
    this.hostKeys = new Map((options.hostKeys ?? ["ed25519"]).map((type) => [type, keyPair(type)]));
    const keyFiles = [...this.hostKeys].map(([type, pair]) => sandbox.write(`${name}-${type}`, `${pair.private}\n`));
    this.authorize();
    const lines = [
      `Port ${port}`,
      "ListenAddress 127.0.0.1",
      ...keyFiles.map((file) => `HostKey ${file}`),
      ...(options.lines ?? []),
      `AuthorizedKeysFile ${sandbox.path(`${name}-authorized`)}`,
      "StrictModes no",
      "PidFile none",
      "PermitRootLogin yes",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "LogLevel VERBOSE",
    ];
    sandbox.write(`${name}.conf`, `${lines.join("\n")}\n`);
  }

  static async start(sandbox: Sandbox, name: string, options: SshdOptions = {}): Promise<Sshd> {
    const sshd = new Sshd(sandbox, name, await freePort(), options);
    await sshd.#run();
    sandbox.atEnd(() => sshd.stop());
    return sshd;
  }

  /** Lets whoever has one of these keys log in, as any user, and nobody else. */
  authorize(...keys: readonly string[]): void {
    this.sandbox.write(`${this.name}-authorized`, keys.map((key) => `${key}\n`).join(""), 0o644);
  }

  /** A line for known_hosts with a key of this server. */
  knownHost(type = "ed25519", host = `[127.0.0.1]:${this.port}`): string {
    const pair = this.hostKeys.get(type);
    if (pair === undefined) throw new Error(`this server has no ${type} key`);
    return `${host} ${pair.public.split(" ").slice(0, 2).join(" ")}\n`;
  }

  /** What it logged since the last call. */
  async log(): Promise<string> {
    await sleep(50);
    const log = this.#log;
    this.#log = "";
    return log;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    child.kill();
    await once(child, "exit");
  }

  /** Kills the processes that serve connections, not the server. */
  dropConnections(): void {
    const parent = String(this.#child?.pid);
    for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
      // The fields after the name in parentheses: state, then the parent's id.
      const stat = readText(`/proc/${pid}/stat`).replace(/^.*\) /s, "");
      if (stat.split(" ")[1] === parent) process.kill(Number(pid));
    }
  }

  async #run(): Promise<void> {
    mkdirSync("/run/sshd", { recursive: true });
    const child = spawn(SSHD, ["-D", "-e", "-f", this.sandbox.path(`${this.name}.conf`)], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    child.stderr.on("data", (data: Buffer) => {
      this.#log += data.toString();
    });
    for (let tries = 0; !this.#log.includes("Server listening"); tries++) {
      if (tries > 200 || child.exitCode !== null) throw new Error(`sshd did not start: ${this.#log}`);
      await sleep(20);
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** An ssh-agent of OpenSSH with these private keys (files), which ends with the tests; returns its socket. */
export async function sshAgent(sandbox: Sandbox, name: string, ...files: readonly string[]): Promise<string> {
  const socket = sandbox.path(name);
  const child = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
  sandbox.atEnd(() => child.kill());
  for (let tries = 0; !existsSync(socket); tries++) {
    if (tries > 200) throw new Error("ssh-agent did not start");
    await sleep(20);
  }
  for (const file of files)
    execFileSync("ssh-add", ["-q", file], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" });
  return socket;
}

/** A file's text; empty when it is gone. */
function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
