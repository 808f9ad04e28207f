/**
 * Where one lab server lives on this machine: an index i gives its network namespace, its link, its folder and its
 * control groups, all named wapt-lab-i. The index is claimed for as long as this process runs the server, so whatever
 * bears the name of an unclaimed index was left by a process that was killed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { type Claim, claim } from "./claim";
import { mustRun } from "./host";

const FOLDERS = "/run/wapt-lab";
const NAMESPACES = "/run/netns";
/** The roots of the control-group hierarchies that systemd uses: one (v2), or two (v1 with systemd's own). */
const CGROUPS = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"].filter((root) =>
  existsSync(join(root, "cgroup.procs")),
);
/** The last of 10.231.1.0/24 … 10.231.254.0/24. */
const LAST_INDEX = 254;
/** What a server may write at most; it is memory, taken only as it is written. */
const FOLDER_SIZE = "20g";

export interface Place {
  index: number;
  /** wapt-lab-i: of the network namespace, the link's outer end, the mounts and the control groups. */
  name: string;
  /** A file system in memory, of this server alone. */
  folder: string;
  /** Its control groups: a container boots in groups of its own, or two of them would take each other's services for theirs. */
  cgroups: string[];
  outerAddress: string;
  address: string;
  /** Ends every process of the server and removes all that bears its name. Does nothing the second time. */
  clear(): void;
}

/**
 * Each server of this process gets an index after the last one's: an HTTP client may keep connections to an address that
 * was used before.
 */
let nextIndex = 1;

/** Claims a free index, clears what an earlier process may have left of it, and makes the folder and the groups. */
export async function claimPlace(): Promise<Place> {
  await clearLeftovers();
  for (let attempt = 0; attempt < LAST_INDEX; attempt++) {
    const index = nextIndex;
    nextIndex = (nextIndex % LAST_INDEX) + 1;
    const held = subnetInUse(index) ? undefined : await claim(String(index));
    if (!held) continue;
    clearIndex(index);
    const place = placeOf(index, held);
    mkdirSync(place.folder, { recursive: true });
    await mustRun(["mount", "-t", "tmpfs", "-o", `mode=755,size=${FOLDER_SIZE}`, place.name, place.folder]);
    for (const group of place.cgroups) mkdirSync(group);
    return place;
  }
  throw new Error(`no free subnet: all of 10.231.1.0/24 to 10.231.${LAST_INDEX}.0/24 are in use`);
}

function placeOf(index: number, held: Claim): Place {
  const name = `wapt-lab-${index}`;
  let cleared = false;
  return {
    index,
    name,
    folder: join(FOLDERS, String(index)),
    cgroups: CGROUPS.map((root) => join(root, name)),
    outerAddress: `10.231.${index}.1`,
    address: `10.231.${index}.2`,
    clear() {
      if (cleared) return;
      cleared = true;
      clearIndex(index);
      held.release();
    },
  };
}

/** Makes the network namespace, and a link into it whose inner end is `host0`. */
export async function makeNetwork(place: Place): Promise<void> {
  const inside = ["ip", "-n", place.name];
  await mustRun(["ip", "netns", "add", place.name]);
  await mustRun(["ip", "link", "add", place.name, "type", "veth", "peer", "name", "host0", "netns", place.name]);
  await mustRun(["ip", "address", "add", `${place.outerAddress}/24`, "dev", place.name]);
  await mustRun(["ip", "link", "set", place.name, "up"]);
  await mustRun([...inside, "link", "set", "lo", "up"]);
}

function subnetInUse(index: number): boolean {
  const addresses = Object.entries(networkInterfaces()).flatMap(([device, all]) =>
    // A server's own link is no foreign use: its index is claimed, or what is left of it gets cleared.
    device === `wapt-lab-${index}` ? [] : (all ?? []).map((one) => one.address),
  );
  return addresses.some((address) => address.startsWith(`10.231.${index}.`));
}

/** Clears every server whose process was killed before it could. */
async function clearLeftovers(): Promise<void> {
  for (const index of indexesSeen()) {
    const held = await claim(String(index));
    if (!held) continue;
    clearIndex(index);
    held.release();
  }
}

function indexesSeen(): Set<number> {
  const names = [NAMESPACES, ...CGROUPS].flatMap(entries).filter((name) => name.startsWith("wapt-lab-"));
  return new Set([...names.map((name) => Number(name.slice("wapt-lab-".length))), ...entries(FOLDERS).map(Number)]);
}

function entries(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Removes all of one server. Synchronous, because it also runs while this process exits. */
function clearIndex(index: number): void {
  const name = `wapt-lab-${index}`;
  if (existsSync(join(NAMESPACES, name))) {
    endProcesses(name);
    spawnSync("ip", ["netns", "delete", name]);
  }
  // The kernel removes a deleted namespace's devices some time later; this end of the link would be in the way until then.
  if (existsSync(`/sys/class/net/${name}`)) spawnSync("ip", ["link", "delete", name]);
  for (const target of mountsUnder(join(FOLDERS, String(index)))) unmount(target);
  rmSync(join(FOLDERS, String(index)), { recursive: true, force: true });
  for (const root of CGROUPS) removeGroup(join(root, name));
}

/** Kills the processes in a network namespace and waits until they are gone (at most 10 s). */
function endProcesses(namespace: string): void {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { stdout } = spawnSync("ip", ["netns", "pids", namespace], { encoding: "utf8" });
    const pids = stdout.split("\n").filter(Boolean).map(Number);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
    pause(50);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended between the listing and now.
  }
}

/** The mount points at and under a folder, innermost first. */
function mountsUnder(folder: string): string[] {
  const targets = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return targets.filter((target) => target === folder || target.startsWith(`${folder}/`)).reverse();
}

/** Unmounts; the container's manager may need a moment to let go, so a busy mount is tried again for 5 s. */
function unmount(target: string): void {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (spawnSync("umount", [target]).status === 0) return;
    pause(50);
  }
  spawnSync("umount", ["--lazy", target]);
}

/** Removes a control group and those under it; the kernel needs a moment after their last process has ended. */
function removeGroup(group: string): void {
  if (!existsSync(group)) return;
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroup(join(group, entry.name));
  }
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      rmdirSync(group);
      return;
    } catch {
      pause(20);
    }
  }
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
