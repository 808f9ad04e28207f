/**
 * Records what a version of the package leaves behind: its stack's state and its server's files, by the real CLI on a lab
 * server. A later version must take both over. Run it in a clone of the version to record, after `npm run build`:
 *
 *   npx tsx test/recorded/record.ts component 0.1.0
 *   npx tsx test/recorded/record.ts resources 0.1.0
 *
 * It fills test/recorded/component-0.1.0 and needs program.ts in there. See README.md beside this file.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { type Run, Stack } from "../../examples/demo/stack";
import { type LabServer, startServer } from "../lab/server";
import { say } from "../support/asking";
import { CONFIGURATION_KEY, connectionTo, makeProject, RECORD, type RecordedFile } from "./recorded";

async function main(): Promise<void> {
  const [kind = "", version = ""] = process.argv.slice(2);
  const target = join(__dirname, `${kind}-${version}`);
  const folder = mkdtempSync(join(tmpdir(), "recorded-"));
  const cli = await pulumiCli(console.log);
  const server = await startServer("paris");
  try {
    const stack = new Stack({
      cli,
      project: makeProject(folder, readFileSync(join(target, "program.ts"), "utf8")),
      name: "paris",
      folder,
      config: { [CONFIGURATION_KEY]: connectionTo(server) },
      env: { PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey },
    });
    await stack.init();
    const before = await listing(server);
    const isFile = (path: string) => before[path]?.hash !== undefined;
    save(server, Object.keys(before).filter(isFile), join(folder, "before"));
    succeeded(await stack.pulumi("up", "--yes", "--skip-preview"));
    const after = await listing(server);
    succeeded(await stack.pulumi("preview", "--expect-no-changes"));

    const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (path) => before[path]?.hash !== after[path]?.hash || before[path]?.mode !== after[path]?.mode,
    );
    const known = (files: Listing) => changed.filter((path) => files[path]?.hash && !isBackup(path));
    for (const state of ["before", "after"]) rmSync(join(target, state), { recursive: true, force: true });
    for (const path of known(before)) copy(join(folder, "before", path), join(target, "before", path));
    save(server, known(after), join(target, "after"));
    const replaced = await placeholders(server);
    const record = join(target, "after", RECORD);
    writeFileSync(record, replace(readFileSync(record, "utf8"), replaced));
    const list = changed
      .sort()
      .map((path): RecordedFile => ({ path, before: shown(before[path]), after: shown(after[path]) }));
    writeFileSync(join(target, "files.json"), `[\n${list.map((one) => `  ${JSON.stringify(one)}`).join(",\n")}\n]\n`);
    const { version: format, deployment } = JSON.parse(succeeded(await stack.pulumi("stack", "export")).stdout);
    // Half of the text, and of no use to any version.
    for (const resource of deployment.resources) delete resource.stackTrace;
    const state = JSON.stringify({ version: format, deployment }, null, 2);
    writeFileSync(join(target, "state.json"), `${replace(state, replaced)}\n`);
    succeeded(await stack.pulumi("destroy", "--yes", "--skip-preview"));
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Listing = Record<string, { mode: string; owner: string; hash?: string }>;

/** Files, and folders without a hash. */
async function listing(server: LabServer): Promise<Listing> {
  const folders = "/etc /opt/wapt/conf /srv /var/lib/pulumi-wapt /var/backups";
  const stat = "stat -c '%F|%a|%U:%G|%n' \"$f\"";
  const hash = 'if [ -f "$f" ]; then sha256sum <"$f"; else echo; fi';
  const listed = await say(
    server,
    `find ${folders} \\( -type f -o -type d \\) 2>/dev/null | while read -r f; do echo "$(${stat})|$(${hash})"; done`,
  );
  return Object.fromEntries(
    listed.split("\n").map((line) => {
      const [, mode, owner, path, sum] = line.split("|") as [string, string, string, string, string];
      return [path, { mode, owner, ...(sum && { hash: sum.split(" ")[0] }) }];
    }),
  );
}

const shown = (one: Listing[string] | undefined) => one && { mode: one.mode, owner: one.owner, folder: !one.hash };

const isBackup = (path: string): boolean => path.startsWith("/var/backups/");

function save(server: LabServer, paths: readonly string[], folder: string): void {
  for (const path of paths) copy(join(server.root, path), join(folder, path));
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

async function placeholders(server: LabServer): Promise<[string, string][]> {
  const machineId = await say(server, "cat /etc/machine-id");
  return [
    [server.host, "@HOST@"],
    [server.hostKey, "@HOSTKEY@"],
    [machineId, "@MACHINEID@"],
  ];
}

function replace(text: string, replaced: readonly [string, string][]): string {
  return replaced.reduce((result, [from, to]) => result.replaceAll(from, to), text);
}

function succeeded(run: Run): Run {
  if (run.code !== 0) throw new Error(run.output);
  return run;
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
