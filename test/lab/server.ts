/**
 * Real Debian servers for the tests: systemd, sshd, nginx, PostgreSQL, and WAPT's services, in a network namespace of
 * their own. See README.md beside this file.
 */
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { base, type Suite } from "./base";
import { bootContainer } from "./container";
import { installPrograms, labUnavailable } from "./host";
import { makeIdentity } from "./identity";
import type { ExecOptions, Machine } from "./machine";
import { claimPlace, type Place } from "./place";
import { bootUml } from "./uml";

export type { Suite } from "./base";
export { LAB_CACHE } from "./base";
export { labUnavailable, missingPackages, skipWithoutLab } from "./host";

export interface LabServer {
  name: string;
  /** Its address, 10.231.i.2; sshd listens on port 22, nginx on 80 and 443. */
  host: string;
  /** Logs in as root, as admin (sudo without a password) and as oncall (password "oncall", needed for sudo). */
  privateKeyFile: string;
  privateKey: string;
  /** A known_hosts file with this server's key. */
  knownHosts: string;
  /** Its host key, as `ssh-ed25519 AAAA…`. */
  hostKey: string;
  /** Runs a command by sh as root, without sshd where the kernel is shared. A failing command is no error. */
  exec(command: string, options?: ExecOptions): Promise<{ stdout: string; stderr: string; code: number }>;
  /** Its files as this machine sees them; with a kernel of its own, the read-only base it started from. */
  root: string;
  /** Reboots and waits until it is up again. Only with a kernel of its own. */
  reboot?(): Promise<void>;
  /** Ends it and removes all of it. Also happens when this process exits or is interrupted. */
  stop(): Promise<void>;
}

export interface LabOptions {
  /** Debian's release: bookworm by default. */
  suite?: Suite;
  /**
   * "shared" (the default): a container, up in 3 s. Its limit of open files can't be raised above this machine's, and
   * of the sysctls only the network's can be set. "own": User-Mode Linux, up in 20 s, where limits, sysctls, reboots
   * and load are a server's own.
   */
  kernel?: "shared" | "own";
  /** GiB of a kernel of its own: 1 by default. */
  memory?: number;
}

const BOOT_SECONDS = 120;

const running = new Set<Place>();
let watching = false;

/**
 * Boots a server; the first call on a machine builds the base (a minute) and installs what it needs.
 *
 * @param name its host name: lower-case letters, digits and hyphens.
 * @throws Error when the lab can't be had here, or the server does not come up; with the end of its console.
 */
export async function startServer(name: string, options: LabOptions = {}): Promise<LabServer> {
  const { suite = "bookworm", kernel = "shared", memory = 1 } = options;
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name)) throw new Error(`"${name}" is no host name (a-z, 0-9 and hyphens)`);
  const reason = labUnavailable();
  if (reason) throw new Error(reason);
  await installPrograms(kernel);
  const from = await base(suite);
  const place = await claimPlace();
  clearAtExit(place);
  try {
    const identity = await makeIdentity(name, place);
    const machine = await (kernel === "own"
      ? bootUml(from, place, identity, memory)
      : bootContainer(from, place, identity));
    await waitUntilUp(name, place, machine);
    const { privateKeyFile, privateKey, knownHosts, hostKey } = identity;
    const { root, exec, reboot } = machine;
    const stop = async () => clear(place);
    return { name, host: place.address, privateKeyFile, privateKey, knownHosts, hostKey, exec, root, reboot, stop };
  } catch (error) {
    clear(place);
    throw error;
  }
}

function clear(place: Place): void {
  running.delete(place);
  place.clear();
}

function clearAtExit(place: Place): void {
  running.add(place);
  if (watching) return;
  watching = true;
  process.once("exit", clearAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      clearAll();
      // Whoever else listens for the signal decides what becomes of the process; else it ends as it would have.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
}

function clearAll(): void {
  for (const place of running) clear(place);
}

/** WAPT's services write these once they hold their first connections: systemd calls them active before that. */
const SERVICES_READY = "test -s /run/waptserver/status.json && test -s /run/wapttasks/status.json";

/** Waits until every unit has been started, WAPT's services are ready and sshd answers. */
async function waitUntilUp(name: string, place: Place, machine: Machine): Promise<void> {
  const deadline = Date.now() + BOOT_SECONDS * 1000;
  let state = "no answer";
  while (Date.now() < deadline && state !== "degraded") {
    const asked = await machine.exec("systemctl is-system-running --wait").catch(() => undefined);
    state = asked?.stdout.trim() || state;
    if (state === "running" && (await machine.exec(SERVICES_READY)).code === 0 && (await sshAnswers(place.address)))
      return;
    await sleep(100);
  }
  const failed = await machine.exec(
    "systemctl --failed --no-legend --plain; journalctl -p err -b --no-pager | tail -20",
  );
  const boot = (await readFile(machine.consoleFile, "utf8")).trim().split("\n").slice(-15).join("\n");
  throw new Error(
    `lab server ${name} (${place.address}) did not come up: ${state}\n${failed.stdout}\nconsole:\n${boot}`,
  );
}

/** True when sshd sends its greeting within 2 s. */
function sshAnswers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: 22, timeout: 2000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (greeting) => end(greeting.toString().startsWith("SSH-2.0-")));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
    socket.once("close", () => end(false));
  });
}
