/** Two servers in one stack, with fewer changes at a time than they have resources: each restarts WAPT once. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { Stack } from "../../examples/demo/stack";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce, say } from "./asking";

const CITIES = ["paris", "lyon"];

describe("two servers, with three changes at a time", { skip: skipWithoutLab() }, () => {
  let servers: LabServer[] = [];
  let stack: Stack;
  const folder = mkdtempSync(join(tmpdir(), "wapt-hands-"));

  const config = (clients: number) => ({
    "wapt-site:uploads": "/srv/wapt-uploads",
    "wapt-site:servers": servers.map(({ host, hostKey, privateKey }, i) => ({
      name: CITIES[i],
      host,
      clients,
      connection: { hostKey, privateKey },
      // They share this machine's hard limit of open files.
      workerRlimitNofile: 20000,
      limitNofile: 20000,
      nofile: 20000,
    })),
  });
  const starts = () =>
    Promise.all(servers.map((server) => say(server, "journalctl -u waptserver | grep -c 'Started '").then(Number)));

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    servers = await Promise.all(CITIES.map((city) => startServer(city)));
    stack = new Stack({ cli, project: join(__dirname, "../.."), name: "both", folder, config: config(2500) });
    await stack.init();
  });
  after(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [what, clients, pool] of [
    ["a first up", 2500, 615],
    ["lowering", 1000, 240],
  ] as const) {
    test(`${what}: WAPT restarts once on each`, async () => {
      stack.configure(config(clients));
      const before = await starts();
      const { code, output } = await stack.pulumi("up", "--yes", "--skip-preview", "--parallel", "3");
      assert.equal(code, 0, output);
      assert.deepEqual(
        await starts(),
        before.map((count) => count + 1),
      );
      for (const server of servers) assert.equal((await inForce(server)).waptserver.db_max_connections, pool);
    });
  }

  test("then there is nothing to do", async () => {
    const { code, output } = await stack.pulumi("preview", "--expect-no-changes");
    assert.equal(code, 0, output);
  });
});
