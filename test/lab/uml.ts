/**
 * A lab server with a kernel of its own, by User-Mode Linux: limits, sysctls, reboots and load are real in it. It has one
 * processor.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Base, recipeHash } from "./base";
import { withLock } from "./claim";
import { APART, mustRun, run } from "./host";
import type { Identity } from "./identity";
import type { Machine } from "./machine";
import { makeNetwork, type Place } from "./place";

const RECIPE = join(__dirname, "image");
const IMAGE_SECONDS = 600;
const REBOOT_SECONDS = 180;

/** Boots a kernel with so many GiB on an image of the base; the first call on a machine makes the image. */
export async function bootUml(base: Base, place: Place, identity: Identity, memory: number): Promise<Machine> {
  const image = await diskImage(base);
  const archive = join(place.folder, "identity.tar");
  await mustRun(["tar", "--create", "--file", archive, "--directory", identity.tree, "."]);
  await makeNetwork(place);
  await connectTap(place);
  const consoleFile = join(place.folder, "console.log");
  startKernel({ place, identity, image, archive, consoleFile, memory });
  const exec = commandRunner(place, identity);
  return { root: base.root, consoleFile, exec, reboot: () => reboot(exec) };
}

/** The disk image of a base, made once; servers write to copies of their own (copy-on-write). */
async function diskImage(base: Base): Promise<string> {
  const version = (await mustRun(["linux.uml", "--version"])).trim().split("\n").at(-1);
  const image = join(base.folder, `linux-${version}-${await recipeHash(RECIPE)}.ext4`);
  if (existsSync(image)) return image;
  await withLock("image", async () => {
    if (existsSync(image)) return;
    const work = join(base.folder, "making-image");
    await rm(work, { recursive: true, force: true });
    await mkdir(work);
    const made = join(work, "image");
    const script = ["sh", join(RECIPE, "image.sh"), base.root, work, made];
    await mustRun([...APART, ...script], { timeoutSeconds: IMAGE_SECONDS });
    await rename(made, image);
    await rm(work, { recursive: true, force: true });
  });
  return image;
}

/** Joins the link's inner end and the kernel's network device by a bridge. */
async function connectTap(place: Place): Promise<void> {
  const inside = ["ip", "-n", place.name];
  await mustRun([...inside, "link", "add", "bridge0", "type", "bridge"]);
  await mustRun(["ip", "netns", "exec", place.name, "ip", "tuntap", "add", "tap0", "mode", "tap"]);
  for (const port of ["host0", "tap0"]) await mustRun([...inside, "link", "set", port, "master", "bridge0", "up"]);
  await mustRun([...inside, "link", "set", "bridge0", "up"]);
  // The kernel would otherwise leave checksums to hardware that the tap does not have.
  await mustRun(["ethtool", "-K", place.name, "tx", "off"]);
}

interface Boot {
  readonly place: Place;
  readonly identity: Identity;
  readonly image: string;
  readonly archive: string;
  readonly consoleFile: string;
  readonly memory: number;
}

function startKernel({ place, identity, image, archive, consoleFile, memory }: Boot): void {
  const kernel = [
    "linux.uml",
    `ubd0=${join(place.folder, "disk.cow")},${image}`,
    `ubd1r=${archive}`,
    "root=/dev/ubda",
    "rw",
    `mem=${memory}G`,
    "eth0=tuntap,tap0",
    "con=null",
    "con0=null,fd:2",
    "con1=null",
    `uml_dir=${place.folder}/`,
    "umid=uml",
    `systemd.machine_id=${identity.machineId}`,
    `lab.address=${place.address}/24`,
  ];
  const log = openSync(consoleFile, "a");
  const child = spawn("ip", ["netns", "exec", place.name, ...kernel], {
    // The kernel's memory is a file there: /dev/shm keeps it off the disk.
    env: { ...process.env, TMPDIR: "/dev/shm" },
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  child.unref();
}

/** Runs commands by ssh as root: nothing else leads into another kernel. */
function commandRunner(place: Place, identity: Identity): Machine["exec"] {
  const settings = ["BatchMode=yes", `UserKnownHostsFile=${identity.knownHosts}`, "StrictHostKeyChecking=yes"];
  const options = [...settings, "IdentitiesOnly=yes", "ConnectTimeout=10", "LogLevel=ERROR"].flatMap((one) => [
    "-o",
    one,
  ]);
  const ssh = ["ssh", "-F", "none", ...options, "-i", identity.privateKeyFile, `root@${place.address}`];
  return (command, execOptions) => run([...ssh, `cd / && exec sh -c ${quoted(command)}`], execOptions);
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Reboots and waits until every unit has been started again. */
async function reboot(exec: Machine["exec"]): Promise<void> {
  // A connection that the reboot cuts, or meets half-way, would wait for its answer until TCP gives up.
  const ask = (command: string) =>
    exec(command, { timeoutSeconds: 10 }).then(
      (said) => said.stdout.trim(),
      () => "",
    );
  const bootId = "cat /proc/sys/kernel/random/boot_id";
  const before = (await exec(bootId)).stdout.trim();
  await ask("systemctl reboot");
  const deadline = Date.now() + REBOOT_SECONDS * 1000;
  while (Date.now() < deadline) {
    const now = await ask(bootId);
    if (now && now !== before && (await ask("systemctl is-system-running")) === "running") return;
    await sleep(500);
  }
  throw new Error(`not up again ${REBOOT_SECONDS} s after a reboot`);
}
