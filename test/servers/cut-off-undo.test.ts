/**
 * What runs again when a run was undone, or was killed while it put everything back: WAPT, PostgreSQL, and what systemd
 * stops with them. On one real server.
 */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce, say, WAPT_SERVES } from "../support/asking";
import { assertCarried, conditionOf } from "../support/condition";
import { converge, FEW, MANY, observe, programOf, stepsFor, withoutSsh } from "../support/whole-server";

const CONF = "/etc/postgresql/15/main/postgresql.conf";
const RUN = "/run/systemd/system";

describe("an undo that is cut off, and what depends on a service", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  before(async () => {
    server = await startServer("paris");
  });
  after(() => server?.stop());
  beforeEach(() => converge(withoutSsh(server), FEW));

  /** A raise that fails when WAPT runs again, with something else in the place of a function of the undo. */
  const failLate = async (inUndo: string) => {
    const remote = withoutSsh(server);
    const calls = stepsFor(await observe(remote), MANY);
    const at = calls.findIndex((call) => call.startsWith("step 'systemd' 'start_again'")) + 1;
    assert.ok(at > 0);
    await remote.run(programOf([...calls.slice(0, at), 'fail refused "as a test"', inUndo, ...calls.slice(at)]));
  };

  /** All runs again within a minute, by the watcher of the run alone. */
  const assertUpAgain = async () => {
    for (let tries = 0; tries < 300; tries++) {
      const { code } = await server.exec(
        "systemctl -q is-active postgresql@15-main && systemctl -q is-active wapttasks && systemctl -q is-active waptserver",
      );
      if (code === 0) break;
      await sleep(200);
    }
    await say(server, WAPT_SERVES);
    const condition = await conditionOf(server);
    assert.deepEqual(condition.down, []);
    assertCarried(condition);
  };

  test("killed when WAPT was stopped for the second time", async () => {
    await failLate("undo_postgresql_restart() { kill -9 $$; }");
    await assertUpAgain();
  });

  test("killed while PostgreSQL is restarted for the second time", async () => {
    await failLate('restart_postgresql() { systemctl stop "$cluster_unit"; kill -9 $$; }');
    await assertUpAgain();
  });

  test("killed when the files are back: PostgreSQL's next start carries the pool that runs", async () => {
    await failLate("restore_folders() { kill -9 $$; }");
    assertCarried(await conditionOf(server));
    await assertUpAgain();
  });

  const unit = (name: string, dependency: string) =>
    `printf '[Unit]\\n${dependency}\\n[Service]\\nExecStart=/bin/sleep infinity\\n' >${RUN}/${name}.service`;

  test("what needs PostgreSQL runs again when its restart failed and was undone", async () => {
    const dropIn = `${RUN}/postgresql@15-main.service.d`;
    const on = "postgresql@15-main.service\\nAfter=postgresql@15-main.service";
    await say(server, `${unit("needs", `Requires=${on}`)}; ${unit("rests", `Requires=${on}`)}; mkdir -p ${dropIn}`);
    const refusal = `[Service]\nExecStartPre=/bin/sh -c "! grep -q 'max_connections = 625' ${CONF}"\n`;
    await server.exec(`cat >${dropIn}/refuses.conf`, { input: refusal });
    await say(server, "systemctl daemon-reload; systemctl start needs");
    await assert.rejects(converge(withoutSsh(server), MANY), /PostgreSQL did not start.*Everything was put back/);
    assert.equal((await server.exec("systemctl is-active needs rests")).stdout, "active\ninactive\n");
    assert.equal((await inForce(server)).maxConnections, 100);
    await say(
      server,
      `systemctl stop needs; rm -r ${dropIn} ${RUN}/needs.service ${RUN}/rests.service; systemctl daemon-reload`,
    );
  });

  test("what systemd stops with WAPT by any of its words is started again, and what a target wants is not", async () => {
    await say(
      server,
      `${unit("asks", "Requisite=waptserver.service\\nAfter=waptserver.service")}; ${unit("follows", "StopPropagatedFrom=waptserver.service")}`,
    );
    await say(server, `${unit("idles", "Description=Stopped on purpose")}; mkdir -p ${RUN}/multi-user.target.d`);
    await say(
      server,
      `printf '[Unit]\\nRequires=waptserver.service\\nWants=idles.service\\n' >${RUN}/multi-user.target.d/needs.conf`,
    );
    await say(server, "systemctl daemon-reload; systemctl start asks follows");
    await converge(withoutSsh(server), MANY);
    const { stdout } = await server.exec("systemctl is-active multi-user.target asks follows idles");
    assert.equal(stdout, "active\nactive\nactive\ninactive\n");
    await say(
      server,
      `systemctl stop asks follows; rm -r ${RUN}/multi-user.target.d ${RUN}/asks.service ${RUN}/follows.service ${RUN}/idles.service; systemctl daemon-reload`,
    );
  });

  test("a unit that was stopped on purpose is not started by one that wants it", async () => {
    await say(
      server,
      `mkdir -p ${RUN}/waptserver.service.d; printf '[Unit]\\nWants=wapttasks.service\\n' >${RUN}/waptserver.service.d/wants.conf`,
    );
    await say(server, "systemctl daemon-reload; systemctl stop wapttasks");
    const { notes } = await converge(withoutSsh(server), MANY);
    assert.match(notes.join("\n"), /wapttasks is not running: it was not started/);
    assert.equal((await server.exec("systemctl is-active waptserver wapttasks")).stdout, "active\ninactive\n");
    await say(server, `rm -r ${RUN}/waptserver.service.d; systemctl daemon-reload; systemctl start wapttasks`);
  });
});
