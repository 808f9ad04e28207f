/** Changes of one server that reach the provider in parts, as the engine sends them when it has few hands. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Properties } from "../../provider/pulumi/engine/inputs";
import { Provider } from "../../provider/pulumi/engine/provider";
import { definitions } from "../../provider/resources";
import type { Remote } from "../../provider/transaction/server";
import { localRemote, untunedServer } from "../local-remote";

const NAMES = ["ProxyTempPath", "KernelLimits", "NginxTuning", "PostgresConnections", "WaptServerIni"] as const;
type Name = (typeof NAMES)[number];

const isTransaction = (program: string): boolean => /^begin /m.test(program);

/** Servers by host, behind one provider. */
function fleet(context: TestContext, ...hosts: string[]) {
  const servers = new Map(hosts.map((host) => [host, { root: untunedServer(context), remote: localRemote() }]));
  const gates = new Map<string, Promise<unknown>>();
  const connect = async ({ host }: { host: string }): Promise<Remote> => {
    const { remote } = servers.get(host)!;
    const run: Remote["run"] = async (program) => {
      if (isTransaction(program)) await gates.get(host);
      return remote.run(program);
    };
    return { key: host, run };
  };
  const provider = new Provider({ connect, say: () => undefined, isForgotten: () => false });
  const definition = (name: Name) => definitions.find((one) => one.type === name)!;
  const check = async (host: string, name: Name): Promise<Properties> => {
    const own = name === "ProxyTempPath" ? { path: "/srv/wapt-uploads", minFree: "1KiB" } : {};
    const args = { connection: { host }, clients: 2500, root: servers.get(host)!.root, ...own };
    const { inputs, failures } = await provider.check(definition(name), {}, { stack: "o/p/s", name, ...args });
    assert.deepEqual(failures, []);
    return inputs;
  };
  return {
    async checkAll(host: string) {
      const inputs = {} as Record<Name, Properties>;
      for (const name of NAMES) inputs[name] = await check(host, name);
      return { create: (name: Name) => provider.create(definition(name), inputs[name]) };
    },
    check,
    create: (name: Name, inputs: Properties) => provider.create(definition(name), inputs),
    /** Holds a server's transactions until the promise is done. */
    hold: (host: string, gate: Promise<unknown>) => gates.set(host, gate),
    transactions: (host: string) => servers.get(host)!.remote.programs.filter(isTransaction).length,
  };
}

describe("changes that come in parts", () => {
  it("become one transaction with what was checked and comes later", async (context) => {
    const { checkAll, transactions } = fleet(context, "paris");
    const { create } = await checkAll("paris");
    const first = NAMES.slice(0, 4).map(create);
    await sleep(300);
    assert.equal(transactions("paris"), 0);
    await Promise.all([...first, create("WaptServerIni")]);
    assert.equal(transactions("paris"), 1);
  });

  it("are made without what does not come while the engine has no hand free", async (context) => {
    const { checkAll, transactions } = fleet(context, "paris");
    const { create } = await checkAll("paris");
    await Promise.all(NAMES.slice(0, 4).map(create));
    assert.equal(transactions("paris"), 1);
    await create("WaptServerIni");
    assert.equal(transactions("paris"), 2);
  });

  it("wait for a resource that restarts the same services and was not even checked", async (context) => {
    const { check, create, transactions } = fleet(context, "paris");
    const postgres = create("PostgresConnections", await check("paris", "PostgresConnections"));
    await sleep(300);
    assert.equal(transactions("paris"), 0);
    await Promise.all([postgres, create("WaptServerIni", await check("paris", "WaptServerIni"))]);
    assert.equal(transactions("paris"), 1);
  });

  it("wait while another server is at work, which frees hands", async (context) => {
    const { checkAll, transactions, hold } = fleet(context, "paris", "lyon");
    const [paris, lyon] = [await checkAll("paris"), await checkAll("lyon")];
    const ended = sleep(1500);
    hold("paris", ended);
    const all = NAMES.map(paris.create);
    const part = NAMES.slice(0, 3).map(lyon.create);
    await ended;
    assert.equal(transactions("lyon"), 0);
    await Promise.all(all);
    await Promise.all([...part, ...NAMES.slice(3).map(lyon.create)]);
    assert.deepEqual([transactions("paris"), transactions("lyon")], [1, 1]);
  });

  it("of one resource alone are not waited for longer than by others", async (context) => {
    const { check, create, transactions } = fleet(context, "paris");
    await create("NginxTuning", await check("paris", "NginxTuning"));
    assert.equal(transactions("paris"), 1);
  });
});
