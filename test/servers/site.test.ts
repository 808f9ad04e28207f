/** The site program, by the real CLI, on a real server: each step is checked by asking the server. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { copiedServer, type DemoServer } from "../../examples/demo/server";
import { type Run, Stack } from "../../examples/demo/stack";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { differingLines, files, heldPool, inForce, lifetimes, say } from "../support/asking";

interface Exported {
  readonly deployment: { readonly resources: readonly { readonly type: string }[] };
}

/** These servers share this machine's hard limit of open files. */
const LIMITS = { workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 };

const at2500 = {
  nginx: ["worker_rlimit_nofile 20000", "worker_connections 6250", "client_body_temp_path /srv/wapt-uploads"],
  maxConnections: 625,
  sysctl: [4096, 4096],
  workers: "20000",
  limitNofile: "20000",
  ini: { db_max_connections: 615, max_clients: 4096 },
  waptserver: { db_max_connections: 615, max_clients: 4096 },
};

const succeeded = (run: Run): Run => {
  assert.equal(run.code, 0, run.output);
  return run;
};

describe("one site", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let stack: Stack;
  let other: DemoServer | undefined;
  let untouched: Record<string, string>;
  const folder = mkdtempSync(join(tmpdir(), "wapt-site-"));
  const config = (servers: object[]) => ({ "wapt-site:servers": servers, "wapt-site:uploads": "/srv/wapt-uploads" });
  const paris = (clients: number, more: object = {}) => ({
    name: "paris",
    host: server.host,
    clients,
    connection: { user: "admin", sudo: true, hostKey: server.hostKey },
    ...LIMITS,
    ...more,
  });
  const up = async () => succeeded(await stack.pulumi("up", "--yes", "--skip-preview"));
  const nothingToDo = async () => succeeded(await stack.pulumi("preview", "--expect-no-changes"));

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    server = await startServer("paris");
    untouched = await files(server);
    stack = new Stack({
      cli,
      project: join(__dirname, "../.."),
      name: "paris",
      folder,
      config: config([paris(2500)]),
      env: { PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey },
    });
    await stack.init();
  });
  after(async () => {
    await server?.stop();
    await other?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("preview shows what stands on the server and what is wanted, and changes nothing", async () => {
    const { output } = succeeded(await stack.pulumi("preview", "--diff"));
    assert.match(output, /before *: \{[^}]*worker_connections *: 768/);
    assert.match(output, /settings *: \{[^}]*max_connections *: 625/);
    assert.match(output, /restarts *: \[\s*\[0\]: "postgresql"\s*\[1\]: "waptserver"/);
    assert.match(output, /this restarts postgresql and waptserver: 2500 PCs lose the connection and come back/);
    assert.deepEqual(await files(server), untouched);
  });

  test("up tunes every service, and leaves every other byte as it was", async () => {
    const conf = "/etc/nginx/nginx.conf /etc/postgresql/15/main/postgresql.conf /opt/wapt/conf/waptserver.ini";
    const old = await say(server, `cat ${conf}`);
    await up();
    assert.deepEqual(await inForce(server), at2500);
    assert.deepEqual(differingLines(old, await say(server, `cat ${conf}`)), [
      "-\tworker_connections 768;",
      "-max_connections = 100\t\t\t# (change requires restart)",
      "+worker_rlimit_nofile 20000;",
      "+\tworker_connections 6250;",
      "+\tclient_body_temp_path /srv/wapt-uploads;",
      "+max_connections = 625\t\t\t# (change requires restart)",
      "+db_max_connections = 615",
      "+max_clients = 4096",
    ]);
    const tuned = await files(server);
    const changed = Object.keys(tuned).filter((path) => tuned[path] !== untouched[path]);
    assert.deepEqual(changed, [
      "/etc/nginx/nginx.conf",
      "/etc/nginx/sites-available/wapt.conf",
      "/etc/postgresql/15/main/postgresql.conf",
      "/etc/security/limits.conf",
      "/etc/sysctl.d/wapt.conf",
      "/etc/systemd/system/nginx.service.d/zz-pulumi-wapt.conf",
      "/etc/systemd/system/waptserver.service.d/zz-pulumi-wapt.conf",
      "/etc/systemd/system/wapttasks.service.d/zz-pulumi-wapt.conf",
      "/opt/wapt/conf/waptserver.ini",
    ]);
    assert.match(tuned["/opt/wapt/conf/waptserver.ini"]!, / 640 wapt:/);
    assert.equal(await say(server, "stat -c '%a %U' /srv/wapt-uploads"), "700 www-data");
    assert.match(await say(server, "su -s /bin/sh wapt -c 'ulimit -Hn; ulimit -Sn'"), /^20000\n20000$/);
  });

  test("a server takes less than 8 kB of the state", async () => {
    const { deployment } = JSON.parse(succeeded(await stack.pulumi("stack", "export")).stdout) as Exported;
    const own = deployment.resources.filter(({ type }) => !type.startsWith("pulumi:"));
    const sizes = own.map((one) => JSON.stringify(one).length);
    assert.equal(sizes.length, 1, JSON.stringify(deployment.resources.map(({ type }) => type)));
    assert.ok(sizes[0]! < 8000, `${sizes[0]} bytes`);
  });

  test("the pool of 615 connections is really there", async () => {
    assert.equal(await heldPool(server), 615);
  });

  test("a second preview and up have nothing to do, and restart nothing", async () => {
    const [tuned, alive] = [await files(server), await lifetimes(server)];
    await nothingToDo();
    assert.match((await up()).output, /2 unchanged/);
    assert.deepEqual([await files(server), await lifetimes(server)], [tuned, alive]);
  });

  test("a drift by hand, and a running value that is not the file's, are in the next preview, and repaired alone", async () => {
    const alive = await lifetimes(server);
    await say(
      server,
      "sed -i 's/worker_connections 6250/worker_connections 512/' /etc/nginx/nginx.conf; systemctl reload nginx; sysctl -qw net.core.somaxconn=128",
    );
    const { output } = succeeded(await stack.pulumi("preview", "--diff"));
    assert.match(output, /~ worker_connections: 512 => 6250/);
    assert.match(output, /~ net.core.somaxconn: 128 => 4096/);
    assert.doesNotMatch(output, /^ *[-+] (places|proof|before)/m, "nothing else is shown as a change");
    assert.match((await up()).output, /1 updated\s+1 unchanged/);
    assert.deepEqual(await inForce(server), at2500);
    const { postgresql, waptserver, wapttasks } = await lifetimes(server);
    assert.deepEqual([postgresql, waptserver, wapttasks], [alive.postgresql, alive.waptserver, alive.wapttasks]);
  });

  test("PostgreSQL that still runs with an old max_connections is restarted, its file being right", async () => {
    const conf = "/etc/postgresql/15/main/postgresql.conf";
    await say(
      server,
      `sed -i 's/^max_connections = 625/max_connections = 700/' ${conf} && systemctl restart postgresql@15-main`,
    );
    await say(
      server,
      `sed -i 's/^max_connections = 700/max_connections = 625/' ${conf} && systemctl restart waptserver wapttasks`,
    );
    assert.match(succeeded(await stack.pulumi("preview", "--diff")).output, /~ max_connections: 700 => 625/);
    await up();
    assert.deepEqual(await inForce(server), at2500);
    await nothingToDo();
  });

  test("more clients, at first in vain, then fewer: the pool follows PostgreSQL both ways, each service restarts once", async () => {
    stack.configure(config([paris(3500)]));
    const [tuned, dropIn] = [await files(server), "/run/systemd/system/waptserver.service.d"];
    const fault =
      "[Service]\nExecStartPre=+/bin/sh -c '! grep -q \"^db_max_connections = 865\" /opt/wapt/conf/waptserver.ini'\n";
    await server.exec(`mkdir ${dropIn} && cat >${dropIn}/fault.conf && systemctl daemon-reload`, { input: fault });
    const failed = await stack.pulumi("up", "--yes", "--skip-preview");
    assert.notEqual(failed.code, 0);
    assert.match(failed.output.replace(/\s*\n\s*/g, " "), /waptserver.*Everything was put back as it was/);
    assert.deepEqual([await files(server), await inForce(server)], [tuned, at2500]);
    await say(server, `rm -r ${dropIn} && systemctl daemon-reload`);
    await up();
    const more = await inForce(server);
    assert.deepEqual([more.maxConnections, more.waptserver], [875, { db_max_connections: 865, max_clients: 4200 }]);
    const starts = () =>
      say(server, "journalctl -q -o cat -u postgresql@15-main -u waptserver -u wapttasks | grep -c '^Started'");
    const before = Number(await starts());
    stack.configure(config([paris(1000)]));
    await up();
    const fewer = await inForce(server);
    assert.deepEqual([fewer.maxConnections, fewer.waptserver], [250, { db_max_connections: 240, max_clients: 4096 }]);
    assert.equal(Number(await starts()) - before, 3);
    await nothingToDo();
  });

  test("a service that was stopped is not started, and that is said", async () => {
    await say(server, "systemctl stop wapttasks");
    stack.configure(config([paris(1500)]));
    assert.match((await up()).output, /wapttasks is not running: it was not started/);
    assert.equal((await server.exec("systemctl is-active wapttasks")).stdout.trim(), "inactive");
    assert.equal(await say(server, "systemctl is-active waptserver"), "active");
    await say(server, "systemctl start wapttasks");
  });

  test("bad input is refused before any connection", async () => {
    stack.configure(config([{ ...paris(9000), host: "127.0.0.1", connection: { port: 1 } }]));
    const { code, output } = await stack.pulumi("preview");
    assert.notEqual(code, 0);
    assert.match(
      output,
      /9000 clients are more than the 5000 that one WAPT server carries: use 2 servers of 4500 clients each/,
    );
    assert.doesNotMatch(output, /ECONNREFUSED|unreachable/);
  });

  test("a new server that is down is a warning in a preview, and fails alone in up", async () => {
    const gone = {
      name: "lyon",
      host: "127.0.0.1",
      clients: 400,
      connection: { port: 1, dialErrorLimit: 1, hostKey: server.hostKey },
    };
    stack.configure(config([paris(2000), gone]));
    const { output } = succeeded(await stack.pulumi("preview", "--diff"));
    assert.match(output, /127\.0\.0\.1: not read, so nothing of it was checked: .*the connection was refused/);
    assert.match(output, /~ max_connections +: 375 => 500/);
    const failed = await stack.pulumi("up", "--yes", "--skip-preview", "--continue-on-error");
    assert.notEqual(failed.code, 0);
    assert.match(failed.output, /the connection was refused/);
    assert.equal((await inForce(server)).maxConnections, 500);
  });

  test("a server that is down is a warning in a refresh, and the others go on", async () => {
    other = await copiedServer();
    const { PULUMI_WAPT_SSH_PRIVATE_KEY: privateKey } = other.env;
    const lyon = {
      ...other.config,
      name: "lyon",
      clients: 1500,
      connection: { ...(other.config.connection as object), privateKey },
    };
    const once = { ...paris(2000), connection: { ...paris(2000).connection, dialErrorLimit: 1 } };
    const both = { "wapt-site:servers": [once, lyon], "wapt-site:minFree": "1MiB" };
    stack.configure(both);
    try {
      await up();
      await other.drift();
      await say(server, "systemctl stop ssh");
      const { output } = succeeded(await stack.pulumi("preview", "--diff"));
      assert.match(output, /unhealthy state:\s+\* paris: .*the connection was refused/);
      assert.doesNotMatch(output, /\n +at /, "no stack is printed");
      assert.match(output, /~ worker_connections: 512 => 4096/);
      const failed = await stack.pulumi("up", "--yes", "--skip-preview", "--continue-on-error");
      assert.notEqual(failed.code, 0);
      assert.deepEqual((await other.inForce())[0], "worker_connections 4096", "the other one is repaired all the same");
      await say(server, "systemctl start ssh");
      await up();
      await nothingToDo();
    } finally {
      await say(server, "systemctl start ssh");
    }
  });

  test("destroy puts everything back, to the byte", async () => {
    succeeded(await stack.pulumi("destroy", "--yes", "--skip-preview"));
    assert.deepEqual(await files(server), untouched);
    const back = await inForce(server);
    assert.deepEqual(back.nginx, ["worker_connections 768"]);
    assert.deepEqual([back.maxConnections, back.ini], [100, {}]);
    assert.deepEqual(back.waptserver, { db_max_connections: 90, max_clients: 4096 });
    assert.equal((await server.exec("test -e /srv/wapt-uploads")).code, 1);
  });
});
