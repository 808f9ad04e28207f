/** Ansible and pyinfra in a virtual environment of their own, made at the first use: about 20 s and 110 MB. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { withLock } from "../lab/claim";
import { mustRun } from "../lab/host";

export const ANSIBLE_VERSION = "2.19.14";
export const PYINFRA_VERSION = "3.10.0";

const PACKAGES = [`ansible-core==${ANSIBLE_VERSION}`, `pyinfra==${PYINFRA_VERSION}`];
const FOLDER = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pulumi-wapt", "benchmark");
/** Holds the packages once all are installed. */
const MARK = join(FOLDER, "packages");

/** The folder of the programs. Needs Python 3.11 or later, with venv. */
export async function pythonPrograms(): Promise<string> {
  const bin = join(FOLDER, "bin");
  await withLock("benchmark", async () => {
    const made = existsSync(MARK) ? await readFile(MARK, "utf8") : "";
    if (made === PACKAGES.join(" ")) return;
    await rm(FOLDER, { recursive: true, force: true });
    await mkdir(FOLDER, { recursive: true });
    await mustRun(["python3", "-m", "venv", FOLDER]);
    await mustRun([join(bin, "pip"), "install", "--quiet", ...PACKAGES], { timeoutSeconds: 600 });
    await writeFile(MARK, PACKAGES.join(" "));
  });
  return bin;
}
