/**
 * WAPT's pool and PostgreSQL's connections where only one of them changes: each as a resource of its own, one that someone
 * changed since, one that waits for a restart. On one real server, through the provider.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce, lifetimes, say, WAPT_SERVES } from "../support/asking";
import { assertCarried, conditionOf } from "../support/condition";
import { ResourceLife } from "../support/resource-life";

const INI = "/opt/wapt/conf/waptserver.ini";
const CONF = "/etc/postgresql/15/main/postgresql.conf";
const LIMITS = { workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 };

const AS_IT_STOOD = `cmp -s /root/stood/waptserver.ini ${INI} && cmp -s /root/stood/postgresql.conf ${CONF} &&
  [ "$(runuser -u postgres -- psql -XAtc 'SHOW max_connections')" = 100 ] &&
  grep -q '"db_max_connections": 90,' /run/waptserver/status.json && grep -q '"db_max_connections": 90,' /run/wapttasks/status.json`;

describe("the pool and PostgreSQL, one without the other", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  before(async () => {
    server = await startServer("paris");
    await say(server, `mkdir /root/stood && cp -a ${INI} ${CONF} /root/stood/`);
  });
  after(() => server?.stop());
  beforeEach(async () => {
    // What the test before has put back and restarted stays.
    if ((await server.exec(AS_IT_STOOD)).code === 0) return;
    await say(server, `cat /root/stood/waptserver.ini >${INI}; cat /root/stood/postgresql.conf >${CONF}`);
    await restart();
  });

  const restart = () =>
    say(
      server,
      `systemctl reset-failed; systemctl stop waptserver wapttasks; systemctl restart postgresql@15-main; systemctl start waptserver wapttasks; ${WAPT_SERVES}`,
    );
  const carried = async () => assertCarried(await conditionOf(server));
  const write = (limit: number, pool?: number) =>
    say(
      server,
      `sed -i 's/^max_connections.*/max_connections = ${limit}/' ${CONF}; ` +
        (pool ? `sed -i '/^db_max_connections/d; /^.options/a db_max_connections = ${pool}' ${INI}` : "true"),
    );
  const onDisk = async () => {
    const { connections } = await conditionOf(server);
    return [Number(connections.limit), Number(connections.pool || "90")];
  };

  test("a pool that stands in the file and was never read is not activated above PostgreSQL", async () => {
    await say(server, "sleep 2");
    await write(100, 615);
    const pool = new ResourceLife(server, "WaptServerIni");
    await assert.rejects(
      pool.up({ clients: 2500 }),
      /a pool of 615 is above what PostgreSQL gives it: max_connections 100/,
    );
    assert.equal((await inForce(server)).waptserver.db_max_connections, 90);
  });

  test("a pool above PostgreSQL is refused, be it one that stands, or one that is less than that", async () => {
    await write(100, 300);
    await restart();
    const pool = new ResourceLife(server, "WaptServerIni");
    const given = { clients: 400, maxConnections: 1000 };
    await assert.rejects(
      pool.up({ ...given, dbMaxConnections: 300 }),
      /a pool of 300 is above what PostgreSQL gives it/,
    );
    await assert.rejects(
      pool.up({ ...given, dbMaxConnections: 200 }),
      /a pool of 200 is above what PostgreSQL gives it/,
    );
    await pool.up({ clients: 400 });
    await carried();
    await pool.destroy();
    assert.match(pool.said.join("\n"), /db_max_connections stays 90: what stood before, 300, is above/);
  });

  test("a db_host that is an address or a name of this server's own is no other machine", async () => {
    const [address] = (await say(server, "hostname -I")).trim().split(" ");
    for (const host of [address, "own.example"]) {
      await say(
        server,
        `echo '${address} own.example' >>/etc/hosts; sed -i '/^db_host/d; /^.options/a db_host = ${host}' ${INI}`,
      );
      const pool = new ResourceLife(server, "WaptServerIni");
      await assert.rejects(
        pool.up({ clients: 2500 }),
        /a pool of 615 is above what PostgreSQL gives it: max_connections 100/,
      );
    }
  });

  test("what pg_ctl.conf adds to the command line of a cluster that is stopped counts", async () => {
    const options = "/etc/postgresql/15/main/pg_ctl.conf";
    await say(server, `systemctl stop waptserver wapttasks postgresql@15-main; cp -a ${options} /root/stood/`);
    await say(server, `echo "pg_ctl_options = '-c max_connections=50'" >${options}`);
    const pool = new ResourceLife(server, "WaptServerIni");
    await assert.rejects(
      pool.up({ clients: 400 }),
      /a pool of 90 is above what PostgreSQL gives it: max_connections 50/,
    );
    const limit = new ResourceLife(server, "PostgresConnections");
    await assert.rejects(limit.up({ clients: 400 }), /max_connections 50 on its command line.*pg_ctl\.conf/);
    await say(server, `cat /root/stood/pg_ctl.conf >${options}`);
  });

  test("max_connections that a program leaves out does not fall below the pool that it keeps", async () => {
    const whole = new ResourceLife(server, "WaptServer");
    await whole.up({ clients: 2500, ...LIMITS });
    await assert.rejects(
      whole.up({ clients: 2500, ...LIMITS, omit: ["PostgresConnections"] }),
      /a pool of 615 is above what PostgreSQL gives it: max_connections 100/,
    );
    await carried();
    await whole.destroy();
    await carried();
  });

  test("two resources: the pool that stood before comes back with the max_connections that stood before", async () => {
    await write(1000, 615);
    await restart();
    const limit = new ResourceLife(server, "PostgresConnections", "limit");
    const pool = new ResourceLife(server, "WaptServerIni", "pool", [limit]);
    await limit.up({ clients: 400 });
    await pool.up({ clients: 400 });
    // What depends on another resource is destroyed before it.
    await pool.destroy();
    assert.match(
      pool.said.join("\n"),
      /db_max_connections stays 90: what stood before, 615, is above what PostgreSQL gives it, 97/,
    );
    await carried();
    await limit.up({ clients: 600 });
    await carried();
    await limit.destroy();
    await carried();
    assert.deepEqual(await onDisk(), [1000, 615]);
    await say(server, "test ! -e /var/lib/pulumi-wapt/record.json");
  });

  test("max_connections that someone changed since bounds what comes back", async () => {
    await write(1000, 615);
    await restart();
    const whole = new ResourceLife(server, "WaptServer");
    await whole.up({ clients: 400, ...LIMITS });
    await write(200);
    await restart();
    await whole.destroy();
    assert.match(
      whole.said.join("\n"),
      /db_max_connections stays 90: what stood before, 615, is above what PostgreSQL gives it, 197/,
    );
    await carried();
    await say(server, "test ! -e /var/lib/pulumi-wapt/record.json");
  });

  test('destroy with restart "never" ends when what it waits for was restarted, and says so', async () => {
    const whole = new ResourceLife(server, "WaptServer");
    await whole.up({ clients: 2500, ...LIMITS });
    await whole.up({ clients: 2500, ...LIMITS, restart: "never" });
    await assert.rejects(
      whole.destroy(),
      /max_connections stays 625 until WAPT, which may hold more, was restarted.*then repeat/,
    );
    await carried();
    await say(server, `systemctl reset-failed; systemctl restart waptserver wapttasks; ${WAPT_SERVES}`);
    await whole.destroy();
    assert.doesNotMatch(whole.said.join("\n"), /someone changed it/);
    await carried();
    assert.deepEqual(await onDisk(), [100, 90]);
    await say(server, "test ! -e /var/lib/pulumi-wapt/record.json");
  });

  test('destroy of what restart "never" has held back puts all of it back at once', async () => {
    const whole = new ResourceLife(server, "WaptServer");
    await whole.up({ clients: 2500, ...LIMITS, restart: "never" });
    await whole.destroy();
    assert.doesNotMatch(whole.said.join("\n"), /someone changed it/);
    assert.deepEqual(await onDisk(), [100, 90]);
    await say(server, "test ! -e /var/lib/pulumi-wapt/record.json");
  });

  test("times that say WAPT has never read its file make one restart, and no more", async () => {
    const pool = new ResourceLife(server, "WaptServerIni");
    await pool.up({ clients: 400 });
    // Processes seem to have begun long ago, as after a clock was set back behind the file's time.
    await say(server, "printf '#!/bin/sh\\necho 1000\\n' >/usr/local/sbin/getconf; chmod 755 /usr/local/sbin/getconf");
    await say(server, `rm /var/lib/pulumi-wapt/read; touch ${INI}`);
    assert.match(String((await pool.refresh()).pending), /waptserver was started before/);
    await pool.up({ clients: 400 });
    assert.equal((await pool.refresh()).pending, undefined);
    const alive = await lifetimes(server);
    await pool.up({ clients: 400 });
    assert.deepEqual(await lifetimes(server), alive);
    await say(server, "rm /usr/local/sbin/getconf");
    await pool.destroy();
  });
});
