/** Node.js binaries of several versions: npm packages carry them. Kept outside the clone. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const PACKAGE = `node-linux-${process.arch}`;
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pulumi-wapt");
const ANSWER = join(CACHE, "node-versions.json");
/** The registry is asked once in this time. */
const FRESH_MS = 24 * 3600 * 1000;
/** package.json's engines. */
const OLDEST = 22;

interface Answer {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly majors: readonly number[];
}

/**
 * The versions that the package is tested on: the three newest even majors that the registry has. The answer is kept for
 * a day; where the registry can't be asked, an older answer counts, then the binaries that are here.
 *
 * @throws Error when there is none of these.
 */
export function testedMajors(): readonly number[] {
  const kept = keptAnswer();
  if (kept && Date.now() - kept.at < FRESH_MS) return kept.majors;
  try {
    const majors = newestEven(JSON.parse(npm("view", PACKAGE, "versions", "--json")));
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(ANSWER, JSON.stringify({ at: Date.now(), majors } satisfies Answer));
    return majors;
  } catch (error) {
    const majors = kept?.majors ?? newestEven(binariesHere());
    if (majors.length > 0) return majors;
    throw new Error(`no Node.js ${OLDEST} or newer in ${CACHE}, and the registry can't be asked: ${String(error)}`);
  }
}

/** The folder of a major's `node`, fetched at the first use: 190 MB. */
export function nodeBinary(major: number): string {
  const folder = join(CACHE, `node-${major}`);
  const bin = join("node_modules", PACKAGE, "bin");
  if (!existsSync(join(folder, bin, "node"))) {
    mkdirSync(CACHE, { recursive: true });
    const making = mkdtempSync(join(CACHE, `.node-${major}-`));
    try {
      npm("install", "--prefix", making, `${PACKAGE}@${major}`);
      // At once: another process sees all of it or nothing. An install that was cut off gives way.
      if (!existsSync(join(folder, bin, "node"))) {
        rmSync(folder, { recursive: true, force: true });
        renameSync(making, folder);
      }
    } finally {
      rmSync(making, { recursive: true, force: true });
    }
  }
  return join(folder, bin);
}

/** The three newest even majors among versions, the oldest first. */
export function newestEven(versions: readonly string[]): number[] {
  const released = versions.filter((version) => /^\d+\.\d+\.\d+$/.test(version));
  const majors = new Set(released.map((version) => Number(version.split(".")[0])));
  const even = [...majors].filter((major) => major >= OLDEST && major % 2 === 0);
  return even.sort((a, b) => a - b).slice(-3);
}

function keptAnswer(): Answer | undefined {
  try {
    return JSON.parse(readFileSync(ANSWER, "utf8"));
  } catch {
    return undefined;
  }
}

function binariesHere(): string[] {
  const names = existsSync(CACHE) ? readdirSync(CACHE) : [];
  return names.filter((name) => /^node-\d+$/.test(name)).map((name) => `${name.slice(5)}.0.0`);
}

function npm(...args: string[]): string {
  const options = ["--no-fund", "--no-audit", "--loglevel=error", "--fetch-retries=1"];
  return execFileSync("npm", [...args, ...options], { encoding: "utf8", cwd: "/" });
}
