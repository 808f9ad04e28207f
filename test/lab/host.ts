/** The machine that the lab runs on: may it, has it the programs, and how they are run. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { withLock } from "./claim";

export interface Result {
  stdout: string;
  stderr: string;
  /** The exit status; 128 + the number of the signal that ended it; -1 when it could not be started. */
  code: number;
}

export interface RunOptions {
  /** Given on standard input. */
  input?: string;
  env?: Record<string, string>;
  /** After so many seconds the program is killed and the promise rejected; 120 by default. */
  timeoutSeconds?: number;
}

/** Debian's package for each program that the lab starts. */
const PROGRAMS: Record<string, string> = {
  "systemd-nspawn": "systemd-container",
  debootstrap: "debootstrap",
  ip: "iproute2",
  nsenter: "util-linux",
  mount: "mount",
  "ssh-keygen": "openssh-client",
};
const OWN_KERNEL_PROGRAMS: Record<string, string> = {
  "linux.uml": "user-mode-linux",
  ethtool: "ethtool",
  mke2fs: "e2fsprogs",
  depmod: "kmod",
};
const FOLDERS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];
const INSTALL_SECONDS = 600;

/** Why this machine can't run lab servers, or nothing when it can. */
export function labUnavailable(): string | undefined {
  if (process.platform !== "linux") return `lab servers need Linux; this is ${process.platform}`;
  if (process.getuid?.() !== 0) return "lab servers need root (network namespaces, overlays, systemd-nspawn)";
  const absent = Object.keys(PROGRAMS).filter((program) => !isInstalled(program));
  if (absent.length > 0 && !isInstalled("apt-get")) {
    return `lab servers need ${absent.map((program) => PROGRAMS[program]).join(", ")}, and there is no apt-get to install it`;
  }
  if (spawnSync("unshare", ["--mount", "--net", "true"]).status !== 0) {
    return "lab servers need to create mount and network namespaces, which this machine refuses even to root";
  }
  return undefined;
}

/**
 * For `test(…, { skip: skipWithoutLab() })`: the reason to skip, or false. In CI (the environment's CI is "true") nothing
 * is skipped: the test runs, and startServer() fails with that reason.
 */
export function skipWithoutLab(): string | false {
  return process.env.CI === "true" ? false : (labUnavailable() ?? false);
}

/** The Debian packages that are missing on this machine. */
export function missingPackages(kernel: "shared" | "own" = "shared"): string[] {
  const wanted = kernel === "own" ? { ...PROGRAMS, ...OWN_KERNEL_PROGRAMS } : PROGRAMS;
  return Object.entries(wanted).flatMap(([program, name]) => (isInstalled(program) ? [] : [name]));
}

/** Installs the programs that the lab starts, when they are missing. */
export async function installPrograms(kernel: "shared" | "own"): Promise<void> {
  if (missingPackages(kernel).length === 0) return;
  await withLock("packages", async () => {
    const packages = missingPackages(kernel);
    if (packages.length === 0) return;
    const options = { env: { DEBIAN_FRONTEND: "noninteractive" }, timeoutSeconds: INSTALL_SECONDS };
    await mustRun(["apt-get", "update", "-qq"], options);
    const install = ["apt-get", "install", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
    await mustRun([...install, ...packages], options);
  });
}

function isInstalled(program: string): boolean {
  return FOLDERS.some((folder) => existsSync(`${folder}/${program}`));
}

/** Runs a program to its end, whatever its exit status. */
export function run(command: string[], options: RunOptions = {}): Promise<Result> {
  const [program = "", ...args] = command;
  const seconds = options.timeoutSeconds ?? 120;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: "pipe" });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk) => out.push(chunk));
    child.stderr.on("data", (chunk) => err.push(chunk));
    // A program that ends without reading its input is no failure of this one.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${program}: no end within ${seconds} s`));
    }, seconds * 1000);
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ stdout: "", stderr: error.message, code: -1 });
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const status = code ?? 128 + (signal ? constants.signals[signal] : 0);
      resolve({ stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString(), code: status });
    });
  });
}

/**
 * The words to put before a command that mounts or starts things: it gets mount and process namespaces of its own, which
 * end with it, and it ends with this process, however this process ends.
 */
export const APART = [
  ...["setpriv", "--pdeathsig", "KILL"],
  ...["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
];

/** Runs a program and returns its standard output. @throws Error with what it said, when its exit status is not 0. */
export async function mustRun(command: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code === 0) return stdout;
  const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-20).join("\n");
  throw new Error(`${command.slice(0, 3).join(" ")} …: exit status ${code}\n${said}`);
}
