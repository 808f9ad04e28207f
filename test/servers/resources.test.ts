/** Each resource alone on a real server, through the provider and real SSH: what it owns changes, and nothing else. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Properties } from "../../provider/pulumi/engine/inputs";
import { Provider } from "../../provider/pulumi/engine/provider";
import { definitions } from "../../provider/resources";
import { closeAll, open } from "../../provider/ssh/session";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, inForce, lifetimes, say } from "../support/asking";

const definition = (type: string) => definitions.find((one) => one.type === type)!;

describe("resources alone", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let untouched: Record<string, string>;
  const said: string[] = [];
  const forgotten: string[] = [];
  const adopted: string[] = [];
  const provider = () =>
    new Provider({
      routeOf: ({ host }) => host,
      connect: (connection) => open(connection, { privateKey: server.privateKey }),
      say: (line) => said.push(line),
      isForgotten: (host) => forgotten.includes(host),
      isAdopted: (host) => adopted.includes(host),
    });
  const args = (more: Properties = {}): Properties => ({
    connection: { host: server.host, hostKey: server.hostKey },
    clients: 2500,
    stack: "organization/test/alone",
    name: "alone",
    ...more,
  });
  const check = (type: string, more?: Properties) => provider().check(definition(type), {}, args(more));
  const create = async (type: string, more?: Properties) => {
    const { inputs, failures } = await check(type, more);
    assert.deepEqual(failures, []);
    return provider().create(definition(type), inputs);
  };
  const read = (type: string, { id, outs }: { id: string; outs: Properties }) =>
    provider().read(definition(type), id, outs);
  const remove = (type: string, { id, outs }: { id: string; outs: Properties }) =>
    provider().delete(definition(type), id, outs);

  before(async () => {
    server = await startServer("lyon");
    untouched = await files(server);
  });
  after(async () => {
    await closeAll();
    await server?.stop();
  });

  const owned: Record<string, { more: Properties; paths: RegExp; restarts: string[] }> = {
    KernelLimits: {
      more: { limitNofile: 20000, nofile: 20000 },
      paths: /^\/etc\/(sysctl\.d\/wapt|security\/limits|systemd\/system\/\w+\.service\.d\/zz-pulumi-wapt)\.conf$/,
      restarts: [],
    },
    NginxTuning: {
      more: { workerRlimitNofile: 20000 },
      paths: /^\/etc\/nginx\/(nginx|sites-available\/wapt)\.conf$/,
      restarts: ["workers"],
    },
    ProxyTempPath: {
      more: { path: "/srv/wapt-uploads", minFree: "1MiB" },
      paths: /^\/etc\/nginx\/nginx\.conf$/,
      restarts: ["workers"],
    },
    PostgresConnections: {
      more: {},
      paths: /^\/etc\/postgresql\/15\/main\/postgresql\.conf$/,
      restarts: ["postgresql", "waptserver", "wapttasks"],
    },
    WaptServerIni: {
      more: { maxConnections: 100 },
      paths: /^\/opt\/wapt\/conf\/waptserver\.ini$/,
      restarts: ["waptserver", "wapttasks"],
    },
  };

  for (const [type, { more, paths, restarts }] of Object.entries(owned)) {
    test(`${type}: owns its files, activates its services, reads back right, is adopted untouched when told to, restores`, async () => {
      const alive = await lifetimes(server);
      const made = await create(type, more);
      const tuned = await files(server);
      const changed = Object.keys(tuned).filter((path) => tuned[path] !== untouched[path]);
      assert.ok(changed.length > 0);
      for (const path of changed) assert.match(path, paths);
      const now = await lifetimes(server);
      assert.deepEqual(
        Object.keys(now).filter((unit) => now[unit] !== alive[unit]),
        restarts,
      );

      const found = await read(type, made);
      assert.deepEqual(found.props.settings, made.outs.settings);
      assert.deepEqual(found.inputs.pending, undefined);

      assert.match((await check(type, more)).failures[0]?.reason ?? "", /pulumi config set pulumi-wapt:adopt/);
      adopted.push(server.host);
      const again = await create(type, more);
      adopted.pop();
      assert.deepEqual(await files(server), tuned);
      assert.deepEqual(await lifetimes(server), now);
      assert.deepEqual(again.outs.before, made.outs.before);

      await remove(type, made);
      assert.deepEqual(await files(server), tuned, "the one that took over keeps its values");
      await remove(type, again);
      assert.deepEqual(await files(server), untouched);
      await remove(type, again);
      assert.deepEqual(await files(server), untouched, "a second delete does nothing");
    });
  }

  test('restart "never" writes the file and leaves the restart as a difference, until a run restarts', async () => {
    const alive = await lifetimes(server);
    const made = await create("PostgresConnections", { restart: "never" });
    assert.deepEqual(await lifetimes(server), alive);
    assert.equal(await say(server, "runuser -u postgres -- psql -XAtc 'SHOW max_connections'"), "100");
    const found = await read("PostgresConnections", made);
    assert.deepEqual(found.inputs.settings, { max_connections: 100 });
    const news = { ...made.outs, restart: undefined };
    const { outs } = await provider().update(definition("PostgresConnections"), made.id, made.outs, news);
    assert.equal((await inForce(server)).maxConnections, 625);
    const settled = await read("PostgresConnections", { ...made, outs });
    assert.deepEqual([settled.inputs.settings, settled.inputs.pending], [{ max_connections: 625 }, undefined]);
    await remove("PostgresConnections", { ...made, outs });
    assert.equal((await inForce(server)).maxConnections, 100);
  });

  test("a pool above PostgreSQL is refused, and nothing is touched", async () => {
    const { inputs } = await check("WaptServerIni");
    await assert.rejects(
      provider().create(definition("WaptServerIni"), inputs),
      /a pool of 615 is above .* 100 less 3/,
    );
    assert.deepEqual(await files(server), untouched);
  });

  test("a PostgreSQL that is lowered alone takes the pool down with it", async () => {
    const high = await create("PostgresConnections");
    const pool = await create("WaptServerIni");
    const news = { ...high.outs, clients: 1000 };
    await provider().update(definition("PostgresConnections"), high.id, high.outs, news);
    const { maxConnections, waptserver } = await inForce(server);
    assert.deepEqual([maxConnections, waptserver.db_max_connections], [250, 240]);
    await remove("WaptServerIni", pool);
    await remove("PostgresConnections", high);
  });

  const refused: [string, string, string, string, Properties, RegExp][] = [
    [
      "a setting that PostgreSQL's auto.conf overrides",
      "echo 'max_connections = 80' >> /var/lib/postgresql/15/main/postgresql.auto.conf",
      "sed -i /max_connections/d /var/lib/postgresql/15/main/postgresql.auto.conf",
      "PostgresConnections",
      {},
      /postgresql\.auto\.conf:\d+: .*ALTER SYSTEM RESET max_connections/,
    ],
    [
      "a configuration that nginx refuses before any change",
      "echo 'bogus on;' > /etc/nginx/sites-enabled/bogus",
      "rm /etc/nginx/sites-enabled/bogus",
      "NginxTuning",
      { workerRlimitNofile: 20000 },
      /nginx refuses its configuration as it stands, before any change: .*bogus.*Repair it first/,
    ],
    [
      "a limit above the container's ceiling, with both remedies",
      "true",
      "true",
      "NginxTuning",
      {},
      /32768 open files can't take effect.*hard limit is 20000 \(6250 connections need 12500 descriptors\).*Give workerRlimitNofile: 20000, or raise the limit on the container's host/s,
    ],
    [
      "a second events block",
      "cp /etc/nginx/nginx.conf /root/kept && echo 'events { }' >> /etc/nginx/nginx.conf",
      "cp /root/kept /etc/nginx/nginx.conf",
      "NginxTuning",
      { workerRlimitNofile: 20000 },
      /events/,
    ],
    [
      "a database on another machine",
      "cp -a /opt/wapt/conf/waptserver.ini /root/kept.ini && sed -i 's/^db_host.*/db_host = db.example/' /opt/wapt/conf/waptserver.ini",
      "cat /root/kept.ini > /opt/wapt/conf/waptserver.ini",
      "PostgresConnections",
      {},
      /db_host is db\.example, another machine/,
    ],
    [
      "a file system that is mounted read-only",
      "mount --bind /etc/nginx /etc/nginx && mount -o remount,ro,bind /etc/nginx",
      "umount /etc/nginx",
      "NginxTuning",
      { workerRlimitNofile: 20000 },
      /preflight, disk: \/etc\/nginx is on a file system mounted read-only/,
    ],
    [
      "a partition that is too small for uploads",
      "mkdir -p /srv/small && mount -t tmpfs -o size=4m small /srv/small",
      "umount /srv/small && rmdir /srv/small",
      "ProxyTempPath",
      { path: "/srv/small/uploads", minFree: "1GiB" },
      /has 4 MiB free, minFree asks for 1GiB/,
    ],
    [
      "a service that may have too few processes",
      "systemctl set-property --runtime postgresql@15-main TasksMax=200",
      "systemctl set-property --runtime postgresql@15-main TasksMax=infinity",
      "PostgresConnections",
      {},
      /preflight, tasks: systemd allows postgresql@15-main 200 processes, max_connections 625 needs 655/,
    ],
  ];
  for (const [name, prepare, undo, type, more, reason] of refused) {
    test(`preview refuses ${name}`, async () => {
      await say(server, prepare);
      try {
        const { failures } = await check(type, more);
        assert.match(failures.map((failure) => failure.reason).join("\n"), reason);
      } finally {
        await say(server, undo);
      }
      assert.deepEqual(await files(server), untouched);
    });
  }

  test("warnings are said in preview: one worker on several processors", async () => {
    said.length = 0;
    await say(server, "sed -i 's/worker_processes auto/worker_processes 1/' /etc/nginx/nginx.conf");
    await check("NginxTuning", { workerRlimitNofile: 20000 });
    await check("KernelLimits", { limitNofile: 20000, nofile: 20000 });
    await say(server, "sed -i 's/worker_processes 1/worker_processes auto/' /etc/nginx/nginx.conf");
    assert.match(
      said.join("\n"),
      /preflight, workers: \/etc\/nginx\/nginx\.conf:\d+: nginx runs one worker on \d+ processors/,
    );
  });

  test("a user who is not root and has no sudo is told so", async () => {
    const connection = { host: server.host, hostKey: server.hostKey, user: "admin" };
    const { failures } = await check("NginxTuning", { connection });
    assert.match(failures[0]?.reason ?? "", /logged in as admin, who is not root: give connection\.sudo: true/);
  });

  test("a server that is gone for good can be forgotten, and only then be deleted without it", async () => {
    const made = await create("NginxTuning", { workerRlimitNofile: 20000 });
    await say(server, "systemctl stop ssh.socket ssh 2>/dev/null; pkill -x sshd; true");
    await closeAll();
    const away = {
      ...made,
      outs: { ...made.outs, connection: { ...(made.outs.connection as object), dialErrorLimit: 1 } },
    };
    await assert.rejects(read("NginxTuning", away), (error: { metadata?: unknown }) => error.metadata !== undefined);
    await assert.rejects(remove("NginxTuning", away), /pulumi config set pulumi-wapt:forget/);
    forgotten.push(server.host);
    await remove("NginxTuning", away);
    assert.match(await say(server, "nginx -T 2>/dev/null"), /worker_connections 6250;/);
  });
});
