import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { definitions } from "../../provider/resources";
import { checkArguments } from "../../provider/resources/definition";
import type { Server } from "../../provider/transaction/observation";
import { parseObservation } from "../../provider/transaction/observation";
import type { Claim } from "../../provider/transaction/ownership";
import { isEmpty, planOf, RefusedError } from "../../provider/transaction/plan";
import { observeProgram, transactionCalls } from "../../provider/transaction/program";
import { localRemote, untunedServer } from "../local-remote";

/** An untuned server as observe.sh reports it, with services that run. */
async function liveServer(): Promise<Server> {
  const cleanUp: (() => void)[] = [];
  const root = untunedServer({ after: (done) => cleanUp.push(done) });
  const scope = { root, nginx: "", postgresql: "", waptserver: "/opt/wapt/conf/waptserver.ini", folders: [] };
  const { stdout } = await localRemote().run(observeProgram(scope));
  for (const done of cleanUp) done();
  const files = parseObservation(stdout.toString("latin1"), root);
  const limits = { soft: 32768, hard: 32768 };
  const unit = {
    installed: true,
    active: true,
    limitNofile: limits,
    process: limits,
    tasksMax: Number.POSITIVE_INFINITY,
  };
  const [cluster] = files.clusters;
  const settings = { max_connections: "100", superuser_reserved_connections: "3" };
  return {
    ...files,
    root: "",
    user: { id: 0, name: "root" },
    sysctl: { "net.core.somaxconn": "4096", "net.ipv4.tcp_max_syn_backlog": "512" },
    units: { nginx: unit, waptserver: unit, wapttasks: unit },
    nginx: { ...files.nginx, installed: true, workers: [{ soft: 1024, hard: 524288 }] },
    clusters: [{ ...cluster!, port: "5432", online: true, settings }],
  };
}

const claimOf = (
  type: string,
  server: Server,
  clients = 2500,
  more: Partial<Claim> & { args?: object } = {},
): Claim => {
  const definition = definitions.find((one) => one.type === type)!;
  const checked = checkArguments(definition, { connection: { host: "h" }, clients, ...more.args });
  if (checked.problems) assert.fail(checked.problems[0]?.reason);
  const target = definition.target(checked.settings, server, checked.args);
  return { owner: { stack: "o/p/s", resource: type, id: `id-${type}` }, target, mode: "apply", ...more };
};

const whole = (server: Server, clients?: number): Claim[] =>
  definitions.filter((one) => one.sized !== false).map((one) => claimOf(one.type, server, clients));

const steps = (server: Server, claims: Claim[]): string[] =>
  transactionCalls(planOf(server, claims), "", "test").map((call) =>
    call.startsWith("file ") ? "file" : call.replaceAll("'", "").replace(/ \/\S+/g, ""),
  );

/** The server once a plan is carried out. */
function after(server: Server, claims: Claim[]): Server {
  const files = new Map(server.files);
  for (const { path, to } of planOf(server, claims).changes) files.set(path, to);
  const value = (id: string) => claims.flatMap((claim) => claim.target.places).find((place) => place.id === id)?.value;
  const record = JSON.parse(files.get("/var/lib/pulumi-wapt/record.json") ?? '{"settings":{}}').settings;
  return {
    ...server,
    files,
    record,
    sysctl: {
      "net.core.somaxconn": value("net.core.somaxconn") ?? "",
      "net.ipv4.tcp_max_syn_backlog": value("net.ipv4.tcp_max_syn_backlog") ?? "",
    },
    nginx: { ...server.nginx, workers: [{ soft: Number(value("worker_rlimit_nofile")), hard: 524288 }] },
    clusters: [{ ...server.clusters[0]!, settings: { max_connections: value("max_connections") ?? "100" } }],
  };
}

describe("a plan", () => {
  let server: Server;
  before(async () => {
    server = await liveServer();
  });

  it("goes through the safe order: kernel, nginx, WAPT stopped, PostgreSQL, the pool, WAPT started", () => {
    const order = ["set_sysctl", "daemon_reload", "nginx_reload", "stop", "postgres_restart", "start", "finish"];
    const names = steps(server, whole(server)).map((step) => step.split(" ")[0]!);
    const positions = order.map((name) => names.lastIndexOf(name));
    assert.deepEqual(
      positions,
      [...positions].sort((a, b) => a - b),
    );
    assert.ok(positions.every((position) => position > 0));
    assert.equal(names[0], "begin");
  });

  it("takes the same order when lowering, and never leaves the pool above PostgreSQL", () => {
    const tuned = after(server, whole(server, 5000));
    const lowered = steps(after(tuned, whole(tuned, 5000)), whole(tuned, 1000));
    const at = (name: RegExp) => lowered.findIndex((step) => name.test(step));
    assert.ok(at(/^stop/) < at(/^postgres_restart/) && at(/^postgres_restart/) < at(/^start/));
    assert.match(lowered[at(/^postgres_restart/)]!, / 250$/);
  });

  for (const { type } of definitions.filter((one) => one.sized !== false)) {
    it(`is empty for a ${type} that has what it wants`, () => {
      const args = type === "WaptServerIni" ? { args: { maxConnections: 100 } } : {};
      const claim = claimOf(type, server, 2500, args);
      const tuned = after(server, [claim]);
      assert.equal(isEmpty(planOf(server, [claim])), false);
      const again = planOf(tuned, [claimOf(type, tuned, 2500, args)]);
      assert.deepEqual([again.changes, again.actions, isEmpty(again)], [[], [], true]);
    });
  }

  it("restarts PostgreSQL for a value that only its file has, and changes no byte for it", () => {
    const tuned = after(server, whole(server));
    const old = { ...tuned, clusters: [{ ...tuned.clusters[0]!, settings: { max_connections: "100" } }] };
    const plan = planOf(old, [claimOf("PostgresConnections", old)]);
    assert.deepEqual(plan.changes, []);
    assert.deepEqual(
      plan.actions.map((action) => action.name),
      ["postgresql restart", "wapt restart"],
    );
  });

  it("repairs PostgreSQL's file without a restart while the server still runs with the right value", () => {
    const tuned = after(server, whole(server));
    const conf = tuned.clusters[0]!.configuration;
    const files = new Map(tuned.files).set(conf, tuned.files.get(conf)!.replace("= 625", "= 100"));
    const plan = planOf({ ...tuned, files }, [claimOf("PostgresConnections", { ...tuned, files })]);
    assert.equal(plan.changes.length, 1);
    assert.deepEqual(plan.actions, []);
  });

  it("does what a run that was cut off left to do", () => {
    const tuned = { ...after(server, whole(server)), pending: ["nginx reload"], stopped: ["waptserver"] };
    const plan = planOf(tuned, whole(tuned));
    assert.deepEqual(
      plan.actions.map((action) => action.name),
      ["nginx reload"],
    );
    assert.deepEqual(plan.start, ["waptserver"]);
  });

  it("keeps a restart that is not wanted now, by name, until a plan may restart", () => {
    const never = whole(server).map((claim) => ({ ...claim, mayRestart: false }));
    const plan = planOf(server, never);
    assert.ok(plan.actions.every((action) => !action.name.endsWith(" restart")));
    const record = plan.changes.find((change) => change.stage === "record");
    assert.deepEqual(JSON.parse(record!.to).pending, ["postgresql restart", "wapt restart"]);
  });

  it("refuses two resources of one stack that want the same setting", () => {
    const [one, two] = [claimOf("NginxTuning", server), claimOf("NginxTuning", server)];
    const rival = { ...two, owner: { ...two.owner, resource: "another", id: "other" } };
    assert.throws(() => planOf(server, [one, rival]), /both NginxTuning and another want to set it/);
  });

  it("refuses a pool above PostgreSQL unless PostgreSQL is raised with it", () => {
    const pool = claimOf("WaptServerIni", server);
    assert.throws(
      () => planOf(server, [pool]),
      (error) => error instanceof RefusedError && error.mayPass,
    );
    assert.doesNotThrow(() => planOf(server, [pool, claimOf("PostgresConnections", server)]));
  });
});
