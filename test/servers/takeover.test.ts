/** What an earlier version left, on the server and in the stack, is taken over by this one: see test/recorded. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { type Run, Stack } from "../../examples/demo/stack";
import type { Entry } from "../../provider/transaction/record";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { CONFIGURATION_KEY, connectionTo, makeProject, RECORD, Recording } from "../recorded/recorded";
import { files, inForce, lifetimes, say } from "../support/asking";

const succeeded = (run: Run): Run => {
  assert.equal(run.code, 0, run.output);
  return run;
};

/** What 0.1.0 kept on the server: backups by name and hash, and of its settings the record but for who owns what. */
async function kept(server: LabServer) {
  const find = "find /var/backups/pulumi-wapt -type f -not -name 'record.json.*'";
  const backups = await say(server, `${find} -exec sha256sum {} + 2>/dev/null | sort`);
  const { settings, ...rest } = JSON.parse(await say(server, `cat ${RECORD}`)) as { settings: Record<string, Entry> };
  const known = Object.entries(settings).filter(([id]) => !id.startsWith("backlog of "));
  const values = known.map(([id, { stack, value, before, running }]) => {
    return [id, { stack, value, before, running }];
  });
  return { backups, record: { ...rest, settings: Object.fromEntries(values) } };
}

const owners = async (server: LabServer): Promise<string[]> => {
  const { settings } = JSON.parse(await say(server, `cat ${RECORD}`)) as {
    settings: Record<string, { resource: string }>;
  };
  return [...new Set(Object.values(settings).map(({ resource }) => resource))].sort();
};

for (const { name, owned, inPreview } of [
  {
    name: "component-0.1.0",
    owned: ["WaptServer paris"],
    inPreview: [/\+ 1 to create/, /- 6 to delete/],
  },
  {
    name: "resources-0.1.0",
    owned: [
      "KernelLimits kernel",
      "NginxTuning nginx",
      "PostgresConnections postgresql",
      "ProxyTempPath uploads",
      "WaptServerIni waptserver",
    ],
    inPreview: [/6 unchanged/],
  },
]) {
  describe(`a stack of ${name}`, { skip: skipWithoutLab() }, () => {
    const folder = mkdtempSync(join(tmpdir(), "wapt-takeover-"));
    const recording = new Recording(name);
    let server: LabServer;
    let stack: Stack;
    let untouched: Record<string, string>;
    let unforced: Awaited<ReturnType<typeof inForce>>;

    before(async () => {
      const cli = await pulumiCli((line) => console.error(line));
      server = await startServer("paris");
      // The queues of nginx's listens, which 0.1.0 left alone, are right already.
      await say(
        server,
        "sed -Ei 's/^( *listen .*);/\\1 backlog=4096;/' /etc/nginx/sites-available/wapt.conf && systemctl restart nginx",
      );
      untouched = await files(server);
      unforced = await inForce(server);
      stack = new Stack({
        cli,
        project: makeProject(folder, recording.program),
        name: "paris",
        folder,
        config: { [CONFIGURATION_KEY]: connectionTo(server) },
        env: { PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey },
      });
      await stack.init();
    });
    after(async () => {
      await server?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    /** The server and the stack as 0.1.0 left them. */
    async function left(): Promise<void> {
      await recording.layDown(server);
      const state = join(folder, "recorded.json");
      await recording.writeState(server, state);
      succeeded(await stack.pulumi("stack", "import", "--file", state));
    }

    async function assertUntouched(): Promise<void> {
      assert.deepEqual(await files(server), untouched);
      assert.deepEqual(await inForce(server), unforced);
      assert.equal((await server.exec("test -e /srv/wapt-uploads")).code, 1);
      assert.equal((await server.exec(`test -e ${RECORD}`)).code, 1);
      const { deployment } = JSON.parse(succeeded(await stack.pulumi("stack", "export")).stdout);
      assert.deepEqual(deployment.resources ?? [], []);
    }

    test("is taken over by the first up without a change on the server, and destroy puts everything back", async () => {
      await left();
      const now = async () => [await files(server), await lifetimes(server), await inForce(server), await kept(server)];
      const tuned = await now();
      const { output } = succeeded(await stack.pulumi("preview", "--diff"));
      for (const line of inPreview) assert.match(output, line);
      assert.deepEqual(await now(), tuned);
      const { output: said } = succeeded(await stack.pulumi("up", "--yes", "--skip-preview"));
      assert.doesNotMatch(said, /error|warning/i);
      assert.deepEqual(await now(), tuned);
      assert.deepEqual(await owners(server), owned);
      const again = succeeded(await stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")).output;
      assert.match(again, /unchanged/);
      assert.deepEqual(await now(), tuned);

      succeeded(await stack.pulumi("destroy", "--yes", "--skip-preview"));
      await assertUntouched();
    });

    test("is destroyed by this version without an up before", async () => {
      await left();
      succeeded(await stack.pulumi("destroy", "--yes", "--skip-preview"));
      await assertUntouched();
    });

    // Of several resources each state says it by itself: `npm run rounds` looks at that too.
    if (owned.length > 1 && process.env.ROUNDS !== "all") return;
    test("is destroyed where the server has lost its record: the state remembers what stood there", async () => {
      await left();
      await say(server, `rm ${RECORD}`);
      const { output } = succeeded(await stack.pulumi("destroy", "--yes", "--skip-preview"));
      // Of resources that depend on nothing, PostgreSQL may go first, which takes the pool along: that is nobody's then.
      const followed = /db_max_connections: someone changed it since/.test(output);
      if (followed) await say(server, "sed -i '/^db_max_connections = 90$/d' /opt/wapt/conf/waptserver.ini");
      assert.deepEqual(await files(server), untouched);
      assert.deepEqual(await inForce(server), unforced);
    });
  });
}
