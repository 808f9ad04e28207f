/** HTTP and SQL clients during an ordinary change: who notices it? */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Properties } from "../../provider/pulumi/inputs";
import { Provider } from "../../provider/pulumi/provider";
import { definitions } from "../../provider/resources";
import { closeAll, open } from "../../provider/ssh/session";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce } from "./asking";
import { underLoad } from "./traffic";

const LIMITS: Record<string, Properties> = {
  KernelLimits: { nofile: 20000, limitNofile: 20000 },
  NginxTuning: { workerRlimitNofile: 20000 },
  ProxyTempPath: { path: "/srv/wapt-uploads", minFree: "1MiB" },
};

describe("clients during a change", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  before(async () => {
    server = await startServer("nantes");
  });
  after(async () => {
    await closeAll();
    await server?.stop();
  });

  /** Creates resources as Pulumi does: at the same time. */
  async function create(types: readonly string[]): Promise<void> {
    const provider = new Provider({
      connect: (connection) => open(connection, { privateKey: server.privateKey }),
      say: () => undefined,
      isForgotten: () => false,
    });
    const connection = { host: server.host, hostKey: server.hostKey };
    const chosen = definitions.filter((one) => types.includes(one.type));
    await Promise.all(
      chosen.map(async (definition) => {
        const news = {
          connection,
          clients: 2500,
          stack: "organization/test/load",
          name: "load",
          ...LIMITS[definition.type],
        };
        const { inputs, failures } = await provider.check(definition, {}, news);
        assert.deepEqual(failures, []);
        await provider.create(definition, inputs);
      }),
    );
  }

  test("nobody notices a change of nginx", async (context) => {
    const tally = await underLoad(server, () => create(["NginxTuning", "ProxyTempPath"]));
    context.diagnostic(`nginx alone: ${JSON.stringify(tally)}`);
    assert.match((await inForce(server)).nginx.join(), /worker_connections 6250/);
    assert.deepEqual([tally.failed, tally.otherwise, tally.sql.failed], [[], 0, 0]);
    assert.ok(tally.answered > 100 && tally.sql.answered > 10, JSON.stringify(tally));
  });

  test("a restart of PostgreSQL and WAPT is short, and nginx answers all the time", async (context) => {
    const tally = await underLoad(server, () => create(definitions.map((one) => one.type)));
    context.diagnostic(`the whole server: ${JSON.stringify(tally)}`);
    assert.equal((await inForce(server)).maxConnections, 625);
    assert.deepEqual(tally.failed, []);
    assert.ok(tally.answered > 100 && tally.sql.answered > 10, JSON.stringify(tally));
  });
});
