/** What the package is for: as many PCs as it was told stay connected. On a server whose kernel and limits are its own. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { Stack } from "../../examples/demo/stack";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce, say } from "../support/asking";
import { held } from "../support/held-connections";

const CLIENTS = 5000;
const PAGE = "/wapt/page.txt";

describe("a server of 5,000 clients", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let stack: Stack;
  const folder = mkdtempSync(join(tmpdir(), "wapt-held-"));

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    server = await startServer("paris", { kernel: "own" });
    await say(server, "mkdir -p /var/www/wapt && echo page >/var/www/wapt/page.txt");
    // As preflight asks for where memory is small: systemd allows a unit 15 % of the processes that it gives room to.
    const dropIn = "/etc/systemd/system/postgresql@15-main.service.d";
    await say(
      server,
      `mkdir ${dropIn} && printf '[Service]\\nTasksMax=4096\\n' >${dropIn}/tasks.conf && systemctl daemon-reload`,
    );
    const { host, hostKey, privateKey } = server;
    const connection = { user: "admin", sudo: true, hostKey };
    const config = { "wapt-site:servers": [{ name: "paris", host, clients: CLIENTS, connection, accept: ["memory"] }] };
    const env = { PULUMI_WAPT_SSH_PRIVATE_KEY: privateKey };
    stack = new Stack({ cli, project: join(__dirname, "../.."), name: "paris", folder, config, env });
    await stack.init();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("untuned it keeps fewer than 1,000 of 1,000", async () => {
    const answered = await held(server, 1000, PAGE);
    console.log(`untuned: ${answered} of 1000 connections still served`);
    assert.ok(answered > 0 && answered < 1000, String(answered));
  });

  test("after one up, with every limit at its default, it keeps all 5,000", async () => {
    const { code, output } = await stack.pulumi("up", "--yes", "--skip-preview");
    assert.equal(code, 0, output);
    const { nginx, maxConnections, sysctl, workers, limitNofile, ini } = await inForce(server);
    assert.deepEqual(nginx.slice(0, 2), ["worker_rlimit_nofile 32768", "worker_connections 12500"]);
    assert.deepEqual([maxConnections, ...sysctl, workers, limitNofile], [1250, 7500, 7500, "32768", "32768"]);
    assert.deepEqual(ini, { db_max_connections: 1240, max_clients: 6000 });
    const limits = await say(server, "su -s /bin/sh wapt -c 'ulimit -Hn; ulimit -Sn'");
    assert.equal(limits, "500000\n500000");
    const answered = await held(server, CLIENTS, PAGE);
    console.log(`tuned for ${CLIENTS}: ${answered} of ${CLIENTS} connections still served`);
    assert.equal(answered, CLIENTS);
  });
});
