/** What a plan says is to be done, for a server as it was observed. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { RefusedError } from "../../provider/problem";
import { definitions } from "../../provider/resources";
import type { Server } from "../../provider/services";
import type { Claim } from "../../provider/transaction/ownership";
import { isEmpty, planOf, precheck } from "../../provider/transaction/plan";
import { stepName } from "../../provider/transaction/service";
import { callsOf, claimOf, wholeClaim } from "../support/image";
import { afterRun, liveServer } from "../support/live-server";

const steps = (server: Server, claim: Claim): string[] =>
  callsOf(planOf(server, claim), "").map((call) =>
    call.startsWith("file ") ? "file" : call.replaceAll("'", "").replace(/ \/\S+/g, ""),
  );

const names = (plan: ReturnType<typeof planOf>) => plan.steps.map(stepName);

describe("a plan", () => {
  let server: Server;
  before(async () => {
    server = await liveServer();
  });
  const tunedFor = (clients: number) => afterRun(server, wholeClaim(server, clients));

  it("goes through the safe order: kernel, nginx, WAPT stopped, PostgreSQL, the pool, WAPT started", () => {
    const calls = steps(server, wholeClaim(server, 2500));
    const order = [
      "step kernel sysctl",
      "step systemd reload",
      "step nginx reload",
      "step systemd stop",
      "step postgresql restart",
      "put f7",
      "step systemd start_again",
      "finish",
    ];
    const ini = calls.findLast((call) => call.startsWith("put f"))!;
    const positions = order.map((name) =>
      calls.findLastIndex((call) => call.startsWith(name === "put f7" ? ini : name)),
    );
    assert.ok(
      positions.every((position) => position > 0),
      String(positions),
    );
    assert.deepEqual(
      positions,
      [...positions].sort((a, b) => a - b),
    );
    assert.match(calls[0]!, /^begin /);
  });

  it("takes the same order when lowering, and never leaves the pool above PostgreSQL", () => {
    const tuned = tunedFor(5000);
    const lowered = steps(tuned, wholeClaim(tuned, 1000));
    const at = (name: RegExp) => lowered.findIndex((step) => name.test(step));
    const [stop, restart, start] = [/^step systemd stop/, /^step postgresql restart/, /^step systemd start_again/].map(
      at,
    );
    assert.ok(stop! < restart! && restart! < start!);
    assert.match(lowered[restart!]!, / 250$/);
  });

  for (const { type } of definitions) {
    it(`is empty for a ${type} that has what it wants`, () => {
      const args = type === "WaptServerIni" ? { args: { maxConnections: 100 } } : {};
      const claim = claimOf(server, type, 2500, args);
      const tuned = afterRun(server, claim);
      assert.equal(isEmpty(planOf(server, claim)), false);
      const again = planOf(tuned, claimOf(tuned, type, 2500, args));
      assert.deepEqual([again.changes, again.steps, isEmpty(again)], [[], [], true]);
    });
  }

  it("restarts PostgreSQL for a value that only its file has, and changes no byte for it", () => {
    const tuned = tunedFor(2500);
    const old = { ...tuned, postgresql: [{ ...tuned.postgresql[0]!, settings: { max_connections: "100" } }] };
    const plan = planOf(old, claimOf(old, "PostgresConnections", 2500));
    assert.deepEqual(plan.changes, []);
    assert.deepEqual(names(plan), ["postgresql restart", "wapt restart"]);
  });

  it("repairs PostgreSQL's file without a restart while the server still runs with the right value", () => {
    const tuned = tunedFor(2500);
    const conf = tuned.postgresql[0]!.configuration;
    const files = new Map(tuned.files).set(conf, tuned.files.get(conf)!.replace("= 625", "= 100"));
    const plan = planOf({ ...tuned, files }, wholeClaim({ ...tuned, files }, 2500));
    assert.deepEqual(
      plan.changes.map(({ path }) => path),
      [conf],
    );
    assert.deepEqual(plan.steps, []);
  });

  it("does what a run that was cut off left to do", () => {
    const tuned = tunedFor(2500);
    const left = { ...tuned, systemd: Object.assign(tuned.systemd, { left: ["waptserver"] }) };
    const plan = planOf(left, wholeClaim(left, 2500));
    assert.deepEqual(names(plan), ["systemd start"]);
    assert.deepEqual(plan.steps[0]!.words, ["waptserver"]);
  });

  it("asks no value of a service that comes back to a default of its own", () => {
    const tuned = tunedFor(2500);
    const steps = planOf(tuned, wholeClaim(tuned, 2500, "restore")).steps;
    const words = (service: string, verb: string) =>
      steps.filter((step) => step.service === service && step.verb === verb).map((step) => step.words.at(-1));
    assert.deepEqual([words("nginx", "reload"), words("systemd", "limit")], [["-"], []]);
  });

  it("removes a folder that a run had made which was cut off before it was recorded, and no other", () => {
    const tuned = tunedFor(2500);
    const journal = { ...tuned.journal, made: ["/srv/orphan", "/srv/wapt-uploads"] };
    const left = { ...tuned, journal };
    assert.deepEqual(planOf(left, wholeClaim(left, 2500)).removedFolders, ["/srv/orphan"]);
  });

  it("keeps a restart that is not wanted now, by name, until a plan may restart", () => {
    const never = { ...wholeClaim(server, 2500), mayRestart: false };
    const plan = planOf(server, never);
    assert.ok(names(plan).every((name) => !name.endsWith(" restart")));
    const left = plan.notes.filter((note) => note.endsWith('left for later since restart is "never"'));
    assert.deepEqual(
      left.map((note) => note.split(":")[0]),
      ["postgresql restart", "wapt restart"],
    );
  });

  it("takes the pool along where max_connections alone is lowered, and leaves it its owner's", () => {
    const tuned = tunedFor(5000);
    const plan = planOf(tuned, claimOf(tuned, "PostgresConnections", 1000));
    const ini = plan.changes.find(({ path }) => path.endsWith("waptserver.ini"));
    assert.deepEqual(
      ini?.splices?.map(({ text }) => text),
      ["240"],
    );
    const record = JSON.parse(plan.record!.to!);
    assert.equal(record.settings.db_max_connections.resource, "WaptServer paris");
    assert.equal(record.settings.max_connections.resource, "PostgresConnections paris");
  });

  describe("of a pool above PostgreSQL", () => {
    it("is refused with the dependsOn to add, and not in the precheck, since another resource may raise it first", () => {
      const pool = claimOf(server, "WaptServerIni", 2500);
      assert.throws(
        () => planOf(server, pool),
        (error) => {
          return error instanceof RefusedError && /add dependsOn: .*or use WaptServer/.test(error.message);
        },
      );
      assert.deepEqual(precheck(server, pool), []);
    });

    it("is refused in the precheck too where the same resource decides both", () => {
      const settings = { superuser_reserved_connections: "20", max_connections: "100" };
      const reserved = { ...server, postgresql: [{ ...server.postgresql[0]!, settings }] };
      assert.match(precheck(reserved, wholeClaim(reserved, 2500))[0]?.reason ?? "", /625 less 20 reserved/);
    });
  });
});
