/** What every run leaves on a server is removed, and only once nothing is owned there; by each shell that is there. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { services } from "../../provider/services";
import { removeRemains } from "../../provider/transaction/removal";
import { apply, plan, shells } from "../support/image";
import { localRemote, snapshot, untunedServer } from "../support/local-remote";

const STATE = "var/lib/pulumi-wapt";
const BACKUPS = "var/backups/pulumi-wapt";

/** Waits until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await isSo())) assert.ok(Date.now() < deadline, "it did not come to be so");
}

for (const shell of shells) {
  describe(`what stays on a server, by ${shell.join(" ")}`, () => {
    async function tuned(context: TestContext) {
      const root = untunedServer(context);
      const remote = localRemote(shell);
      const untouched = snapshot(root);
      assert.equal((await apply(remote, root, await plan(remote, root, 2500))).result, "ok");
      return { root, remote, untouched };
    }

    it("is refused as long as a resource owns something there, which is named with its owner", async (context) => {
      const { root, remote } = await tuned(context);
      const before = readdirSync(join(root, STATE));
      await assert.rejects(
        removeRemains(remote, services, root),
        /still owned on it by organization\/wapt-site\/paris \(WaptServer paris\): .*max_connections.*Destroy that first/,
      );
      assert.deepEqual(readdirSync(join(root, STATE)), before);
      assert.ok(existsSync(join(root, BACKUPS)));
    });

    it("goes whole after a destroy, and nothing else does", async (context) => {
      const { root, remote, untouched } = await tuned(context);
      assert.equal((await apply(remote, root, await plan(remote, root, 2500, "restore"))).result, "ok");
      assert.deepEqual([existsSync(join(root, STATE)), existsSync(join(root, BACKUPS))], [true, true]);
      assert.deepEqual(await removeRemains(remote, services, root), [`/${STATE}`, `/${BACKUPS}`]);
      assert.deepEqual([existsSync(join(root, STATE)), existsSync(join(root, BACKUPS))], [false, false]);
      assert.deepEqual(snapshot(root), untouched);
      assert.deepEqual(await removeRemains(remote, services, root), [], "nothing is there, and nothing is made");
      assert.equal(existsSync(join(root, STATE)), false);
    });

    it("is refused where a run was cut off and left something to do", async (context) => {
      const { root, remote } = await tuned(context);
      await apply(remote, root, await plan(remote, root, 2500, "restore"));
      writeFileSync(join(root, STATE, "journal"), "stopped waptserver 1 2\n");
      await assert.rejects(removeRemains(remote, services, root), /a run on it was cut off/);
      assert.ok(existsSync(join(root, BACKUPS)));
    });

    it("is removed while another run waits for its lock, which then takes the new one and not the one that is gone", async (context) => {
      const { root, remote } = await tuned(context);
      await apply(remote, root, await plan(remote, root, 2500, "restore"));
      const lock = join(root, STATE, "lock");
      const next = await plan(remote, root, 2500);
      // As uninstall does it: whoever holds the lock takes it away, and its folder.
      const removal = remote.run(
        `exec 9<>'${lock}'; flock 9; echo held; sleep 2.5; rm -rf '${join(root, STATE)}'; sleep 0.5\n`,
      );
      await until(async () => (await remote.run(`flock -n '${lock}' true\n`)).code !== 0);
      const waiting = apply(remote, root, next);
      await removal;
      const { result, reason } = await waiting;
      assert.equal(result, "ok", reason);
      // Where the next run looks for it.
      assert.ok(existsSync(lock) && existsSync(join(root, STATE, "record.json")));
    });

    it("is not followed where a folder of it is a link", async (context) => {
      const { root, remote } = await tuned(context);
      await apply(remote, root, await plan(remote, root, 2500, "restore"));
      mkdirSync(join(root, "srv/other"));
      writeFileSync(join(root, "srv/other/kept"), "kept");
      const link = untunedServer(context);
      for (const path of [STATE, "var/backups"]) mkdirSync(join(link, path), { recursive: true });
      symlinkSync(join(root, "srv/other"), join(link, BACKUPS));
      await assert.rejects(removeRemains(localRemote(shell), services, link), /can't be/);
      assert.ok(existsSync(join(root, "srv/other/kept")));
    });
  });
}
