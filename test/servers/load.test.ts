/** What clients notice of a run: nothing of a change of nginx's settings, a short pause of WAPT where PostgreSQL restarts. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Remote } from "../../provider/transaction/server";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { say } from "../support/asking";
import { type Counts, httpTraffic, sqlTraffic } from "../support/traffic";
import { converge, FEW, MANY, withoutSsh } from "../support/whole-server";

/** A page of nginx alone, one of waptserver, and one for which waptserver asks PostgreSQL. */
const [STATIC, WAPT, DATABASE] = ["/wapt/page.txt", "/", "/ping"] as const;

describe("a server under load", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let remote: Remote;

  before(async () => {
    server = await startServer("paris");
    remote = withoutSsh(server);
    await say(server, "mkdir -p /var/www/wapt && echo page >/var/www/wapt/page.txt");
    await converge(remote, FEW);
  });
  after(() => server?.stop());

  async function during(work: () => Promise<void>): Promise<Record<string, Counts>> {
    const [http, sql] = [httpTraffic(server, [STATIC, WAPT, DATABASE]), sqlTraffic(server)];
    await work();
    const counts = { ...(await http.stop()), sql: await sql.stop() };
    for (const [what, { requests, failures, reopened, outage }] of Object.entries(counts)) {
      const failed = JSON.stringify(failures);
      console.log(`${what}: ${requests} requests, failed ${failed}, reopened ${reopened}, longest outage ${outage} ms`);
      assert.ok(requests > 100, `only ${requests} requests of ${what}`);
    }
    return counts;
  }

  test("no request fails while nginx's settings change", async () => {
    const counts = await during(async () => {
      for (const workerConnections of [4500, 4600, 4700]) await converge(remote, { ...FEW, workerConnections });
    });
    assert.match(await say(server, "nginx -T 2>/dev/null"), /worker_connections 4700;/);
    for (const { failures } of Object.values(counts)) assert.deepEqual(failures, {});
  });

  test("nginx answers all the time while PostgreSQL restarts, WAPT pauses and comes back by itself", async () => {
    const counts = await during(async () => {
      await converge(remote, MANY);
    });
    assert.deepEqual(counts[STATIC]?.failures, {});
    // Whatever fails behind nginx is an answer of nginx's, never a refused or a broken connection.
    for (const path of [WAPT, DATABASE]) {
      const kinds = Object.keys(counts[path]!.failures);
      assert.ok(kinds.length > 0 && kinds.every((kind) => /^50[234]$/.test(kind)), kinds.join());
      assert.ok(counts[path]!.outage < 30_000, `an outage of ${counts[path]!.outage} ms`);
    }
    const after = await during(() => say(server, "sleep 2").then(() => undefined));
    for (const { failures } of Object.values(after)) assert.deepEqual(failures, {});
  });
});
