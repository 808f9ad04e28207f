/**
 * Finds the Pulumi CLI with its Node.js language host, or gets it once, for the demo and the tests.
 *
 * Tried in this order: `pulumi` on PATH; what an earlier run left in `$PULUMI_HOME/versions/VERSION/bin`; the npm package
 * `pulumi`, which downloads the CLI into that folder; a build from Pulumi's Go modules into that same folder, for networks
 * where the download is blocked.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { access, chmod, constants, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A usable CLI: the folder to put first on PATH, and the environment that it needs. */
export interface PulumiCli {
  bin: string;
  env: Record<string, string>;
}

type Say = (line: string) => void;

/** The version that is tested, and got when none is there; the environment's PULUMI_VERSION names another. */
export const TESTED_CLI = "3.274.1";
/** The oldest CLI on PATH that is used: `refresh: always` in Pulumi.yaml works from here on. */
const OLDEST = { major: 3, minor: 150 };
/** The newest Go module that still holds the Node.js language host. */
const LANGUAGE_HOST_VERSION = "3.68.0";
/** What the Go modules of TESTED_CLI declare. */
const GO_NEEDED = "1.26.6";
/** Seconds given to the npm package: its download takes less where it works, and fails or hangs where it is blocked. */
const DOWNLOAD_SECONDS = 90;
/** Seconds given to the build: it takes 4 minutes on two cores. */
const BUILD_SECONDS = 1800;

/**
 * Returns a Pulumi CLI, getting one if need be (at most a few minutes, once a machine).
 *
 * @param say receives progress, a line at a time; nothing is said when a CLI is there already.
 * @throws Error naming what was tried and what to install, when no CLI can be had.
 */
export async function pulumiCli(say: Say): Promise<PulumiCli> {
  const home = process.env.PULUMI_HOME || join(homedir(), ".pulumi");
  const version = process.env.PULUMI_VERSION || TESTED_CLI;
  const env = { PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "1" };
  const found = (await folderOnPath()) ?? (await folderOfVersion(home, version));
  if (found) return { bin: found, env };

  const lock = await lockDownload(say);
  try {
    // Another process may have got it while this one waited for the lock.
    const bin = (await folderOfVersion(home, version)) ?? (await get(home, version, say));
    return { bin, env };
  } finally {
    lock?.close();
  }
}

async function folderOnPath(): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder && (await isNewEnough(join(folder, "pulumi")))) return folder;
  }
  return undefined;
}

async function folderOfVersion(home: string, version: string): Promise<string | undefined> {
  const bin = join(home, "versions", version, "bin");
  return (await isNewEnough(join(bin, "pulumi"))) ? bin : undefined;
}

/** True when the program runs and says a version of OLDEST or later. */
async function isNewEnough(program: string): Promise<boolean> {
  const executable = await access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
  // The npm package's command of this name is no CLI yet: it would start the download.
  if (!executable || program.includes("node_modules")) return false;
  const { code, output } = await run([program, "version"], { seconds: 30 });
  const [major = 0, minor = 0] = output.trim().replace(/^v/, "").split(".").map(Number);
  return code === 0 && (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor));
}

async function get(home: string, version: string, say: Say): Promise<string> {
  const tried: string[] = [];
  for (const way of [download, build]) {
    const failure = await way(home, version, say);
    const bin = failure ? undefined : await folderOfVersion(home, version);
    if (bin) return bin;
    tried.push(failure ?? `${way.name}: the CLI that came is older than ${OLDEST.major}.${OLDEST.minor}`);
  }
  throw new Error(
    `No Pulumi CLI on PATH (${OLDEST.major}.${OLDEST.minor} or later is needed) and none could be got:\n` +
      `${tried.map((line) => `- ${line}`).join("\n")}\n` +
      `Install the Pulumi CLI, or Go ${GO_NEEDED} or later so that it can be built here.`,
  );
}

/** Lets the npm package `pulumi` download the CLI. Returns why it could not, or nothing. */
async function download(home: string, version: string, say: Say): Promise<string | undefined> {
  say(`getting the Pulumi CLI ${version} by the npm package pulumi`);
  const { code, output } = await run(["npx", "--yes", "pulumi", "version"], {
    env: { PULUMI_HOME: home, PULUMI_VERSION: version, PULUMI_SKIP_UPDATE_CHECK: "1" },
    seconds: DOWNLOAD_SECONDS,
  });
  return code === 0 ? undefined : `the npm package pulumi: ${lastLine(output)}`;
}

/** Builds the CLI and the language host from Go modules. Returns why it could not, or nothing. */
async function build(home: string, version: string, say: Say): Promise<string | undefined> {
  if ((await run(["go", "version"], { seconds: 30 })).code !== 0)
    return "a build from Go modules: there is no go on PATH";
  say(`building the Pulumi CLI ${version} from Go modules: about 4 minutes on two cores, once`);
  const versions = join(home, "versions");
  await mkdir(versions, { recursive: true });
  const work = await mkdtemp(join(versions, ".build-"));
  try {
    const bin = join(work, "bin");
    await mkdir(bin);
    for (const program of programs(version)) {
      const failure = await buildProgram(program, work, bin, say);
      if (failure) return `a build from Go modules: ${failure}`;
    }
    await writeFile(join(bin, "pulumi-resource-pulumi-nodejs"), DYNAMIC_PROVIDER);
    await chmod(join(bin, "pulumi-resource-pulumi-nodejs"), 0o755);
    const target = join(versions, version);
    await rm(target, { recursive: true, force: true });
    await mkdir(target);
    // Last and at once: a build that was cut off leaves no half-filled folder under this name.
    await rename(bin, join(target, "bin"));
    say("built; what Go downloaded and compiled stays in its caches (`go clean -cache -modcache` frees 3.6 GB)");
    return undefined;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

interface GoProgram {
  name: string;
  /** The package that is the program. */
  package: string;
  /** What the main module requires and replaces. */
  module: string[];
  ldflags: string;
}

function programs(version: string): GoProgram[] {
  const pulumi = "github.com/pulumi/pulumi";
  return [
    {
      name: "pulumi",
      package: `${pulumi}/pkg/v3/cmd/pulumi`,
      module: [
        `require ${pulumi}/pkg/v3 v${version}`,
        `require ${pulumi}/sdk/v3 v${version}`,
        // A replacement counts in a main module only, so Pulumi's own has to be repeated here.
        "replace github.com/atotto/clipboard => github.com/tgummerer/clipboard v0.0.0-20241001131231-d02d263e614e",
      ],
      ldflags: `-s -w -X ${pulumi}/sdk/v3/go/common/version.Version=${version}`,
    },
    {
      name: "pulumi-language-nodejs",
      package: `${pulumi}/sdk/v3/nodejs/cmd/pulumi-language-nodejs`,
      module: [`require ${pulumi}/sdk/v3 v${LANGUAGE_HOST_VERSION}`],
      ldflags: "-s -w",
    },
  ];
}

/** The plugin of dynamic resources: Node.js on the copy of @pulumi/pulumi that belongs to the project it runs in. */
const DYNAMIC_PROVIDER = `#!/bin/sh
folder=$(pwd -P)
until [ -e "$folder/node_modules/@pulumi/pulumi/cmd/dynamic-provider/index.js" ]; do
  if [ -z "$folder" ]; then
    echo "no @pulumi/pulumi in the node_modules of $(pwd -P) or of a folder above it: run npm install there" >&2
    exit 1
  fi
  folder=\${folder%/*}
done
exec node "$folder/node_modules/@pulumi/pulumi/cmd/dynamic-provider/index.js" "$@"
`;

async function buildProgram(program: GoProgram, work: string, bin: string, say: Say): Promise<string | undefined> {
  const folder = join(work, program.name);
  await mkdir(folder);
  // Without a go line go reads the whole graph of modules, some of which are no longer served.
  await writeFile(join(folder, "go.mod"), `module build\n\ngo 1.24\n\n${program.module.join("\n")}\n`);
  const began = Date.now();
  let compiled = 0;
  let said = began;
  const onLine = (line: string) => {
    if (!line.startsWith("go: ")) compiled += 1;
    if (Date.now() - said < 10_000) return;
    said = Date.now();
    say(`  ${program.name}: ${compiled} packages compiled in ${Math.round((said - began) / 1000)} s`);
  };
  const output = join(bin, program.name);
  const command = ["go", "build", "-v", "-mod=mod", "-o", output, "-ldflags", program.ldflags, program.package];
  // The folder may lie inside another module's or workspace's tree: keep go to the go.mod just written.
  const result = await run(command, { cwd: folder, env: { GOWORK: "off" }, seconds: BUILD_SECONDS, onLine });
  return result.code === 0 ? undefined : lastLine(result.output);
}

/**
 * Keeps two processes of this machine from getting the CLI at the same time. Linux only: an abstract socket, which the
 * kernel frees when its process ends, however it ends.
 */
async function lockDownload(say: Say): Promise<Server | undefined> {
  if (process.platform !== "linux") return undefined;
  for (let attempt = 0; ; attempt++) {
    const server = createServer();
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once("error", resolve);
      server.listen({ path: "\0pulumi-wapt-cli" }, () => resolve(undefined));
    });
    if (!error) return server.unref();
    if (error.code !== "EADDRINUSE") throw error;
    if (attempt === 0) say("another process is getting the Pulumi CLI: waiting for it");
    await sleep(1000);
  }
}

interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  seconds: number;
  onLine?: Say;
}

/** Runs a program to its end; its standard output and error together. A program that can't be started has code -1. */
function run(command: string[], options: RunOptions): Promise<{ code: number; output: string }> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  return new Promise((resolve) => {
    let output = "";
    let late = "";
    const take = (chunk: Buffer) => {
      output += chunk;
      for (const line of chunk.toString().split("\n")) if (line) options.onLine?.(line);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const timer = setTimeout(() => {
      late = `\nno answer within ${options.seconds} s`;
      endGroup(child);
    }, options.seconds * 1000);
    const end = (code: number, text: string) => {
      clearTimeout(timer);
      process.off("exit", onExit);
      resolve({ code, output: text });
    };
    const onExit = () => endGroup(child);
    process.once("exit", onExit);
    child.on("error", (error) => end(-1, error.message));
    child.on("close", (code) => end(code ?? -1, output + late));
  });
}

/** Ends a program with all that it started: go's compilers, npx's download. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) || "it failed without a word";
}
