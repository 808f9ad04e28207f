/**
 * What holds in any order and after any accident: PostgreSQL carries WAPT's pool whichever of them is restarted next, what
 * was stopped on purpose stays so, and what stood before comes back. On one real server, through the provider.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Properties } from "../../provider/pulumi/engine/inputs";
import { definitions } from "../../provider/resources";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, inForce, lifetimes, say, WAPT_SERVES } from "../support/asking";
import { assertCarried, conditionOf } from "../support/condition";
import { labProvider, ResourceLife } from "../support/resource-life";
import { converge, FEW, MANY, observe, programOf, stepsFor, withoutSsh } from "../support/whole-server";

const INI = "/opt/wapt/conf/waptserver.ini";
const RECORD = "/var/lib/pulumi-wapt/record.json";

describe("in any order", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  const said: string[] = [];
  const provider = () => labProvider(server, (line) => said.push(line));
  const own = { stack: "organization/test/any", name: "any" };
  const whole = (clients: number, more: Properties = {}): Properties => {
    const limits = { workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 };
    return { connection: { host: "paris" }, clients, ...limits, ...own, ...more };
  };

  before(async () => {
    server = await startServer("paris");
    await say(server, "mkdir /root/before && cp -a --parents /etc /opt/wapt/conf /srv /root/before");
  });
  after(() => server?.stop());

  /** Every file has its bytes, mode and owner again. */
  const assertUntouched = async () => {
    const look = "find etc opt/wapt/conf srv -type f -printf '%p %m %u:%g\\n' | sort";
    const compare = `cd /root/before && ${look} >/tmp/before && cd / && ${look} | diff /tmp/before -; for d in etc opt/wapt/conf srv; do diff -r /root/before/$d /$d; done`;
    assert.equal((await server.exec(compare)).stdout, "");
  };

  const pending = async (resource: ResourceLife) => (await resource.refresh()).pending;
  const carried = async () => assertCarried(await conditionOf(server));
  const restart = (...units: string[]) =>
    say(server, `systemctl reset-failed; systemctl restart ${units.join(" ")}; ${WAPT_SERVES}`);

  test('restart "never" raises and lowers one step after another, as the administrator restarts what it waits for', async () => {
    const resource = new ResourceLife(server, "WaptServer");
    const never = (clients: number) => resource.up(whole(clients, { restart: "never" }));
    const before = await lifetimes(server);
    await never(2500);
    await carried();
    assert.match(
      resource.said.join("\n"),
      /db_max_connections stays 90 until PostgreSQL, which runs with 100, was restarted/,
    );
    await restart("waptserver");
    await carried();
    await restart("postgresql@15-main");
    await never(2500);
    await carried();
    assert.match(String(await pending(resource)), /waptserver was started before .*waptserver\.ini was last changed/);
    await restart("waptserver", "wapttasks");
    assert.equal(await pending(resource), undefined);
    assert.equal((await inForce(server)).waptserver.db_max_connections, 615);

    await never(400);
    await carried();
    assert.match(resource.said.join("\n"), /max_connections stays 625 until WAPT, which may hold more, was restarted/);
    await restart("postgresql@15-main");
    await carried();
    await restart("waptserver", "wapttasks");
    await never(400);
    await carried();
    await restart("postgresql@15-main");
    await never(400);
    assert.equal(await pending(resource), undefined);
    assert.equal((await inForce(server)).maxConnections, 100);
    assert.equal((await lifetimes(server)).nginx, before.nginx);
    await resource.destroy();
    await assertUntouched();
  });

  test("a pool alone is compared with what a stopped PostgreSQL would give, and said where PostgreSQL is another machine's", async () => {
    await say(server, "systemctl stop postgresql@15-main");
    const pool = new ResourceLife(server, "WaptServerIni");
    const alone = definitions.find(({ type }) => type === "WaptServerIni")!;
    const refused = await provider().check(alone, {}, { connection: { host: "paris" }, clients: 400, ...own });
    assert.match(refused.failures[0]?.reason ?? "", /WAPT runs and PostgreSQL \(postgresql@15-main\) does not/);
    await say(server, "systemctl stop waptserver wapttasks");
    await assert.rejects(
      pool.up({ connection: { host: "paris" }, clients: 2500, ...own }),
      /a pool of 615 is above what PostgreSQL gives it: max_connections 100 less 3 reserved/,
    );
    await say(server, `systemctl start postgresql@15-main; systemctl restart waptserver wapttasks; ${WAPT_SERVES}`);
    await assertUntouched();
    await say(server, `cp -a ${INI} /root/kept.ini; sed -i 's/^db_host.*/db_host = db.example/' ${INI}`);
    const engine = provider();
    said.length = 0;
    const args = { connection: { host: "paris" }, clients: 2500, ...own };
    const { failures } = await engine.check(alone, {}, args);
    assert.deepEqual(failures, []);
    assert.match(
      said.join("\n"),
      /db_host is db\.example, another machine: whether its PostgreSQL gives a pool of 615/,
    );
    await say(server, `cat /root/kept.ini >${INI}; systemctl restart waptserver wapttasks; ${WAPT_SERVES}`);
  });

  test("a run that is killed between stop and start: what ran runs again, and what is stopped since stays so", async () => {
    const remote = withoutSsh(server);
    await converge(remote, FEW);
    const calls = stepsFor(await observe(remote), MANY);
    const at = calls.findIndex((call) => call.startsWith("step 'postgresql' 'restart'"));
    await remote.run(programOf([...calls.slice(0, at), "kill -9 $$", ...calls.slice(at)]));
    for (let tries = 0; tries < 300; tries++) {
      if (
        (await server.exec("systemctl is-active -q waptserver && ! grep -qs ^stopped /var/lib/pulumi-wapt/journal"))
          .code === 0
      )
        break;
      await sleep(200);
    }
    await carried();
    await say(server, "systemctl is-active waptserver; ! grep -qs ^stopped /var/lib/pulumi-wapt/journal");
    await say(server, "systemctl stop wapttasks");
    const { notes } = await converge(remote, MANY);
    assert.match(notes.join("\n"), /wapttasks is not running: it was not started/);
    assert.equal((await server.exec("systemctl is-active wapttasks")).stdout.trim(), "inactive");
    await say(server, `systemctl start wapttasks; ${WAPT_SERVES}`);
    await converge(remote, MANY, "restore");
    await assertUntouched();
  });

  test("a run whose watcher is killed too leaves WAPT down: the next starts it, unless someone started it meanwhile", async () => {
    const remote = withoutSsh(server);
    const killAll = 'kill -9 "$watcher"; kill -9 $$';
    const cutShort = async () => {
      const calls = stepsFor(await observe(remote), MANY);
      const at = calls.findIndex((call) => call.startsWith("step 'postgresql' 'restart'"));
      await remote.run(programOf([...calls.slice(0, at), killAll, ...calls.slice(at)]));
      assert.equal((await server.exec("systemctl is-active waptserver")).stdout.trim(), "inactive");
    };
    await converge(remote, FEW);
    await cutShort();
    assert.deepEqual((await observe(remote)).systemd.left, ["waptserver", "wapttasks"]);
    await say(
      server,
      "systemctl reset-failed; systemctl start waptserver wapttasks; systemctl stop waptserver wapttasks",
    );
    assert.deepEqual((await observe(remote)).systemd.left, [], "an administrator started and stopped them since");
    await say(server, `systemctl start waptserver wapttasks; ${WAPT_SERVES}`);
    await converge(remote, FEW);
    await cutShort();
    await converge(remote, MANY);
    await say(server, "systemctl is-active waptserver wapttasks");
    await converge(remote, MANY, "restore");
  });

  test("what systemd stops with WAPT is started with it, and no more than ran", async () => {
    const unit = (name: string) =>
      `printf '[Unit]\\nRequires=waptserver.service\\nAfter=waptserver.service\\n[Service]\\nExecStart=/bin/sleep infinity\\n' >/run/systemd/system/${name}.service`;
    await say(server, `${unit("runs")}; ${unit("rests")}; systemctl daemon-reload; systemctl start runs`);
    const resource = new ResourceLife(server, "WaptServer");
    await resource.up(whole(2500));
    assert.equal((await server.exec("systemctl is-active runs rests")).stdout.trim(), "active\ninactive");
    await resource.destroy();
    assert.equal((await server.exec("systemctl is-active runs rests")).stdout.trim(), "active\ninactive");
    await say(server, "systemctl stop runs; rm /run/systemd/system/r*s.service; systemctl daemon-reload");
    await assertUntouched();
  });

  test("a file that is right and that WAPT has not read is a difference, once; another mode alone is none", async () => {
    const resource = new ResourceLife(server, "WaptServer");
    await resource.up(whole(2500));
    await say(server, `chmod 600 ${INI}; sleep 1.1; chmod 640 ${INI}`);
    assert.equal(await pending(resource), undefined, "its bytes are those that WAPT has read");
    await say(server, `sleep 2; sed -i 's/^db_max_connections.*/db_max_connections = 50/' ${INI}`);
    await restart("waptserver", "wapttasks");
    await say(
      server,
      `sleep 1; sed -i 's/^db_max_connections.*/db_max_connections = 615/' ${INI}; chown wapt:wapt ${INI}`,
    );
    assert.equal((await inForce(server)).waptserver.db_max_connections, 50);
    assert.match(String(await pending(resource)), /waptserver was started before /);
    await resource.up(whole(2500));
    assert.equal((await inForce(server)).waptserver.db_max_connections, 615);
    assert.equal(await pending(resource), undefined);
    await resource.destroy();
    await assertUntouched();
  });

  test("a limit that a start script sets itself is said, and WAPT is not restarted for it again and again", async () => {
    const resource = new ResourceLife(server, "WaptServer");
    const folder = "/run/systemd/system/waptserver.service.d";
    const start = "/bin/sh -c 'ulimit -Sn 1024; exec /usr/bin/python3 /opt/wapt/waptserver/waptserver.py'";
    await say(
      server,
      `mkdir -p ${folder}; printf "[Service]\\nExecStart=\\nExecStart=%s\\n" "${start}" >${folder}/wrapper.conf`,
    );
    await say(server, `systemctl daemon-reload; systemctl restart waptserver; ${WAPT_SERVES}`);
    await resource.up(whole(2500));
    const alive = await lifetimes(server);
    assert.equal(await pending(resource), undefined);
    await resource.up(whole(2500));
    assert.match(
      resource.said.join("\n"),
      /waptserver was given 20000 open files at its start and has 1024: what starts it/,
    );
    assert.deepEqual(await lifetimes(server), alive);
    await say(server, `rm -r ${folder}; systemctl daemon-reload; systemctl restart waptserver; ${WAPT_SERVES}`);
    await resource.destroy();
    await assertUntouched();
  });

  test("a record that was moved away: what stood before still comes back, from the state", async () => {
    const resource = new ResourceLife(server, "WaptServer");
    await resource.up(whole(2500));
    await say(server, `mv ${RECORD} /root/record.json`);
    await resource.up(whole(1000));
    await resource.destroy();
    await assertUntouched();
  });

  test("a unit that was removed, and WAPT that was uninstalled: the rest is given back, and what is gone is said", async () => {
    const resource = new ResourceLife(server, "WaptServer");
    await resource.up(whole(2500));
    const tasks = "/etc/systemd/system/wapttasks.service";
    await say(server, `systemctl stop wapttasks; mv ${tasks} /root/; systemctl daemon-reload`);
    await resource.up(whole(2400));
    assert.equal((await server.exec(`ls ${tasks}.d`)).code, 2, "its drop-in went with it");
    await say(
      server,
      `systemctl stop waptserver; mv /opt/wapt/conf /root/conf; mv /etc/systemd/system/waptserver.service /root/`,
    );
    await say(server, "systemctl daemon-reload");
    await resource.destroy();
    assert.match(
      resource.said.join("\n"),
      /nothing was put back there: there is no \/opt\/wapt\/conf\/waptserver\.ini/,
    );
    await say(server, `test ! -e ${RECORD}`);
    await say(
      server,
      `mv /root/conf /opt/wapt/conf; mv /root/wapt*.service /etc/systemd/system/; cat /root/kept.ini >${INI}`,
    );
    await say(server, `systemctl daemon-reload; systemctl start waptserver wapttasks; ${WAPT_SERVES}`);
    await assertUntouched();
  });

  test("a value that stood before and could not take effect is put back as it stood", async () => {
    const conf = "/etc/nginx/nginx.conf";
    await say(
      server,
      `cp -a ${conf} /root/nginx.conf; sed -i '1i worker_rlimit_nofile 32768;' ${conf}; systemctl reload nginx`,
    );
    const before = await files(server);
    const resource = new ResourceLife(server, "NginxTuning");
    await resource.up({ connection: { host: "paris" }, clients: 2500, workerRlimitNofile: 20000, ...own });
    await resource.destroy();
    assert.deepEqual(await files(server), before);
    await say(server, `cat /root/nginx.conf >${conf}; systemctl reload nginx`);
  });

  test("a waptserver that was started by hand is refused, with its process", async () => {
    const start =
      "setsid runuser -u wapt -- python3 /opt/wapt/waptserver/waptserver.py >/dev/null 2>&1 </dev/null & sleep 3";
    await say(server, `systemctl stop waptserver; mkdir -p /run/waptserver; chown wapt /run/waptserver; ${start}`);
    const { failures } = await provider().check(
      definitions.find(({ type }) => type === "WaptServer")!,
      {},
      whole(2500),
    );
    assert.match(
      failures.map(({ reason }) => reason).join("\n"),
      /process \d+ \(python3\) of .* listens on waptserver's port 8080, and waptserver\.service is not running/,
    );
    await say(server, `pkill -x python3; systemctl restart waptserver wapttasks; ${WAPT_SERVES}`);
  });
});
