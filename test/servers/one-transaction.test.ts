/**
 * WaptServer is one transaction, of which nothing is left when any part of it fails: through the provider. The five
 * resources alone are one each, in the order of their dependsOn: by the real CLI, one at a time (`--parallel 1`).
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { type Run, Stack } from "../../examples/demo/stack";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, heldPool, inForce, lifetimes, say } from "../support/asking";
import { assertSame, conditionOf } from "../support/condition";
import { InlineProgram, type InlineResource } from "../support/inline-program";
import { ResourceLife } from "../support/resource-life";

/** These servers share this machine's hard limit of open files. */
const LIMITS = { workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 };
const UPLOADS = { path: "/srv/wapt-uploads", minFree: "1MiB" };
const SMALL = { path: "/srv/small/uploads", minFree: "1GiB" };

const succeeded = (run: Run): Run => {
  assert.equal(run.code, 0, run.output);
  return run;
};

describe("one resource at a time", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let stack: Stack;
  let program: InlineProgram;
  let untouched: Record<string, string>;
  const folder = mkdtempSync(join(tmpdir(), "wapt-one-"));
  const connection = () => ({ host: server.host, user: "admin", sudo: true, hostKey: server.hostKey });
  let resource: ResourceLife;
  const whole = (clients: number, uploads: object = UPLOADS) => resource.up({ clients, ...LIMITS, uploads });
  /** What a preview would show after a refresh. */
  const settled = async (clients: number) => {
    assert.equal((await resource.refresh()).pending, undefined);
    const before = await lifetimes(server);
    await whole(clients);
    assert.deepEqual(await lifetimes(server), before);
  };
  const up = () => stack.pulumi("up", "--yes", "--skip-preview", "--parallel", "1");
  const destroy = () => stack.pulumi("destroy", "--yes", "--skip-preview", "--parallel", "1");
  const nothingToDo = async () => succeeded(await stack.pulumi("preview", "--expect-no-changes"));
  const fails = (run: Run, reason: RegExp) => {
    assert.notEqual(run.code, 0, run.output);
    assert.match(run.output.replace(/\s*\n\s*/g, " "), reason);
  };

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    server = await startServer("paris");
    await say(server, "mkdir /srv/small && mount -t tmpfs -o size=4m small /srv/small");
    untouched = await files(server);
    resource = new ResourceLife(server, "WaptServer");
    program = new InlineProgram(join(folder, "program"));
    const env = { PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey };
    stack = new Stack({ cli, project: program.folder, name: "paris", folder, config: {}, env });
    await stack.init();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** How often each service was started, and nginx told to reload. */
  async function starts(): Promise<Record<string, number>> {
    const count = (unit: string, line: string) => `journalctl -q -o cat -u ${unit} | grep -c '^${line}' || true`;
    const units = ["postgresql@15-main", "waptserver", "wapttasks"];
    const counts = await Promise.all([
      ...units.map((unit) => say(server, count(unit, "Started"))),
      say(server, count("nginx", "Reloaded")),
    ]);
    return Object.fromEntries([...units, "nginx"].map((unit, index) => [unit, Number(counts[index])]));
  }

  /** What `run` adds to them. */
  async function startsOf(run: () => Promise<unknown>): Promise<Record<string, number>> {
    const old = await starts();
    await run();
    return Object.fromEntries(Object.entries(await starts()).map(([unit, count]) => [unit, count - old[unit]!]));
  }

  const ONCE = { "postgresql@15-main": 1, waptserver: 1, wapttasks: 1, nginx: 1 };

  const inService = async () => {
    const { maxConnections, waptserver } = await inForce(server);
    return [maxConnections, waptserver.db_max_connections, waptserver.max_clients];
  };

  async function changesNothing(run: () => Promise<void>): Promise<void> {
    const now = async () => [await files(server), await lifetimes(server), await inForce(server)];
    const old = await now();
    await run();
    assert.deepEqual(await now(), old);
  }

  test("a new server with too small a disk for uploads: it is refused, and nothing of it changes", async () => {
    await changesNothing(() => assert.rejects(whole(2500, SMALL), /has 4 MiB free, minFree asks for 1GiB/));
    assert.equal((await server.exec("test -e /var/lib/pulumi-wapt/record.json")).code, 1);
  });

  test("raising is one transaction: each service restarts once", async () => {
    assert.deepEqual(await startsOf(() => whole(2500)), ONCE);
    assert.deepEqual(await inService(), [625, 615, 4096]);
    assert.equal(await heldPool(server), 615);
    await settled(2500);
  });

  test("a tuned server that gets too small a disk for uploads, and more clients: nothing of it changes", async () => {
    await changesNothing(() => assert.rejects(whole(3500, SMALL), /has 4 MiB free, minFree asks for 1GiB/));
    await settled(2500);
  });

  /** Each fails with the values of 3,500 clients and works with those of 2,500. */
  const failing: Record<string, { unit: string; fault: string; reason: RegExp }> = {
    "nginx's reload": {
      unit: "nginx",
      fault: "ExecReload=/bin/sh -c '! grep -q 8750 /etc/nginx/nginx.conf'",
      reason: /systemctl reload nginx/,
    },
    "PostgreSQL's start": {
      unit: "postgresql@15-main",
      fault: "ExecStartPre=/bin/sh -c '! grep -q \"^max_connections = 875\" /etc/postgresql/15/main/postgresql.conf'",
      reason: /PostgreSQL did not start/,
    },
    "waptserver's start": {
      unit: "waptserver",
      fault: "ExecStartPre=+/bin/sh -c '! grep -q \"^db_max_connections = 865\" /opt/wapt/conf/waptserver.ini'",
      reason: /waptserver/,
    },
  };
  for (const [what, { unit, fault, reason }] of Object.entries(failing)) {
    test(`${what} fails: all parts are put back, and that is said`, async () => {
      const dropIn = `/run/systemd/system/${unit}.service.d`;
      await say(server, `mkdir -p ${dropIn}`);
      const config = `[Service]\n${fault}\n`;
      await server.exec(`cat > ${dropIn}/fault.conf && systemctl daemon-reload`, { input: config });
      const old = [await conditionOf(server), await files(server), await inForce(server)] as const;
      try {
        await assert.rejects(whole(3500, { ...UPLOADS, path: "/srv/other-uploads" }), (error: Error) => {
          assert.match(error.message, reason);
          assert.match(error.message, /Everything was put back as it was/);
          return true;
        });
        assertSame(await conditionOf(server), old[0]);
        assert.deepEqual([await files(server), await inForce(server)], old.slice(1));
        assert.equal(await heldPool(server), 615);
      } finally {
        await say(server, `rm -r ${dropIn} && systemctl daemon-reload`);
      }
      await settled(2500);
    });
  }

  test("lowering and destroy are one transaction each", async () => {
    assert.deepEqual(await startsOf(() => whole(1000)), ONCE);
    assert.deepEqual(await inService(), [250, 240, 4096]);
    await settled(1000);
    assert.deepEqual(await startsOf(() => resource.destroy()), ONCE);
    assert.deepEqual(await files(server), untouched);
    assert.deepEqual(await inService(), [100, 90, 4096]);
  });

  const five = (clients: number, order: "right" | "wrong"): InlineResource[] => {
    const of = (type: string, more: object = {}, dependsOn: string[] = []) => ({
      type,
      name: type,
      args: { connection: connection(), clients, ...more },
      dependsOn,
    });
    const { limitNofile, nofile, workerRlimitNofile } = LIMITS;
    const kernel = of("KernelLimits", { limitNofile, nofile });
    // Its queue may not be longer than the kernel's.
    const nginx = of("NginxTuning", { workerRlimitNofile }, ["KernelLimits"]);
    const uploads = of("ProxyTempPath", UPLOADS);
    const postgresql = of("PostgresConnections", {}, order === "right" ? [] : ["WaptServerIni"]);
    const waptserver = of("WaptServerIni", {}, order === "right" ? ["PostgresConnections"] : []);
    return order === "right"
      ? [kernel, nginx, uploads, postgresql, waptserver]
      : [waptserver, kernel, nginx, uploads, postgresql];
  };

  test("five resources alone in the wrong order: the pool is refused with the dependsOn to add, and not touched", async () => {
    program.writeResources(five(2500, "wrong"));
    // The other three depend on neither, and may come before it.
    const now = async () => {
      const { "/opt/wapt/conf/waptserver.ini": ini } = await files(server);
      const { postgresql, waptserver, wapttasks } = await lifetimes(server);
      return [ini, postgresql, waptserver, wapttasks, await inService()];
    };
    const old = await now();
    fails(await up(), /Raise max_connections first: add dependsOn: \[the PostgresConnections of this server\]/);
    assert.deepEqual(await now(), old);
  });

  test("five resources alone in the order of their dependsOn: raised, lowered and destroyed", async () => {
    program.writeResources(five(2500, "right"));
    succeeded(await up());
    assert.deepEqual(await inService(), [625, 615, 4096]);
    await nothingToDo();
    program.writeResources(five(1000, "right"));
    succeeded(await up());
    assert.deepEqual(await inService(), [250, 240, 4096]);
    await nothingToDo();
    succeeded(await destroy());
    assert.deepEqual(await files(server), untouched);
    assert.deepEqual(await inService(), [100, 90, 4096]);
    assert.equal((await server.exec("test -e /srv/wapt-uploads")).code, 1);
  });
});
