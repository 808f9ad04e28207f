/** What the resources register with Pulumi's engine, and the example programs, under Pulumi's mocks. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { unknownValue } from "@pulumi/pulumi/runtime/rpc";
import * as ts from "typescript";
import {
  type ConnectionArgs,
  KernelLimits,
  NginxTuning,
  PostgresConnections,
  ProxyTempPath,
  WaptServer,
  WaptServerIni,
} from "../../provider/index";
import { type Program, type Registered, registrations, STACK, settled } from "../support/mocked-program";

const connection = { host: "wapt.example" };
const stackName = `${STACK.organization}/wapt-site/${STACK.stack}`;

/** Without what every resource of this package has. */
function ownInputs({ inputs }: Registered): Record<string, unknown> {
  const { __provider, name, stack, ...own } = inputs;
  assert.equal(typeof __provider, "string");
  assert.equal(stack, stackName);
  return own;
}

const token = (type: string) => `pulumi-nodejs:dynamic/pulumi-wapt:${type}`;

const made = async (body: () => unknown, program: Program = {}) => (await registrations(program, body)).registered;

async function connectionInputs(given: pulumi.Input<ConnectionArgs>): Promise<unknown> {
  const [nginx] = await made(() => new NginxTuning("nginx", { connection: given, clients: 100 }));
  return nginx?.inputs.connection;
}

describe("a resource of its own", () => {
  const classes = { KernelLimits, NginxTuning, PostgresConnections, WaptServerIni };

  for (const [type, Resource] of Object.entries(classes)) {
    it(`${type} registers its arguments under its own type`, async () => {
      const [resource, ...others] = await made(() => new Resource("one", { connection, clients: 2500 }));
      assert.deepEqual(others, []);
      assert.deepEqual(
        [resource?.type, resource?.name, resource?.parent, resource?.custom],
        [token(type), "one", undefined, true],
      );
      assert.equal(resource?.inputs.name, "one");
      assert.deepEqual(ownInputs(resource!), { connection, clients: 2500 });
    });
  }

  it("ProxyTempPath needs no number of clients", async () => {
    const [resource] = await made(() => new ProxyTempPath("uploads", { connection, path: "/srv/u", minFree: "1GiB" }));
    assert.equal(resource?.type, token("ProxyTempPath"));
    assert.deepEqual(ownInputs(resource!), { connection, path: "/srv/u", minFree: "1GiB" });
  });

  it("hands overrides on as they are given", async () => {
    const overrides = { workerConnections: 9000, workerRlimitNofile: 40000, allowAbove5000: true, root: "/srv/image" };
    const [resource] = await made(() => new NginxTuning("nginx", { connection, clients: 6000, ...overrides }));
    assert.deepEqual(ownInputs(resource!), { connection, clients: 6000, ...overrides });
  });

  it("has the settings and what stood before as outputs, not secret", async () => {
    const found = { settings: { worker_connections: 4096 }, before: { worker_connections: 768 } };
    const { result } = await registrations({ outputs: () => found }, () => {
      const { settings, before } = new NginxTuning("nginx", { connection, clients: 100 });
      return { settings, before };
    });
    assert.deepEqual(await settled(result.settings), { value: found.settings, secret: false });
    assert.deepEqual(await settled(result.before), { value: found.before, secret: false });
  });

  it("accepts values that are not known yet, in preview", async () => {
    const body = () => {
      // In preview, what a resource to be made will have is not known.
      const later = new KernelLimits("first", { connection, clients: 100 }).settings as pulumi.Output<never>;
      new NginxTuning("nginx", { connection: { host: later, privateKey: later }, clients: later });
      new WaptServer("paris", { connection: later, clients: 100, omit: ["KernelLimits", "WaptServerIni"] });
    };
    const registered = await made(body, { preview: true });
    const of = (name: string) => ownInputs(registered.find((one) => one.name === name)!);
    assert.deepEqual(of("nginx"), {
      connection: { host: unknownValue, privateKey: { secret: unknownValue } },
      clients: unknownValue,
    });
    const omit = ["KernelLimits", "WaptServerIni"];
    assert.deepEqual(of("paris"), { connection: unknownValue, clients: 100, omit });
  });
});

describe("the secrets of a connection", () => {
  const credentials = { password: "p1", privateKey: "k1", privateKeyPassword: "kp1" };
  const marked = {
    password: { secret: "p1" },
    privateKey: { secret: "k1" },
    privateKeyPassword: { secret: "kp1" },
  };

  it("are marked, the rest is not", async () => {
    const open = { host: "wapt.example", port: 22, user: "admin", sudo: true, hostKey: "ssh-ed25519 AAAA" };
    assert.deepEqual(await connectionInputs({ ...open, ...credentials, sudoPassword: "s1" }), {
      ...open,
      ...marked,
      sudoPassword: { secret: "s1" },
    });
  });

  it("are marked in the bastion too", async () => {
    const proxy = { host: "bastion.example", user: "hop", ...credentials };
    assert.deepEqual(await connectionInputs({ host: "wapt.example", proxy }), {
      host: "wapt.example",
      proxy: { host: "bastion.example", user: "hop", ...marked },
    });
  });

  it("are marked in a connection, and in a bastion, that is an output or a promise", async () => {
    const given = { host: "wapt.example", ...credentials };
    const wanted = { host: "wapt.example", ...marked };
    assert.deepEqual(await connectionInputs(pulumi.output(given)), wanted);
    assert.deepEqual(await connectionInputs(Promise.resolve(given)), wanted);
    const proxied = { host: "paris.example", proxy: wanted };
    assert.deepEqual(await connectionInputs({ host: "paris.example", proxy: pulumi.output(given) }), proxied);
    assert.deepEqual(await connectionInputs({ host: "paris.example", proxy: Promise.resolve(given) }), proxied);
    assert.deepEqual(await connectionInputs(pulumi.output({ host: "paris.example", proxy: given })), proxied);
  });

  it("stay secret where they came secret, and are marked where an output was not", async () => {
    const given = { host: "wapt.example", password: pulumi.secret("p1"), privateKey: pulumi.output("k1") };
    const wanted = { host: "wapt.example", password: { secret: "p1" }, privateKey: { secret: "k1" } };
    assert.deepEqual(await connectionInputs(given), wanted);
    assert.deepEqual(await connectionInputs(pulumi.secret({ host: "wapt.example" })), {
      secret: { host: "wapt.example" },
    });
  });

  it("are hidden under a misspelt name as well", async () => {
    const misspelt = { host: "wapt.example", pasword: "p1" } as ConnectionArgs;
    assert.deepEqual(await connectionInputs(misspelt), { host: "wapt.example", pasword: { secret: "p1" } });
  });

  it("a connection that is missing, or no object, is left to the check that names it", async () => {
    for (const wrong of [undefined, null, "wapt.example", pulumi.output(undefined)]) {
      const inputs = await connectionInputs(wrong as never);
      assert.equal(inputs ?? undefined, typeof wrong === "string" ? wrong : undefined);
    }
  });
});

describe("WaptServer", () => {
  it("is one custom resource with all arguments, its connection once and marked", async () => {
    const args = {
      ...{ workerConnections: 7000, workerRlimitNofile: 20000, tcpMaxSynBacklog: 5000, somaxconn: 5001 },
      ...{ nofile: 300000, limitNofile: 20001, maxConnections: 700, dbMaxConnections: 600, maxClients: 5002 },
      ...{ clients: 2500, allowAbove5000: true, root: "/srv/image", nginxConf: "/etc/n.conf" },
      ...{ nginxUser: "nginx", postgresqlConf: "/etc/p.conf", waptserverIni: "/etc/w.ini" },
      uploads: { path: "/srv/wapt-uploads", minFree: "5GiB" },
    };
    const to = { ...connection, password: "p1" };
    const [server, ...others] = await made(() => new WaptServer("paris", { connection: to, ...args }));
    assert.deepEqual(others, []);
    assert.deepEqual(
      [server?.type, server?.name, server?.parent, server?.custom],
      [token("WaptServer"), "paris", undefined, true],
    );
    assert.deepEqual(ownInputs(server!), { connection: { ...connection, password: { secret: "p1" } }, ...args });
  });

  it("has its settings by name", async () => {
    const settings = { worker_connections: 6250, max_connections: 625 };
    const { result } = await registrations({ outputs: () => ({ settings }) }, () => {
      const server = new WaptServer("paris", { connection, clients: 2500 });
      // A property of an output: it would not compile under a name that no setting has.
      return server.settings.max_connections;
    });
    assert.deepEqual(await settled(result), { value: 625, secret: false });
  });
});

/** Runs the site's program as a CommonJS module, whose imports are those of this test. */
async function siteProgram(): Promise<{ settings: pulumi.Unwrap<object> }> {
  const text = readFileSync(join(__dirname, "../../examples/site/index.mts"), "utf8");
  const { outputText } = ts.transpileModule(text, { compilerOptions: { module: ts.ModuleKind.CommonJS } });
  const exported = { settings: {} };
  new Function("require", "exports", outputText)(require, exported);
  return exported;
}

describe("the example programs", () => {
  const settings = (type: string, name: string) =>
    type.startsWith("pulumi-nodejs") ? { settings: { [name]: 1 } } : {};
  const own = (registered: readonly Registered[], name: string) => registered.find((one) => one.name === name)?.inputs;

  it("site: a server of the configuration is a WaptServer", async () => {
    const config = {
      "wapt-site:servers": [
        { name: "paris", host: "wapt.paris.example", clients: 3000, workerConnections: 8000 },
        { host: "wapt.lyon.example", clients: 200, connection: { user: "root" }, uploads: "/data/uploads" },
      ],
      "wapt-site:connection": { user: "admin", sudo: true, sudoPassword: "s1" },
      "wapt-site:uploads": "/srv/wapt-uploads",
      "wapt-site:minFree": "20GiB",
    };
    const program = { config, secrets: ["wapt-site:connection"], outputs: settings };
    const { registered, result } = await registrations(program, siteProgram);
    assert.equal(registered.length, 2);
    const admin = { user: "admin", sudo: true, sudoPassword: { secret: "s1" }, host: "wapt.paris.example" };
    const { workerConnections, clients, connection: paris } = own(registered, "paris") ?? {};
    assert.deepEqual([workerConnections, clients, paris], [8000, 3000, admin]);
    assert.deepEqual(own(registered, "wapt.lyon.example")?.connection, {
      ...admin,
      user: "root",
      host: "wapt.lyon.example",
    });
    assert.deepEqual(own(registered, "paris")?.uploads, { path: "/srv/wapt-uploads", minFree: "20GiB" });
    assert.deepEqual(own(registered, "wapt.lyon.example")?.uploads, { path: "/data/uploads", minFree: "20GiB" });
    const { value } = await settled(pulumi.output(result.settings));
    assert.deepEqual(Object.keys(value), ["paris", "wapt.lyon.example"]);
  });

  it("smallest: one server, one number", async () => {
    const config = { "wapt-smallest:host": "wapt.example", "wapt-smallest:clients": 3000 };
    const program = { project: "wapt-smallest", config };
    const { registered } = await registrations(program, () => import("../../examples/smallest/index.js"));
    assert.deepEqual(
      registered.map(({ name }) => name),
      ["wapt"],
    );
    const { connection: to, clients } = own(registered, "wapt") ?? {};
    assert.deepEqual([to, clients], [{ host: "wapt.example" }, 3000]);
  });

  it("with-command: the same connection serves a command after the tuning", async () => {
    const config = {
      "wapt-with-command:host": "wapt.example",
      "wapt-with-command:clients": 3000,
      "wapt-with-command:privateKey": "k1",
    };
    const outputs = (type: string, name: string) => ({ ...settings(type, name), stdout: "TCP: 12" });
    const program = { project: "wapt-with-command", config, secrets: ["wapt-with-command:privateKey"], outputs };
    const { registered, result } = await registrations(program, () => import("../../examples/with-command/index.js"));
    const command = registered.find(({ type }) => type === "command:remote:Command");
    const to = { host: "wapt.example", user: "root", privateKey: { secret: "k1" } };
    assert.deepEqual(own(registered, "wapt")?.connection, to);
    const { secret } = command!.inputs.connection as { secret: Record<string, unknown> };
    assert.deepEqual([secret.host, secret.user, secret.privateKey], ["wapt.example", "root", "k1"]);
    const triggers = command!.inputs.triggers as Record<string, unknown>[];
    assert.deepEqual(triggers[0]?.wapt, 1);
    assert.equal((await settled(result.summary)).value, "TCP: 12");
  });
});
