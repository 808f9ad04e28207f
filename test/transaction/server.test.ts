/** Several runs on one server at once, each of its own process as far as the server can tell. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { definitions } from "../../provider/resources";
import { services } from "../../provider/services";
import { ManagedServer, TransactionError } from "../../provider/transaction/server";
import { claimOf, scopeOf, shells } from "../support/image";
import { localRemote, untunedServer } from "../support/local-remote";

const alone = definitions.map(({ type }) => type).filter((type) => type !== "WaptServer");

/** A pool that PostgreSQL carries before it is raised. */
const ARGS: Record<string, object> = { WaptServerIni: { dbMaxConnections: 80 } };

for (const shell of shells) {
  describe(`runs at once, by ${shell.join(" ")}`, () => {
    it("each come to their end, however often the others were quicker", async (context) => {
      const root = untunedServer(context);
      const observed: (() => void)[] = [];
      // None begins before all have seen the server as it was: each but the first is overtaken.
      const all = new Promise<void>((resolve) => observed.push(resolve));
      let waiting = alone.length;
      const run = async (type: string) => {
        const managed = new ManagedServer(services, async () => localRemote(shell), `the stack ${type}`);
        await managed.observe(scopeOf(root));
        if (--waiting === 0) observed[0]!();
        await all;
        return managed.converge(scopeOf(root), (server) => claimOf(server, type, 2500, { args: ARGS[type] }));
      };
      await Promise.all(alone.map(run));
      const record = JSON.parse(readFileSync(join(root, "var/lib/pulumi-wapt/record.json"), "utf8"));
      const owners = Object.values(record.settings as Record<string, { resource: string }>);
      assert.deepEqual(
        [...new Set(owners.map(({ resource }) => resource))].sort(),
        alone.map((type) => `${type} paris`).sort(),
      );
    });

    it("are planned anew three times, no more, where something else changes a file each time", async (context) => {
      const root = untunedServer(context);
      const local = localRemote(shell);
      const remote = {
        ...local,
        run: (program: string) =>
          local.run(program.replace(/^file 'f0' /m, `printf '#' >>'${root}/etc/nginx/nginx.conf'\n$&`)),
      };
      const managed = new ManagedServer(services, async () => remote, "a test");
      await assert.rejects(
        managed.converge(scopeOf(root), (server) => claimOf(server, "NginxTuning", 2500)),
        (error) => error instanceof TransactionError && /nginx\.conf was changed by someone else/.test(error.message),
      );
      assert.equal(local.programs.filter((program) => /^finish/m.test(program)).length, 3);
    });
  });
}
