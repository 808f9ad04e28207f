/**
 * What a new user's previews say, by the real CLI over a copy of an untuned server: typos, refusals, drifts without a refresh.
 * Each is kept as a whole in previews/, as its reader sees it.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli, TESTED_CLI } from "../../examples/demo/pulumi-cli";
import { copiedServer, type DemoServer } from "../../examples/demo/server";
import { type Run, Stack } from "../../examples/demo/stack";
import { printsGolden } from "../support/golden";

const skip = process.platform === "linux" ? false : "it fetches binaries for Linux";

describe("the first previews", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-first-"));
  let server: DemoServer;
  let stack: Stack;
  let isTestedCli: boolean;
  const paris = (more: object = {}) => ({ ...server.config, clients: 2500, ...more });
  const configure = (servers: object[], more: object = {}) =>
    stack.configure({ "wapt-site:servers": servers, "wapt-site:minFree": "1MiB", ...more });
  const ended = (run: Run, isRight: boolean): string => {
    assert.equal(run.code === 0, isRight, run.output);
    assert.doesNotMatch(run.output, /<nil>|\n +at /);
    return run.output;
  };
  /** A preview of the present configuration, which is like that of previews/NAME.txt. */
  const preview = async (name: string, isRight: boolean, ...options: string[]): Promise<string> => {
    const run = await stack.pulumi("preview", "--diff", ...options);
    ended(run, isRight);
    // Another CLI may print the same in other words.
    if (isTestedCli) printsGolden(name, run);
    return run.output;
  };

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    server = await copiedServer();
    // A real machine has one, by which two names of it are told.
    writeFileSync(join(String(server.config.root), "etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
    const version = execFileSync(join(cli.bin, "pulumi"), ["version"], { encoding: "utf8" }).trim();
    isTestedCli = version.replace(/^v/, "") === TESTED_CLI;
    const project = join(__dirname, "../..");
    stack = new Stack({ cli, project, name: "first", folder, config: {}, env: server.env });
    await stack.init();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("name every misspelt key, and a server that is there twice, before anything is contacted", async () => {
    configure([
      { host: "127.0.0.1", clients: 1, workerConections: 5 },
      { host: "b", clients: 1, alowAbove5000: true, restrt: "never", omit: ["Postgres"] },
    ]);
    const typos = await preview("typos", false);
    assert.match(typos, /wapt-site:servers\[0\]\.workerConections: .*did you mean workerConnections\?/);
    assert.match(typos, /wapt-site:servers\[1\]\.alowAbove5000: .*did you mean allowAbove5000\?/);
    configure([paris()], { "wapt-site:uplods": "/srv/uploads" });
    await preview("typo-beside-the-servers", false);
    configure([paris({ omit: ["Postgres"] })]);
    await preview("typo-in-a-value", false);
    configure([paris(), paris({ name: "again" })]);
    assert.match(await preview("one-server-twice", false), /servers\[1\]: 127\.0\.0\.1 is servers\[0\] too/);
  });

  test("show a server as it is, and what it is to be", async () => {
    configure([paris()]);
    await preview("new", true);
  });

  test("name both names of one machine, once it was read", async () => {
    configure([paris(), paris({ name: "again", host: "localhost" })]);
    // Which of the two is read first, and so is named first, differs from run to run.
    const [first, second] = ["WaptServer paris \\(127\\.0\\.0\\.1\\)", "WaptServer again \\(localhost\\)"];
    const both = `both (${first} and ${second}|${second} and ${first})`;
    const refusal = `${both} want to set this on the machine .*: one server has one owner; remove one of them`;
    assert.match(ended(await stack.pulumi("preview"), false), new RegExp(refusal));
  });

  test("say after a change of the configuration what up would refuse", async () => {
    configure([paris()]);
    ended(await stack.pulumi("up", "--yes", "--skip-preview"), true);
    configure([paris({ uploads: "/srv/other" })], { "wapt-site:minFree": "900000TiB" });
    assert.match(await preview("refused-after-a-change", false), /minFree asks for 900000TiB/);
    configure([paris({ clients: 9000 })]);
    await preview("too-many-clients", false);
  });

  test("show what more clients change", async () => {
    configure([paris({ clients: 3500 })]);
    await preview("more-clients", true);
  });

  test("show the same by one process that reads and plans as by two", async () => {
    configure([paris()]);
    await server.drift();
    const step = (text: string) => /\(update\)\n.*?(?=\n +--outputs|\nResources)/s.exec(text)?.[0] ?? "";
    const byTwo = step(await preview("drift", true));
    assert.match(byTwo, /~ worker_connections: 512 => 6250/);
    assert.equal(step(ended(await stack.pulumi("preview", "--diff", "--run-program"), true)), byTwo);
    configure([paris({ workerConections: 5 })]);
    assert.match(ended(await stack.pulumi("preview", "--run-program"), false), /did you mean workerConnections\?/);
  });

  test("show a drift also without a refresh, and up repairs it", async () => {
    configure([paris()]);
    const alarm = await preview("drift-without-a-refresh", false, "--refresh=false", "--expect-no-changes");
    assert.match(alarm, /\+ found *: \{[^}]*\+ worker_connections: 512/);
    const up = ended(await stack.pulumi("up", "--yes", "--skip-preview", "--refresh=false"), true);
    assert.match(up, /1 updated/);
    assert.deepEqual((await server.inForce())[0], "worker_connections 6250");
    await preview("nothing-to-change", true, "--expect-no-changes");
    ended(await stack.pulumi("preview", "--refresh=false", "--expect-no-changes"), true);
  });
});
