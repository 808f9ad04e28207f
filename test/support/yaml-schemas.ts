/** A CI's own schema of its pipelines, as the Python package check-jsonschema carries it, kept outside the clone. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { withLock } from "../lab/claim";

const PACKAGE = "check-jsonschema==0.39.0";
const FOLDER = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pulumi-wapt", "yaml-schemas");
/** Holds the package's name once it is installed. */
const MARK = join(FOLDER, "package");

const isMade = (): boolean => existsSync(MARK) && readFileSync(MARK, "utf8") === PACKAGE;

/** Why there is nothing to check with here. */
export function missingPython(): string | false {
  try {
    if (!isMade()) execFileSync("python3", ["-c", "import venv, ensurepip"], { stdio: "ignore" });
    return false;
  } catch {
    return "there is no python3 with venv";
  }
}

/** Makes it at the first use: about 10 s and 20 MB. */
export const makeSchemas = (): Promise<void> =>
  withLock("yaml-schemas", async () => {
    if (isMade()) return;
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    execFileSync("python3", ["-m", "venv", FOLDER], { timeout: 120_000 });
    execFileSync(join(FOLDER, "bin/pip"), ["install", "--quiet", PACKAGE], { timeout: 120_000 });
    writeFileSync(MARK, PACKAGE);
  });

const SCHEMAS = {
  github: ["--builtin-schema", "vendor.github-workflows"],
  gitlab: ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
};

/** @throws Error with what is wrong. */
export function checkSchema(file: string, ci: keyof typeof SCHEMAS): void {
  const { status, stdout } = spawnSync(join(FOLDER, "bin/check-jsonschema"), [...SCHEMAS[ci], file], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stdout);
}

const LOAD = `
import json, sys
from ruamel.yaml import YAML
json.dump(YAML(typ="safe").load(open(sys.argv[1])), sys.stdout)
`;

/** YAML 1.2, as the CIs read it: "on" is a word. */
export function loadYaml<T>(file: string): T {
  return JSON.parse(execFileSync(join(FOLDER, "bin/python"), ["-c", LOAD, file], { encoding: "utf8" }));
}
