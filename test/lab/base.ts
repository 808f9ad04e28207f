/** The root of a Debian server that lab servers are copies of: built once a suite, kept outside the clone. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { withLock } from "./claim";
import { mustRun, run } from "./host";

export type Suite = "bookworm" | "bullseye" | "trixie";

const RECIPE = join(__dirname, "base");
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pulumi-wapt", "lab");
/** It takes one minute where the packages come fast. */
const BUILD_SECONDS = 1800;

/** What is kept of a suite: `root`, the server's tree (never written to), and room for what is made of it. */
export interface Base {
  folder: string;
  root: string;
}

/** Returns the base of a suite, building it when there is none of this recipe: about a minute, once. */
export async function base(suite: Suite): Promise<Base> {
  const folder = join(CACHE, `${suite}-${await recipeHash()}`);
  const found = { folder, root: join(folder, "root") };
  if (existsSync(folder)) return found;
  await withLock(`base-${suite}`, async () => {
    if (existsSync(folder)) return;
    await removeOthers(suite);
    await build(suite, folder);
  });
  return found;
}

async function build(suite: Suite, folder: string): Promise<void> {
  const making = join(CACHE, `making-${suite}`);
  await mkdir(join(making, "root"), { recursive: true });
  // Namespaces of its own: debootstrap's mounts, and whatever a package might start, end with the build.
  const apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const script = ["sh", join(RECIPE, "build.sh"), suite, await mirror(), join(making, "root")];
  const { code, stdout, stderr } = await run([...apart, ...script], { timeoutSeconds: BUILD_SECONDS });
  await writeFile(join(making, "build.log"), `${stdout}\n${stderr}`);
  if (code !== 0) {
    const end = `${stdout}\n${stderr}`.trim().split("\n").slice(-15).join("\n");
    throw new Error(`the lab's ${suite} base could not be built (whole log: ${making}/build.log):\n${end}`);
  }
  await rename(making, folder);
}

/** The files that decide what is in a base: when one of them changes, so does the name of the base. */
async function recipeHash(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(RECIPE)).sort()) {
    const content = await readFile(join(RECIPE, name));
    hash.update(`${name} ${content.length}\n`).update(content);
  }
  return hash.digest("hex").slice(0, 12);
}

/** Where this machine gets its own Debian packages; empty, for debootstrap's default, when it is no Debian. */
async function mirror(): Promise<string> {
  const { stdout } = await run([
    "apt-get",
    "indextargets",
    "--format",
    "$(REPO_URI)",
    "Origin: Debian",
    "Label: Debian",
  ]);
  return stdout.split("\n")[0]?.trim() ?? "";
}

/** Removes an interrupted build of the suite, and bases of older recipes that no server runs on. */
async function removeOthers(suite: Suite): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  for (const name of await readdir(CACHE)) {
    const old = name === `making-${suite}` || name.startsWith(`${suite}-`);
    const folder = join(CACHE, name);
    if (old && !mounts.includes(folder)) await mustRun(["rm", "-rf", "--one-file-system", folder]);
  }
}
