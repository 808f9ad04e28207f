/** What an earlier version left, on the server and in the stack, is taken over by this one: see test/recorded. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { type Run, Stack } from "../../examples/demo/stack";
import { skipWithoutLab, startServer } from "../lab/server";
import { CONFIGURATION_KEY, connectionTo, makeProject, Recording } from "../recorded/recorded";
import { files, lifetimes } from "../support/asking";

const succeeded = (run: Run): Run => {
  assert.equal(run.code, 0, run.output);
  return run;
};

describe("a stack of an earlier version", { skip: skipWithoutLab() }, () => {
  for (const name of ["component-0.1.0", "resources-0.1.0"]) {
    test(`${name}: the first up changes nothing on the server, and destroy puts everything back`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "wapt-upgrade-"));
      const cli = await pulumiCli((line) => console.error(line));
      const server = await startServer("paris");
      try {
        const recording = new Recording(name);
        const untouched = await files(server);
        await recording.layDown(server);
        const stack = new Stack({
          cli,
          project: makeProject(folder, recording.program),
          name: "paris",
          folder,
          config: { [CONFIGURATION_KEY]: connectionTo(server) },
          env: { PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey },
        });
        await stack.init();
        const state = join(folder, "recorded.json");
        await recording.writeState(server, state);
        succeeded(await stack.pulumi("stack", "import", "--file", state));

        const [tuned, alive] = [await files(server), await lifetimes(server)];
        succeeded(await stack.pulumi("preview", "--diff"));
        succeeded(await stack.pulumi("up", "--yes", "--skip-preview"));
        assert.deepEqual([await files(server), await lifetimes(server)], [tuned, alive]);
        succeeded(await stack.pulumi("preview", "--expect-no-changes"));

        succeeded(await stack.pulumi("destroy", "--yes", "--skip-preview"));
        assert.deepEqual(await files(server), untouched);
        assert.equal((await server.exec("test -e /srv/wapt-uploads")).code, 1);
        assert.equal((await server.exec("test -e /var/lib/pulumi-wapt/record.json")).code, 1);
      } finally {
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});
