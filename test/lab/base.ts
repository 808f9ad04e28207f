/** The root of a Debian server that lab servers are copies of: built once a suite, kept outside the clone. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { withLock } from "./claim";
import { APART, mustRun, run } from "./host";

export type Suite = "bookworm" | "bullseye" | "trixie";

const RECIPE = join(__dirname, "base");
export const LAB_CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pulumi-wapt", "lab");
/** It takes one minute where the packages come fast. */
const BUILD_SECONDS = 1800;
/** Another process's server may still run on a base of another recipe. */
const KEPT_UNUSED_MS = 24 * 3600 * 1000;

/** What is kept of a suite. */
export interface Base {
  /** Room for what is made of the base, such as a disk image; goes when the base goes. */
  folder: string;
  /** The server's tree, never written to. */
  root: string;
}

/** Returns the base of a suite, building it when there is none of this recipe: about a minute, once. */
export async function base(suite: Suite): Promise<Base> {
  const folder = join(LAB_CACHE, `${suite}-${await recipeHash(RECIPE)}`);
  const found = { folder, root: join(folder, "root") };
  if (existsSync(folder)) {
    await utimes(folder, new Date(), new Date());
    return found;
  }
  await withLock(`base-${suite}`, async () => {
    if (existsSync(folder)) return;
    await removeOthers(suite);
    await build(suite, folder);
  });
  return found;
}

async function build(suite: Suite, folder: string): Promise<void> {
  const making = join(LAB_CACHE, `making-${suite}`);
  await mkdir(join(making, "root"), { recursive: true });
  const script = ["sh", join(RECIPE, "build.sh"), suite, await mirror(), join(making, "root")];
  const { code, stdout, stderr } = await run([...APART, ...script], { timeoutSeconds: BUILD_SECONDS });
  await writeFile(join(making, "build.log"), `${stdout}\n${stderr}`);
  if (code !== 0) {
    const end = `${stdout}\n${stderr}`.trim().split("\n").slice(-15).join("\n");
    throw new Error(`the lab's ${suite} base could not be built (whole log: ${making}/build.log):\n${end}`);
  }
  await rename(making, folder);
}

/** A hash of a folder's files: when one of a recipe's files changes, so does the name of what is made by it. */
export async function recipeHash(recipe: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(recipe)).sort()) {
    const content = await readFile(join(recipe, name));
    hash.update(`${name} ${content.length}\n`).update(content);
  }
  return hash.digest("hex").slice(0, 12);
}

/** Where this machine gets its own Debian packages; empty, for debootstrap's default, when it is no Debian. */
async function mirror(): Promise<string> {
  const debian = ["Origin: Debian", "Label: Debian"];
  const { stdout } = await run(["apt-get", "indextargets", "--format", "$(REPO_URI)", ...debian]);
  return stdout.split("\n")[0]?.trim() ?? "";
}

/** Removes an interrupted build of the suite, and bases of older recipes that nothing was started from for a day. */
async function removeOthers(suite: Suite): Promise<void> {
  await mkdir(LAB_CACHE, { recursive: true });
  for (const name of await readdir(LAB_CACHE)) {
    const folder = join(LAB_CACHE, name);
    const unused = name.startsWith(`${suite}-`) && Date.now() - (await stat(folder)).mtimeMs > KEPT_UNUSED_MS;
    if (unused || name === `making-${suite}`) await mustRun(["rm", "-rf", "--one-file-system", folder]);
  }
}
