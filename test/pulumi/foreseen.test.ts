/** What a preview says of the run that follows it: also where no refresh of its process has read the server. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { foundOn, runOf } from "../../provider/pulumi/engine/foreseen";
import type { Properties } from "../../provider/pulumi/engine/inputs";
import { Provider } from "../../provider/pulumi/engine/provider";
import { definitions } from "../../provider/resources";
import { SshError } from "../../provider/ssh/session";
import { planOf } from "../../provider/transaction/plan";
import { claimOf, wholeClaim } from "../support/image";
import { afterRun, liveServer } from "../support/live-server";
import { localRemote, untunedServer } from "../support/local-remote";

const definition = (type: string) => definitions.find((one) => one.type === type)!;

function setUp(context: TestContext) {
  const root = untunedServer(context);
  const remote = localRemote();
  const said: string[] = [];
  let isDown = false;
  let dialled = 0;
  const provider = () =>
    new Provider({
      routeOf: ({ host }) => host,
      connect: async () => {
        dialled++;
        if (isDown) throw new SshError("unreachable", "wapt.example:22: the connection was refused");
        return remote;
      },
      say: (line) => said.push(line),
      isForgotten: (host) => host === "gone.example",
      isAdopted: () => false,
    });
  const args = { connection: { host: "wapt.example" }, clients: 2500, root };
  const inputs = (type: string, more: Properties = {}) => ({ stack: "o/wapt/paris", name: type, ...args, ...more });
  const shutDown = () => {
    isDown = true;
  };
  return { root, remote, said, provider, inputs, shutDown, dialled: () => dialled };
}

/** A resource that an earlier process has made: what its state holds. */
async function made(
  provider: Provider,
  type: string,
  news: Properties,
): Promise<{ inputs: Properties; outs: Properties }> {
  const { inputs, failures } = await provider.check(definition(type), {}, news);
  assert.deepEqual(failures, []);
  return { inputs, outs: (await provider.create(definition(type), inputs)).outs };
}

describe("a preview of which no refresh has read the server", () => {
  it("reads it once for all of its resources, and says what up would refuse", async (context) => {
    const { remote, provider, inputs } = setUp(context);
    const types = ["NginxTuning", "ProxyTempPath"];
    const uploads = (minFree: string) => ({ path: "/srv/wapt-uploads", minFree });
    const states: Properties[] = [];
    const first = provider();
    for (const type of types) {
      const more = type === "ProxyTempPath" ? uploads("1KiB") : {};
      states.push((await made(first, type, inputs(type, more))).inputs);
    }
    const before = remote.programs.length;
    const later = provider();
    const nginx = await later.check(definition("NginxTuning"), states[0]!, inputs("NginxTuning"));
    const moved = { path: "/srv/other", minFree: "900000TiB" };
    const { failures } = await later.check(definition("ProxyTempPath"), states[1]!, inputs("ProxyTempPath", moved));
    assert.deepEqual(nginx.failures, []);
    assert.match(failures[0]?.reason ?? "", /its partition has \d+ MiB free, minFree asks for 900000TiB/);
    assert.ok(remote.programs.length - before <= types.length);
    const again = remote.programs.length;
    await later.check(definition("NginxTuning"), states[0]!, inputs("NginxTuning"));
    assert.equal(remote.programs.length, again);
  });

  it("shows a drift as what was found there, which is gone once it is repaired", async (context) => {
    const { root, provider, inputs } = setUp(context);
    const news = inputs("NginxTuning");
    const { inputs: olds, outs } = await made(provider(), "NginxTuning", news);
    const settled = await provider().check(definition("NginxTuning"), olds, news);
    assert.deepEqual([settled.failures, settled.inputs.found], [[], undefined]);
    assert.equal(provider().diff(definition("NginxTuning"), outs, settled.inputs).changes, false);

    const file = join(root, "etc/nginx/nginx.conf");
    const tuned = readFileSync(file, "latin1");
    writeFileSync(file, tuned.replace("worker_connections 6250", "worker_connections 512"), "latin1");
    const drifted = await provider().check(definition("NginxTuning"), olds, news);
    const { at, ...found } = drifted.inputs.found as Properties;
    assert.deepEqual(found, { worker_connections: 512 });
    assert.ok(!Number.isNaN(Date.parse(String(at))));
    const shared = provider();
    assert.equal(shared.diff(definition("NginxTuning"), outs, drifted.inputs).changes, undefined, "a difference");
    const repaired = await shared.update(definition("NginxTuning"), "id", outs, drifted.inputs);
    assert.equal(readFileSync(file, "latin1"), tuned);
    assert.equal(repaired.outs.found, undefined);
    const next = await provider().check(definition("NginxTuning"), drifted.inputs, news);
    assert.equal(provider().diff(definition("NginxTuning"), repaired.outs, next.inputs).changes, false);
    const read = await provider().read(definition("NginxTuning"), "id", { ...repaired.outs, found });
    assert.equal(read.inputs.found, undefined);
  });

  it("shows nothing as found that a refresh of the same run has put into the state", async (context) => {
    const { root, provider, inputs } = setUp(context);
    const news = inputs("NginxTuning");
    const { outs } = await made(provider(), "NginxTuning", news);
    const file = join(root, "etc/nginx/nginx.conf");
    writeFileSync(file, readFileSync(file, "latin1").replace(" 6250", " 512"), "latin1");
    for (const shared of [true, false]) {
      const reader = provider();
      const read = await reader.read(definition("NginxTuning"), "id", outs);
      const checker = shared ? reader : provider();
      const checked = await checker.check(definition("NginxTuning"), read.inputs, news);
      assert.equal(checked.inputs.found, undefined);
      assert.equal(checker.diff(definition("NginxTuning"), read.props, checked.inputs).changes, undefined);
    }
  });

  it("says of a server that is down that it was not read, and dials it once", async (context) => {
    const { said, provider, inputs, shutDown, dialled } = setUp(context);
    const news = inputs("NginxTuning");
    const { inputs: olds, outs } = await made(provider(), "NginxTuning", news);
    shutDown();
    const before = dialled();
    const shared = provider();
    await assert.rejects(shared.read(definition("NginxTuning"), "id", outs), /the connection was refused/);
    const { failures } = await shared.check(definition("NginxTuning"), olds, { ...news, clients: 3000 });
    assert.deepEqual(failures, []);
    assert.match(said.join("\n"), /wapt\.example: not read, so nothing of it was checked: .*connection was refused/);
    assert.equal(dialled() - before, 1);
  });

  it("asks nothing of a server that is gone for good, nor of one that is replaced before it is checked as new", async (context) => {
    const { provider, inputs, dialled } = setUp(context);
    const news = inputs("NginxTuning");
    const { inputs: olds } = await made(provider(), "NginxTuning", news);
    const before = dialled();
    const gone = { connection: { host: "gone.example" } };
    await provider().check(definition("NginxTuning"), { ...olds, ...gone }, { ...news, ...gone });
    const moved = { ...news, connection: { host: "other.example" } };
    await provider().check(definition("NginxTuning"), olds, moved);
    assert.equal(dialled(), before);
  });

  it("takes nothing for the server's state that a transaction of its own is changing", async (context) => {
    const { remote, provider, inputs } = setUp(context);
    const news = inputs("NginxTuning");
    const first = provider();
    const { inputs: olds } = await made(first, "NginxTuning", news);
    const kernel = await first.check(definition("KernelLimits"), {}, inputs("KernelLimits"));
    const running = first.create(definition("KernelLimits"), kernel.inputs);
    const before = remote.programs.length;
    const { failures } = await first.check(definition("NginxTuning"), olds, { ...news, clients: 3000 });
    assert.deepEqual(failures, []);
    assert.ok(remote.programs.length - before <= 1, "the transaction's own");
    await running;
  });
});

describe("a warning of the preflight", () => {
  const heard = async (context: TestContext, accept?: string[]) => {
    const { root, said, provider, inputs } = setUp(context);
    writeFileSync(join(root, "etc/nginx/sites-enabled/wapt"), "server { listen 443; }\n");
    const { failures } = await provider().check(definition("NginxTuning"), {}, inputs("NginxTuning", { accept }));
    return { said: said.join("\n"), failures };
  };

  it("is silent once it is accepted, and no other", async (context) => {
    assert.match((await heard(context)).said, /preflight, backlog: /);
    assert.match((await heard(context, ["memory"])).said, /preflight, backlog: /);
    assert.equal((await heard(context, ["memory", "backlog"])).said, "");
  });

  it("that does not exist is refused by the name that was meant", async (context) => {
    const { failures } = await heard(context, ["backlogs"]);
    assert.deepEqual(failures, [
      {
        property: "",
        reason: 'accept.0: no such warning as "backlogs": did you mean backlog?',
      },
    ]);
  });
});

describe("two resources of one program", () => {
  it("are refused where two names lead to one machine, by both names", async (context) => {
    const { provider, inputs } = setUp(context);
    const shared = provider();
    const first = await shared.check(definition("NginxTuning"), {}, inputs("NginxTuning"));
    assert.deepEqual(first.failures, []);
    const alias = inputs("NginxTuning", { name: "again", connection: { host: "alias.example" } });
    const { failures } = await shared.check(definition("NginxTuning"), {}, alias);
    // The untuned copy has no machine-id: it is not known then.
    assert.deepEqual(failures, []);
    const { root } = alias as { root?: string };
    writeFileSync(join(root!, "etc/machine-id"), "0123456789abcdef0123456789abcdef\n");
    const knowing = provider();
    const machineIn = async (one: ReturnType<typeof provider>, news: typeof alias) =>
      (await one.check(definition("NginxTuning"), {}, news)).inputs.machine;
    const machine = await machineIn(knowing, inputs("NginxTuning"));
    assert.match(String(machine), /^[0-9a-f]{16}$/, "which also tells it to the summary of a fleet");
    assert.equal(await machineIn(provider(), alias), machine);
    assert.equal(first.inputs.machine, undefined);
    const { outs } = await knowing.create(definition("NginxTuning"), {
      ...inputs("NginxTuning"),
      settings: {},
      machine,
    });
    assert.equal(outs.machine, undefined, "the next boot gives it another one");
    const known = await knowing.check(definition("NginxTuning"), {}, alias);
    assert.match(
      known.failures[0]?.reason ?? "",
      /^worker_connections, worker_rlimit_nofile, backlog: both NginxTuning NginxTuning \(wapt\.example\) and NginxTuning again \(alias\.example\) want to set this on the machine \S+: one server has one owner; remove one of them$/,
    );
    const others = inputs("ProxyTempPath", { connection: alias.connection, path: "/srv/u", minFree: "1KiB" });
    assert.deepEqual((await knowing.check(definition("ProxyTempPath"), {}, others)).failures, []);
  });
});

describe("what a run restarts", () => {
  it("is named where it runs, an empty list where WAPT does not run, and there is no leaf where none is expected", async () => {
    const server = await liveServer();
    assert.deepEqual(runOf(planOf(server, wholeClaim(server, 2500))), { restarts: ["postgresql", "waptserver"] });
    assert.deepEqual(runOf(planOf(server, claimOf(server, "WaptServerIni", 400))), { restarts: ["waptserver"] });
    assert.deepEqual(runOf(planOf(server, claimOf(server, "NginxTuning", 2500))), {});
    const tuned = afterRun(server, wholeClaim(server, 2500));
    assert.deepEqual(runOf(planOf(tuned, wholeClaim(tuned, 2500))), {});
    const unit = { ...server.systemd("waptserver"), active: false };
    const stopped = { ...server, systemd: Object.assign(() => unit, { names: server.systemd.names, left: [] }) };
    assert.deepEqual(runOf(planOf(stopped, wholeClaim(stopped, 2500))), { restarts: ["postgresql"] });
    assert.deepEqual(runOf(planOf(stopped, claimOf(stopped, "WaptServerIni", 400))), { restarts: [] });
  });

  it("is named where a part is left out that was tuned before: what stood there first is put back", async () => {
    const server = await liveServer();
    const tuned = afterRun(server, wholeClaim(server, 2500));
    const former = wholeClaim(tuned, 2500).target;
    const without = (...omit: string[]) =>
      planOf(tuned, claimOf(tuned, "WaptServer", 2500, { args: { omit }, former }));
    assert.deepEqual(runOf(without("WaptServerIni")), { restarts: ["waptserver"] });
    assert.deepEqual(runOf(without("PostgresConnections", "WaptServerIni")), {
      restarts: ["postgresql", "waptserver"],
    });
    assert.deepEqual(runOf(without("NginxTuning")), {}, "nginx is reloaded");
    // The steps that the run takes are those that it names.
    const { steps } = without("PostgresConnections", "WaptServerIni");
    assert.ok(
      steps.some(({ service }) => service === "postgresql"),
      JSON.stringify(steps),
    );
    assert.ok(without("NginxTuning").steps.every(({ service }) => service === "nginx"));
  });

  it("is an empty list for one preview, which announces nothing and is no difference afterwards", async (context) => {
    const { said, provider, inputs } = setUp(context);
    const { inputs: wanted, outs } = await made(provider(), "WaptServer", inputs("WaptServer"));
    assert.deepEqual([wanted.restarts, outs.restarts], [[], undefined]);
    assert.deepEqual(
      said.filter((line) => line.includes("this restarts")),
      [],
    );
    const next = provider();
    // Pulumi keeps the checked inputs in its state.
    const again = await next.check(definition("WaptServer"), wanted, inputs("WaptServer"));
    assert.deepEqual([again.failures, again.inputs.restarts], [[], undefined]);
    assert.equal(next.diff(definition("WaptServer"), outs, again.inputs).changes, false);
    const read = await next.read(definition("WaptServer"), "id", { ...outs, restarts: [] });
    assert.deepEqual([read.inputs.restarts, read.props.restarts], [undefined, undefined]);
  });

  it("is what waits where nothing may be restarted, and why", async () => {
    const server = await liveServer();
    const { restarts, waits } = runOf(planOf(server, { ...wholeClaim(server, 2500), mayRestart: false }));
    assert.equal(restarts, undefined);
    assert.ok(waits?.includes('postgresql restart: needed, and left for later since restart is "never"'));
  });

  it("waits for its hours, which the difference names, unless the run says otherwise", async (context) => {
    const { said, inputs } = setUp(context);
    const server = await liveServer();
    const at = (time: string, restarts?: "as needed" | "never") => {
      const provider = new Provider({
        routeOf: ({ host }) => host,
        connect: () => assert.fail("a server was touched"),
        say: (line) => said.push(line),
        isForgotten: () => false,
        isAdopted: () => false,
        restarts: () => restarts,
        now: () => new Date(`2026-01-10T${time}:00Z`),
      });
      // As a refresh would have read it.
      Object.assign(provider, { servers: { look: async () => ({ server, isNews: false }) } });
      const restart = { between: "22:00-05:00", zone: "UTC" };
      return provider.check(definition("WaptServer"), {}, inputs("WaptServer", { root: undefined, restart }));
    };
    const [day, night, forced, forbidden] = await Promise.all([
      at("12:00"),
      at("23:00"),
      at("12:00", "as needed"),
      at("23:00", "never"),
    ]);
    const later = "restart is from 22:00 to 05:00 UTC alone: an up in these hours does it";
    assert.equal(day.inputs.restarts, undefined);
    assert.ok(
      (day.inputs.waits as string[]).includes(`postgresql restart: needed, and left for later since ${later}`),
      String(day.inputs.waits),
    );
    for (const { inputs: now } of [night, forced]) assert.deepEqual(now.restarts, ["postgresql", "waptserver"]);
    assert.equal(forbidden.inputs.restarts, undefined);
    const line = "wapt.example: this restarts postgresql and waptserver: 2500 PCs lose the connection and come back";
    assert.equal(said.filter((one) => one.endsWith(line)).length, 2);
  });

  it("is found beside a state that knows the files alone", async () => {
    const server = await liveServer();
    const { target } = wholeClaim(server, 2500);
    const settings = { worker_connections: 768, max_connections: 625, LimitNOFILE: 32768 };
    const found = foundOn(server, target, { settings }, new Date("2026-11-26T06:03:04Z"));
    assert.deepEqual([found?.max_connections, found?.worker_connections], [100, undefined]);
    assert.equal(found?.at, "2026-11-26T06:03:04.000Z");
  });
});
