import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Properties } from "../../provider/pulumi/engine/inputs";
import { Provider } from "../../provider/pulumi/engine/provider";
import { UNKNOWN } from "../../provider/pulumi/engine/unknown";
import { definitions } from "../../provider/resources";
import { localRemote, snapshot, untunedServer } from "../support/local-remote";
import { belongsTo } from "../support/newer-guide";

const definition = (type: string) => definitions.find((one) => one.type === type)!;

/** Pulumi's calls for one resource, in the order of the engine. */
class Engine {
  id = "";
  inputs: Properties = {};
  outputs: Properties = {};

  constructor(
    readonly provider: Provider,
    readonly type: string,
    readonly name: string = type,
  ) {}

  async preview(args: Properties) {
    const news = { __provider: "p", stack: "org/wapt/paris", name: this.name, settings: undefined, ...args };
    const checked = await this.provider.check(definition(this.type), this.inputs, news);
    assert.deepEqual(checked.failures, []);
    const diff = this.id ? this.provider.diff(definition(this.type), this.outputs, checked.inputs) : undefined;
    return { inputs: checked.inputs, unchanged: diff?.changes === false, replaces: diff?.replaces ?? [] };
  }

  async up(args: Properties) {
    const { inputs, unchanged } = await this.preview(args);
    this.inputs = inputs;
    if (unchanged) return;
    if (this.id) {
      this.outputs = (await this.provider.update(definition(this.type), this.id, this.outputs, inputs)).outs;
    } else {
      const created = await this.provider.create(definition(this.type), inputs);
      [this.id, this.outputs] = [created.id, created.outs];
    }
  }

  async refresh() {
    const read = await this.provider.read(definition(this.type), this.id, this.outputs);
    [this.inputs, this.outputs] = [read.inputs, read.props];
  }

  destroy() {
    return this.provider.delete(definition(this.type), this.id, this.outputs);
  }
}

function setUp(context: TestContext) {
  const root = untunedServer(context);
  belongsTo(root, "tis-waptserver", ["/opt/wapt/waptserver.py"]);
  const remote = localRemote();
  const said: string[] = [];
  const adopted: string[] = [];
  const provider = () =>
    new Provider({
      routeOf: ({ host }) => (host === "other.example" ? host : "wapt.example"),
      connect: async () => remote,
      say: (line) => said.push(line),
      isForgotten: () => false,
      isAdopted: (host) => adopted.includes(host),
    });
  const args = { connection: { host: "wapt.example" }, clients: 2500, root };
  return { root, remote, said, adopted, provider, args };
}

const UPLOADS = { path: "/srv/wapt-uploads", minFree: "1KiB" };

const argsOf = (type: string, args: Properties): Properties => {
  if (type === "ProxyTempPath") return { ...args, ...UPLOADS };
  return type === "WaptServer" ? { ...args, uploads: UPLOADS } : args;
};

describe("a resource's life", () => {
  for (const { type } of definitions) {
    it(`${type}: create, no change, drift, repair, destroy as before`, async (context) => {
      const { root, remote, adopted, provider, args: common } = setUp(context);
      // Alone it can have no more than the PostgreSQL that stands there gives.
      const args = argsOf(type, type === "WaptServerIni" ? { ...common, dbMaxConnections: 95 } : common);
      const untouched = snapshot(root);
      const engine = new Engine(provider(), type);

      await engine.up(args);
      const tuned = snapshot(root);
      assert.notDeepEqual(tuned, untouched);

      await engine.refresh();
      assert.equal((await engine.preview(args)).unchanged, true);
      const before = remote.programs.length;
      await engine.up(args);
      assert.equal(remote.programs.length, before, "a run without changes asks the server nothing more");

      const again = new Engine(provider(), type);
      adopted.push("wapt.example");
      await again.up(args);
      const left = Object.fromEntries(Object.entries(snapshot(root)).filter(([path]) => !path.endsWith("record.json")));
      assert.deepEqual(left, tuned, "a server that is right is adopted untouched, the state being lost");
      await again.refresh();
      assert.deepEqual(again.outputs.before, engine.outputs.before, "before is what stood there first");

      await again.destroy();
      assert.deepEqual(snapshot(root), untouched);
    });
  }

  it("leaves the newer guide's limits as they stand, and says so: no preview has a difference", async (context) => {
    const { root, provider, args } = setUp(context);
    const file = join(root, "etc/security/limits.d/wapt.conf");
    mkdirSync(dirname(file));
    writeFileSync(file, "wapt - nofile 32768\nwww-data - nofile 32768\n");
    const untouched = snapshot(root);
    const settings = (engine: Engine) => (engine.outputs.settings as Properties).nofile;
    const again = ({ id, inputs, outputs }: Engine) =>
      Object.assign(new Engine(provider(), "KernelLimits"), { id, inputs, outputs });

    const engine = new Engine(provider(), "KernelLimits");
    await engine.up(args);
    assert.equal(settings(engine), 32768);
    assert.equal((engine.outputs.before as Properties).nofile, 32768);
    assert.equal(readFileSync(file, "latin1"), "wapt - nofile 32768\nwww-data - nofile 32768\n");
    assert.equal((await again(engine).preview(args)).unchanged, true, "without a refresh");
    const refreshed = again(engine);
    await refreshed.refresh();
    assert.equal((refreshed.inputs.settings as Properties).nofile, 32768);
    assert.equal((await refreshed.preview(args)).unchanged, true);

    // As where the server could not be asked when the resource was checked first.
    const unasked = again(engine);
    const settled = { ...(engine.inputs.settings as object), nofile: 500000 };
    unasked.inputs = { ...engine.inputs, settings: settled, derived: undefined };
    assert.equal((await unasked.preview(args)).unchanged, true);

    const given = again(engine);
    assert.equal((await given.preview({ ...args, nofile: 65536 })).unchanged, false);
    await given.up({ ...args, nofile: 65536 });
    assert.equal(settings(given), 65536);
    assert.equal(readFileSync(file, "latin1"), "wapt - nofile 65536\nwww-data - nofile 65536\n");
    await given.destroy();
    assert.deepEqual(snapshot(root), untouched);
  });

  it("shows the server's own value in the next preview after a drift, and repairs it alone", async (context) => {
    const { root, provider, args } = setUp(context);
    const engine = new Engine(provider(), "NginxTuning");
    await engine.up(args);
    const file = join(root, "etc/nginx/nginx.conf");
    const tuned = readFileSync(file, "latin1");
    writeFileSync(file, tuned.replace("worker_connections 6250", "worker_connections 512"), "latin1");
    const later = Object.assign(new Engine(provider(), "NginxTuning"), {
      id: engine.id,
      inputs: engine.inputs,
      outputs: engine.outputs,
    });
    await later.refresh();
    assert.deepEqual(later.inputs.settings, { worker_connections: 512, worker_rlimit_nofile: 32768, backlog: 4096 });
    const names = new Set([...Object.keys(later.inputs), ...Object.keys((await later.preview(args)).inputs)]);
    assert.deepEqual(names, new Set(Object.keys(later.inputs)), "the settings are all that a preview shows");
    assert.equal((await later.preview(args)).unchanged, false);
    await later.up(args);
    assert.equal(readFileSync(file, "latin1"), tuned);
  });

  it("leaves on destroy what someone changed since, and says so", async (context) => {
    const { root, provider, args, said } = setUp(context);
    const engine = new Engine(provider(), "NginxTuning");
    await engine.up(args);
    const file = join(root, "etc/nginx/nginx.conf");
    writeFileSync(
      file,
      readFileSync(file, "latin1").replace("worker_connections 6250", "worker_connections 9999"),
      "latin1",
    );
    const later = Object.assign(new Engine(provider(), "NginxTuning"), {
      id: engine.id,
      inputs: engine.inputs,
      outputs: engine.outputs,
    });
    await later.refresh();
    await later.destroy();
    assert.match(readFileSync(file, "latin1"), /worker_connections 9999/);
    assert.doesNotMatch(readFileSync(file, "latin1"), /worker_rlimit_nofile/);
    assert.match(said.join("\n"), /worker_connections: someone changed it since/);
  });

  it("is not restored by the resource whose place another one of the stack has taken", async (context) => {
    const { root, provider, args } = setUp(context);
    const old = new Engine(provider(), "NginxTuning", "old");
    await old.up(args);
    const shared = provider();
    // The program has it no more, the state has.
    shared.diff(definition("NginxTuning"), old.outputs, old.outputs);
    const replacement = new Engine(shared, "NginxTuning", "new");
    await replacement.up(args);
    await old.destroy();
    assert.match(readFileSync(join(root, "etc/nginx/nginx.conf"), "latin1"), /worker_connections 6250/);
    await replacement.destroy();
    assert.match(readFileSync(join(root, "etc/nginx/nginx.conf"), "latin1"), /worker_connections 768;/);
  });

  it("is refused to a stack of the same name that has no proof, and to a resource that was renamed without an alias", async (context) => {
    const { provider, args } = setUp(context);
    await new Engine(provider(), "NginxTuning", "old").up(args);
    const news = { stack: "org/wapt/paris", name: "new", ...args };
    const { failures } = await provider().check(definition("NginxTuning"), {}, news);
    assert.match(
      failures[0]?.reason ?? "",
      /one of this name, but not of this state\. .*aliases: \[\{ name: .*pulumi-wapt:adopt HOST$/,
    );
  });

  it("is refused to a second stack, which is told the first one's name", async (context) => {
    const { provider, args } = setUp(context);
    await new Engine(provider(), "NginxTuning").up(args);
    const news = { stack: "org/wapt/lyon", name: "x", ...args };
    const { failures } = await provider().check(definition("NginxTuning"), {}, news);
    assert.match(failures[0]?.reason ?? "", /the stack org\/wapt\/paris owns this/);
  });
});

describe("resources of one server", () => {
  const parts = definitions.map((one) => one.type).filter((type) => type !== "WaptServer");

  it("are one read and one transaction as WaptServer, and the settings keep an administrator's order", async (context) => {
    const { root, remote, provider, args } = setUp(context);
    const engine = new Engine(provider(), "WaptServer", "paris");
    await engine.up(argsOf("WaptServer", args));
    assert.equal(remote.programs.length, 2);
    const read = (path: string) => readFileSync(join(root, path), "latin1");
    assert.match(read("etc/nginx/nginx.conf"), /worker_connections 6250; {3}# as installed/);
    assert.match(read("etc/postgresql/15/main/postgresql.conf"), /^max_connections = 625\t/m);
    assert.match(read("opt/wapt/conf/waptserver.ini"), /^db_max_connections = 615$/m);
    assert.equal(statSync(join(root, "srv/wapt-uploads")).mode & 0o777, 0o700);
    const names = ["net.ipv4.tcp_max_syn_backlog", "net.core.somaxconn", "nofile", "LimitNOFILE", "worker_connections"];
    names.push("worker_rlimit_nofile", "backlog", "client_body_temp_path");
    names.push("max_connections", "db_max_connections", "max_clients");
    assert.deepEqual(Object.keys(engine.outputs.settings as object), names);
    assert.deepEqual(Object.keys(engine.outputs.before as object), names);
  });

  it("share what was observed before a change, and follow one another with theirs", async (context) => {
    const { root, remote, provider, args } = setUp(context);
    const shared = provider();
    const engines = parts.map((type) => new Engine(shared, type));
    await Promise.all(engines.map((engine) => engine.preview(argsOf(engine.type, args))));
    const asked = remote.programs.length;
    assert.ok(asked <= engines.length);
    const order = ["KernelLimits", "NginxTuning", "ProxyTempPath", "PostgresConnections", "WaptServerIni"];
    await Promise.all(order.map((type) => engines.find((one) => one.type === type)!.up(argsOf(type, args))));
    await Promise.all(engines.map((engine) => engine.refresh()));
    for (const engine of engines) assert.equal((await engine.preview(argsOf(engine.type, args))).unchanged, true);
    const apart = snapshot(root);
    // A program that has one resource in place of the five, which the state still has.
    const next = provider();
    for (const { type, outputs } of engines) next.diff(definition(type), outputs, outputs);
    await new Engine(next, "WaptServer", "paris").up(argsOf("WaptServer", args));
    assert.deepEqual(snapshot(root), apart);
  });

  it("are put back to the byte in whatever order they are destroyed, though a lower PostgreSQL takes the pool along", async (context) => {
    const { root, provider, args } = setUp(context);
    const untouched = snapshot(root);
    const order = ["KernelLimits", "NginxTuning", "ProxyTempPath", "PostgresConnections", "WaptServerIni"];
    for (const destroyed of [order, order.toReversed()]) {
      const shared = provider();
      const engines = order.map((type) => new Engine(shared, type));
      for (const engine of engines) await engine.up(argsOf(engine.type, args));
      for (const type of destroyed) await engines.find((one) => one.type === type)!.destroy();
      assert.deepEqual(snapshot(root), untouched, destroyed.join(", "));
    }
  });

  it("leave all as it was where a part can't be edited", async (context) => {
    const { root, provider, args } = setUp(context);
    const engine = new Engine(provider(), "WaptServer", "paris");
    const { inputs } = await engine.preview(args);
    appendFileSync(join(root, "etc/nginx/nginx.conf"), "\nevents { }\n");
    const untouched = snapshot(root);
    await assert.rejects(engine.provider.create(definition("WaptServer"), inputs), /a second "events" block/);
    assert.deepEqual(snapshot(root), untouched);
  });

  it("leave out what omit names, and take no more than they are told", async (context) => {
    const { root, provider, args } = setUp(context);
    const engine = new Engine(provider(), "WaptServer", "paris");
    await engine.up({ ...args, omit: ["PostgresConnections", "WaptServerIni"] });
    const settings = Object.keys(engine.outputs.settings as object);
    assert.ok(settings.includes("worker_connections") && !settings.includes("client_body_temp_path"));
    assert.ok(!settings.some((name) => ["max_connections", "db_max_connections", "max_clients"].includes(name)));
    assert.match(
      readFileSync(join(root, "etc/postgresql/15/main/postgresql.conf"), "latin1"),
      /^max_connections = 100/m,
    );
  });

  it("get back what stood there before where a server no longer wants a part, and it may come again", async (context) => {
    const { root, provider, args } = setUp(context);
    const untouched = snapshot(root);
    const engine = new Engine(provider(), "WaptServer", "paris");
    const without = { ...args, omit: ["KernelLimits", "PostgresConnections", "WaptServerIni"] };
    await engine.up(without);
    const few = snapshot(root);
    for (let round = 0; round < 2; round++) {
      await engine.up(argsOf("WaptServer", args));
      await engine.refresh();
      assert.deepEqual(Object.keys(engine.inputs.before as object).length, 11);
      assert.equal((engine.inputs.before as Properties).client_body_temp_path, "not set");
      assert.equal((await engine.preview(argsOf("WaptServer", args))).unchanged, true);
      await engine.up(without);
      assert.deepEqual(snapshot(root), few, `round ${round}`);
      await engine.refresh();
      assert.equal((await engine.preview(without)).unchanged, true);
    }
    await engine.up(argsOf("WaptServer", args));
    await engine.destroy();
    assert.deepEqual(snapshot(root), untouched);
  });

  it("take the limits back from a user who is no longer nginx's", async (context) => {
    const { root, provider, args } = setUp(context);
    const untouched = snapshot(root);
    const engine = new Engine(provider(), "KernelLimits");
    await engine.up(args);
    const limits = () => readFileSync(join(root, "etc/security/limits.conf"), "latin1");
    assert.match(limits(), /^www-data +hard +nofile +500000$/m);
    await engine.up({ ...args, nginxUser: "nginx" });
    assert.match(limits(), /^nginx +hard +nofile +500000$/m);
    assert.doesNotMatch(limits(), /www-data/);
    await engine.destroy();
    assert.deepEqual(snapshot(root), untouched);
  });

  it("put back a pool that had to follow PostgreSQL, and not while PostgreSQL is still lower", async (context) => {
    const { root, provider, args } = setUp(context);
    const untouched = snapshot(root);
    const ini = () => readFileSync(join(root, "opt/wapt/conf/waptserver.ini"), "latin1");
    const alone = new Engine(provider(), "PostgresConnections");
    await alone.up({ ...args, maxConnections: 60 });
    assert.match(ini(), /^db_max_connections = 50$/m);
    await alone.up({ ...args, maxConnections: 70 });
    assert.match(ini(), /^db_max_connections = 50$/m);
    await alone.destroy();
    assert.deepEqual(snapshot(root), untouched);

    const whole = new Engine(provider(), "WaptServer", "paris");
    await whole.up({ ...args, maxConnections: 60 });
    await whole.up({ ...args, maxConnections: 60, omit: ["WaptServerIni"] });
    assert.match(ini(), /^db_max_connections = 50$/m, "the pool before would be above PostgreSQL");
    assert.doesNotMatch(ini(), /max_clients/);
    await whole.up({ ...args, maxConnections: 60 });
    await whole.destroy();
    assert.deepEqual(snapshot(root), untouched);
  });

  it("are refused where two of one program want the same setting", async (context) => {
    const { provider, args } = setUp(context);
    const shared = provider();
    await new Engine(shared, "WaptServer", "paris").preview(args);
    const news = { stack: "org/wapt/paris", name: "again", ...args };
    const { failures } = await shared.check(definition("NginxTuning"), {}, news);
    const settings = "worker_connections, worker_rlimit_nofile, backlog";
    const remedy = "want to set this on this server: one server has one owner; remove one of them";
    assert.deepEqual(
      failures.map(({ reason }) => reason),
      [`${settings}: both WaptServer paris and NginxTuning again ${remedy}`],
    );
    // Another name of the same server, since both lead to one place.
    const alias = { ...news, connection: { host: "alias.example" } };
    assert.match(
      (await shared.check(definition("NginxTuning"), {}, alias)).failures[0]?.reason ?? "",
      /both WaptServer paris \(wapt\.example\) and NginxTuning again \(alias\.example\) want to set this/,
    );
    const other = { ...news, connection: { host: "other.example" } };
    assert.deepEqual((await shared.check(definition("NginxTuning"), {}, other)).failures, []);
  });
});

describe("check", () => {
  const provider = new Provider({
    routeOf: ({ host }) => (host === "other.example" ? host : "wapt.example"),
    connect: () => assert.fail("a server was touched"),
    say: () => undefined,
    isForgotten: () => false,
    isAdopted: () => false,
  });
  const refused: [string, string, Properties, RegExp][] = [
    ["no clients", "NginxTuning", { clients: undefined }, /^clients: give the number of WAPT clients/],
    ["clients as text", "NginxTuning", { clients: "many" }, /^clients: give the number of WAPT clients/],
    ["half a client", "NginxTuning", { clients: 0.5 }, /^clients: .*whole number of 1 or more/],
    [
      "more than one server carries",
      "KernelLimits",
      { clients: 12001 },
      /^clients: 12001 .*use 3 servers of 4001 clients each.*allowAbove5000/,
    ],
    [
      "an override that breaks a link",
      "NginxTuning",
      { workerRlimitNofile: 4096 },
      /^workerRlimitNofile: .*below 2 × worker_connections 6250/,
    ],
    [
      "a pool above PostgreSQL",
      "WaptServerIni",
      { dbMaxConnections: 623 },
      /^dbMaxConnections: the pool of 623 is above max_connections 625/,
    ],
    [
      "an argument of an omitted part",
      "WaptServer",
      { omit: ["NginxTuning"], workerConnections: 5000 },
      /^workerConnections: omit names NginxTuning, so this has no effect/,
    ],
    [
      "a part that does not exist",
      "WaptServer",
      { omit: ["Postgres"] },
      /^omit\.0: no such part as "Postgres": did you mean PostgresConnections\?$/,
    ],
    [
      "an argument of uploads that does not exist",
      "WaptServer",
      { uploads: { path: "/srv/u", minfree: "1GiB" } },
      /^uploads: minfree: no such argument of uploads: did you mean minFree\?$/,
    ],
    ["a misspelt uploads", "WaptServer", { uplods: { path: "/srv/u" } }, /^uplods: .*did you mean uploads\?/],
    ["a misspelt restart", "WaptServer", { restrt: "never" }, /^restrt: .*did you mean restart\?/],
    ["no host", "NginxTuning", { connection: {} }, /^give connection\.host/],
    ["no connection", "NginxTuning", { connection: undefined }, /^give connection\.host/],
    ["a relative path", "ProxyTempPath", { path: "srv/uploads" }, /^path: give an absolute path/],
    ["a path with an accent", "ProxyTempPath", { path: "/srv/dépôt" }, /^path: give a path of ASCII characters/],
    ["a size that is none", "ProxyTempPath", { path: "/srv/u", minFree: "much" }, /^minFree: give a size such as/],
    [
      "a field of the connection that does not exist",
      "NginxTuning",
      { connection: { host: "h", usr: "x" } },
      /^usr: no such field of a connection: did you mean user\?/,
    ],
    [
      "an argument that does not exist",
      "NginxTuning",
      { workerConnection: 5 },
      /^workerConnection: no such argument of NginxTuning: did you mean workerConnections\?$/,
    ],
  ];
  for (const [name, type, args, message] of refused) {
    it(`refuses ${name} before any connection`, async () => {
      const news = { connection: { host: "wapt.example" }, clients: 2500, stack: "s", name: "n", ...args };
      const { failures } = await provider.check(definition(type), {}, news);
      const shown = failures.map(({ property, reason }) => (property ? `${property}: ${reason}` : reason));
      assert.match(shown.join("\n"), message);
      // Pulumi prints the value of a property that is named.
      for (const { property } of failures) assert.ok(property === "" || property in news, property);
    });
  }

  it("accepts values that are not known yet, and asks no server", async () => {
    for (const unknown of [{ clients: UNKNOWN }, { connection: { host: UNKNOWN } }, { workerConnections: UNKNOWN }]) {
      const news = { connection: { host: "wapt.example" }, clients: 2500, stack: "s", name: "n", ...unknown };
      const { inputs, failures } = await provider.check(definition("NginxTuning"), {}, news);
      assert.deepEqual(failures, []);
      assert.equal(inputs.before, UNKNOWN);
    }
  });

  it("accepts more clients than the guide advises when told to", async () => {
    const news = { connection: { host: UNKNOWN }, clients: 8000, allowAbove5000: true, stack: "s", name: "n" };
    const { inputs, failures } = await provider.check(definition("NginxTuning"), {}, news);
    assert.deepEqual(failures, []);
    assert.deepEqual(inputs.settings, { worker_connections: 20000, worker_rlimit_nofile: 40000, backlog: 12000 });
  });
});

describe("diff", () => {
  const provider = new Provider({
    routeOf: ({ host }) => (host === "other.example" ? host : "wapt.example"),
    connect: () => assert.fail("a server was touched"),
    say: () => undefined,
    isForgotten: () => false,
    isAdopted: () => false,
  });

  it("replaces a resource whose host or root is another", () => {
    const olds = { connection: { host: "a" }, settings: {} };
    assert.deepEqual(
      provider.diff(definition("NginxTuning"), olds, { connection: { host: "b" }, settings: {} }).replaces,
      ["connection"],
    );
    assert.deepEqual(provider.diff(definition("NginxTuning"), olds, { ...olds, root: "/mnt/image" }).replaces, [
      "root",
    ]);
    assert.deepEqual(
      provider.diff(definition("NginxTuning"), olds, { ...olds, connection: { host: "a", user: "admin" } }).replaces,
      [],
    );
  });

  it("replaces a resource whose values lie in another file, the old file being given back first", () => {
    const olds = { connection: { host: "a" }, settings: {} };
    const moved = provider.diff(definition("WaptServerIni"), olds, { ...olds, waptserverIni: "/srv/w.ini" });
    assert.deepEqual([moved.replaces, moved.deleteBeforeReplace], [["waptserverIni"], true]);
  });

  it("sees what a server still runs with an old value", () => {
    const olds = { connection: { host: "a" }, settings: { max_connections: 625 }, pending: ["postgresql restart"] };
    assert.equal(
      provider.diff(definition("NginxTuning"), olds, { connection: { host: "a" }, settings: { max_connections: 625 } })
        .changes,
      undefined,
    );
  });
});
