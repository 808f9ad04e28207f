/** A lab server as a systemd-nspawn container: real systemd, sshd, nginx and PostgreSQL on this machine's kernel. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Base } from "./base";
import { mustRun, run } from "./host";
import type { Identity } from "./identity";
import type { Machine } from "./machine";
import { makeNetwork, type Place } from "./place";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Boots a container over the base. It is ready when the returned machine's `exec` says so. */
export async function bootContainer(base: Base, place: Place, identity: Identity): Promise<Machine> {
  const root = await mountOverlay(base, place);
  await mustRun(["cp", "-a", `${identity.tree}/.`, root]);
  await makeNetwork(place);
  await mustRun(["ip", "-n", place.name, "address", "add", `${place.address}/24`, "dev", "host0"]);
  await mustRun(["ip", "-n", place.name, "link", "set", "host0", "up"]);
  const consoleFile = join(place.folder, "console.log");
  startNspawn(root, place, consoleFile);
  return { root, consoleFile, exec: commandRunner(place) };
}

async function mountOverlay(base: Base, place: Place): Promise<string> {
  const [upper, work, root] = ["upper", "work", "root"].map((name) => join(place.folder, name));
  for (const folder of [upper!, work!, root!]) mkdirSync(folder);
  const layers = `lowerdir=${base.root},upperdir=${upper},workdir=${work}`;
  await mustRun(["mount", "-t", "overlay", "-o", layers, place.name, root!]);
  return root!;
}

function startNspawn(root: string, place: Place, consoleFile: string): void {
  const nspawn = [
    "systemd-nspawn",
    "--quiet",
    "--boot",
    "--register=no",
    "--keep-unit",
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    // With the variable below: the network's sysctls, which the namespace owns, can be set; no others.
    "--capability=CAP_NET_ADMIN",
    `--network-namespace-path=/run/netns/${place.name}`,
    // Newer systemd refuses to boot where this machine still has the older hierarchy of control groups.
    "--setenv=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
    `--directory=${root}`,
  ];
  // systemd in a container takes the control group it is started in for the root of all.
  const intoGroups = place.cgroups.map((group) => `echo $$ > ${group}/cgroup.procs`);
  const log = openSync(consoleFile, "a");
  const child = spawn("sh", ["-ec", [...intoGroups, 'exec "$@"'].join("; "), "sh", ...nspawn], {
    env: { ...process.env, SYSTEMD_NSPAWN_API_VFS_WRITABLE: "network", SYSTEMD_LOG_COLOR: "0" },
    stdio: ["ignore", log, log],
    // A Ctrl-C at the terminal is for the process that runs the lab, which then ends the container itself.
    detached: true,
  });
  closeSync(log);
  child.unref();
}

function commandRunner(place: Place): Machine["exec"] {
  let init: number | undefined;
  return async (command, options) => {
    if (init === undefined || !isInit(init)) init = await findInit(place);
    if (init === undefined) return { stdout: "", stderr: "the container is not running", code: 255 };
    const enter = ["nsenter", "--target", String(init), "--all", "--root"];
    // Nothing of this machine's environment; and the folder inside, since nsenter keeps the one outside.
    const clean = ["env", "-i", "--chdir=/", `PATH=${PATH}`, "HOME=/root", "LANG=C.UTF-8"];
    const bounded = ["setpriv", `--bounding-set=${capabilities(init)}`];
    return run([...enter, ...clean, ...bounded, "sh", "-c", command], options);
  };
}

/** The process that is number 1 inside. */
async function findInit(place: Place): Promise<number | undefined> {
  const { stdout } = await run(["ip", "netns", "pids", place.name]);
  return stdout.split("\n").filter(Boolean).map(Number).find(isInit);
}

function isInit(pid: number): boolean {
  const numbers = status(pid, "NSpid").split("\t");
  return numbers.length === 2 && numbers[1] === "1";
}

/** The capabilities that the container has, so that a command entered from outside has no more than one started inside. */
function capabilities(pid: number): string {
  const mask = BigInt(`0x${status(pid, "CapBnd") || "0"}`);
  const held = Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (mask >> BigInt(bit)) & 1n);
  return ["-all", ...held.map((bit) => `+cap_${bit}`)].join(",");
}

function status(pid: number, field: string): string {
  try {
    const line = readFileSync(`/proc/${pid}/status`, "utf8")
      .split("\n")
      .find((one) => one.startsWith(`${field}:`));
    return line?.slice(field.length + 1).trim() ?? "";
  } catch {
    return ""; // It has ended.
  }
}
