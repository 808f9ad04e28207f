/** The real CLI, killed in the middle of `up`: the next preview shows what is left to do, the next up does it. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { type Run, Stack } from "../../examples/demo/stack";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce, say } from "../support/asking";
import { conditionOf } from "../support/condition";

/** Waits until services are down for their restart. */
const AMID = `for i in $(seq 1200); do
    if grep -qs 'stopped waptserver' /var/lib/pulumi-wapt/journal && ! systemctl -q is-active waptserver; then exit 0; fi
    sleep 0.05
  done; exit 1`;
/** Kills the run itself: the process that holds the lock as its descriptor 9. */
const KILL_RUN = `for p in /proc/[0-9]*; do
    if [ "$(readlink $p/fd/9)" = /var/lib/pulumi-wapt/lock ]; then kill -9 \${p#/proc/}; fi
  done`;

const succeeded = (run: Run): Run => {
  assert.equal(run.code, 0, run.output);
  return run;
};

/** The processes of this stack's CLI, and those that it started, by what their command line has. */
function processes(folder: string, has: string): number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const read = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "latin1").replaceAll("\0", " ");
    } catch {
      return "";
    }
  };
  const parent = (pid: string) => /^PPid:\t(\d+)$/m.exec(read(pid, "status"))?.[1] ?? "0";
  const isOurs = (pid: string): boolean =>
    pid !== "0" && ((read(pid, "cmdline").includes(folder) && pid !== String(process.pid)) || isOurs(parent(pid)));
  return all.filter((pid) => isOurs(pid) && read(pid, "cmdline").includes(has)).map(Number);
}

describe("the CLI, killed in the middle of up", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let stack: Stack;
  const folder = mkdtempSync(join(tmpdir(), "wapt-killed-"));
  const config = (clients: number) => ({
    "wapt-site:servers": [
      {
        name: "paris",
        host: server.host,
        clients,
        connection: { user: "admin", sudo: true, hostKey: server.hostKey },
        ...{ workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 },
      },
    ],
  });
  const up = () => stack.pulumi("up", "--yes", "--skip-preview");

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    server = await startServer("paris");
    const project = join(__dirname, "../..");
    const env = { PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey };
    stack = new Stack({ cli, project, name: "paris", folder, config: config(1000), env });
    await stack.init();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function assertConverged(clients: number, poolOf: number): Promise<void> {
    const now = await inForce(server);
    assert.deepEqual([now.maxConnections, now.ini.db_max_connections], [clients / 4, poolOf]);
    assert.equal(now.waptserver.db_max_connections, poolOf);
    assert.deepEqual((await conditionOf(server)).journal, []);
    succeeded(await stack.pulumi("preview", "--expect-no-changes"));
  }

  test("the first up of a stack, its CLI killed: the next one says how to take over what it left, and does", async () => {
    const run = up();
    await say(server, AMID);
    const [cli] = processes(folder, "pulumi up");
    const others = processes(folder, "dynamic-provider");
    process.kill(cli!, "SIGKILL");
    assert.notEqual((await run).code, 0);
    for (const pid of others) kill(pid);
    succeeded(await stack.pulumi("cancel", "--yes"));
    // The state knows nothing of it: for all the server can tell, it is another backend's stack of this name.
    const { code, output } = await stack.pulumi("preview");
    assert.notEqual(code, 0);
    assert.match(output, /its first up was cut off, take it over: pulumi config set pulumi-wapt:adopt HOST/);
    stack.configure({ ...config(1000), "pulumi-wapt:adopt": server.host });
    succeeded(await up());
    await assertConverged(1000, 240);
    stack.configure(config(1000));
    succeeded(await stack.pulumi("preview", "--expect-no-changes"));
  });

  test("an update, its provider and its run on the server killed", async () => {
    stack.configure(config(3500));
    const run = up();
    await say(server, AMID);
    for (const pid of processes(folder, "dynamic-provider")) kill(pid);
    await say(server, KILL_RUN);
    assert.notEqual((await run).code, 0);
    const { output } = succeeded(await stack.pulumi("preview", "--diff"));
    assert.match(output, /max_connections +: \d+ => 875/);
    succeeded(await up());
    await assertConverged(3500, 865);
  });

  test("an update, its run on the server killed: the same up does it all the same", async () => {
    stack.configure(config(2000));
    const run = up();
    await say(server, AMID);
    await say(server, KILL_RUN);
    succeeded(await run);
    await assertConverged(2000, 490);
  });
});

/** One that has ended already is as good. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {}
}
