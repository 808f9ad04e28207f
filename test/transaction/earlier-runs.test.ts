/** What a transaction makes of a run before it that was cut off, and of one that still works, by each shell. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { describe, it } from "node:test";
import { parseOutcome } from "../../provider/transaction/program";
import { apply, changing, disturbed, imageOf, journalHash, rest, shells, to } from "../support/image";
import { localRemote } from "../support/local-remote";

const A = "/etc/a.conf";
const STATE = "/var/lib/pulumi-wapt";
const change = changing(to(A, "old", "new"));

for (const shell of shells) {
  const remote = localRemote(shell);
  const journal = (...lines: string[]) => lines.map((line) => `${line}\n`).join("");

  describe(`an earlier run, by ${shell.join(" ")}`, () => {
    it("leaves nothing but what it had to do", async (context) => {
      const ours = { "/etc/.pulumi-wapt.f0.a.conf.new": "", "/etc/.pulumi-wapt.f0.a.conf.old": "" };
      const files = { [A]: "old", "/etc/b.conf": "", ...ours, [`${STATE}/journal.new`]: "half" };
      const { root, at, read, write } = imageOf(context, files);
      mkdirSync(at("/etc/empty.service.d"));
      const left = [...Object.keys(ours), "/etc/b.conf", "/etc/empty.service.d", "/etc"];
      const lines = left.map((path) => `temporary ${at(path)}`);
      write(`${STATE}/journal`, journal(...lines, "made /srv/up", "stopped waptserver"));
      const what = {
        ...changing(to(A, "other", "new")),
        journal: journalHash("made /srv/up", "stopped waptserver"),
      };
      assert.equal((await apply(remote, root, what)).result, "changed");
      assert.deepEqual(rest(root), ["etc", "etc/a.conf", "etc/b.conf", "var", "var/lib"]);
      assert.equal(read(`${STATE}/journal`), journal("made /srv/up", "stopped waptserver"));
      assert.ok(!existsSync(at(`${STATE}/journal.new`)));
    });

    it("is done with by one that goes well, and by no other", async (context) => {
      const left = "stopped waptserver boot 42\npending wapt restart";
      const { root, at, read } = imageOf(context, { [A]: "old", [`${STATE}/journal`]: `${left}\n` });
      const planned = { ...change, journal: journalHash(...left.split("\n")) };
      const failing = disturbed({ ...planned }, root, /^finish/, "fail refused 'for a test'");
      assert.equal(parseOutcome((await remote.run(failing)).stdout.toString("latin1")).result, "refused");
      assert.equal(read(`${STATE}/journal`), `${left}\n`);
      assert.equal((await apply(remote, root, planned)).result, "ok");
      assert.ok(!existsSync(at(`${STATE}/journal`)));
    });

    it("is noticed when it was at work after this one was planned", async (context) => {
      const { root, read, write } = imageOf(context, { [A]: "old", [`${STATE}/journal`]: "stopped waptserver\n" });
      assert.equal((await apply(remote, root, change)).result, "overtaken");
      write(`${STATE}/journal`, "");
      const planned = { ...change, journal: journalHash("stopped waptserver") };
      const { result, reason } = await apply(remote, root, planned);
      assert.equal(
        `${result}: ${reason}`,
        "overtaken: other runs were at work on the server while this one was planned; repeat it",
      );
      assert.equal(read(A), "old");
    });

    it("is waited for, and after that time it is said who it is", async (context) => {
      const lock = `${STATE}/lock`;
      const { root, at } = imageOf(context, { [A]: "old", [lock]: "the stack o/p/lyon, since 2030-01-01T00:00:00Z\n" });
      const hold = (seconds: number) => remote.run(`exec 9<>'${at(lock)}'; flock -n 9; sleep ${seconds}\n`);
      const impatient = disturbed(change, root, /^begin/, "").replace(" '120' ", " '1' ");
      const [, { stdout }] = await Promise.all([hold(2.5), remote.run(impatient)]);
      const { result, reason } = parseOutcome(stdout.toString("latin1"));
      assert.equal(result, "busy");
      assert.match(reason, /held the server's lock for 1 s: the stack o\/p\/lyon, since 2030-01-01T00:00:00Z\. Wait/);
      const [, waited] = await Promise.all([hold(0.5), apply(remote, root, change)]);
      assert.equal(waited.result, "ok");
    });

    it("that is killed leaves no temporary files, though no other run follows", async (context) => {
      const { root, at } = imageOf(context, { [A]: "old" });
      const { code } = await remote.run(disturbed(change, root, /^finish/, "kill -9 $$"));
      assert.notEqual(code, 0);
      const deadline = Date.now() + 20_000;
      while (existsSync(at(`${STATE}/journal`)) && Date.now() < deadline) await remote.run("sleep 0.2\n");
      assert.deepEqual(rest(root), ["etc", "etc/a.conf", "var", "var/lib"]);
    });
  });
}
