/** What a transaction does with files, by each shell, in a folder of their own. */
import assert from "node:assert/strict";
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { apply, changing, disturb, imageOf, rest, shells, to } from "../support/image";
import { localRemote, snapshot } from "../support/local-remote";

const A = "/etc/a.conf";
const B = "/etc/b.conf";
const STATE = "/var/lib/pulumi-wapt";
const RECORD = '{"version":1,"settings":{"x":{"stack":"s","resource":"r","id":"i","value":"1","before":null}}}';

for (const shell of shells) {
  const remote = localRemote(shell);

  describe(`a transaction's files, by ${shell.join(" ")}`, () => {
    it("have the new bytes and their old mode; new ones are readable by all, the record by root alone", async (context) => {
      const { root, read, mode, at } = imageOf(context, { [A]: "old\r\n\xff" });
      chmodSync(at(A), 0o640);
      const record = to(`${STATE}/record.json`, undefined, RECORD);
      const text = "\x00\xe9\n".repeat(100_000);
      const outcome = await apply(
        remote,
        root,
        changing(to(A, "old\r\n\xff", text), to(B, undefined, "new\n"), record),
      );
      assert.deepEqual(outcome, { result: "ok", reason: "", notes: [] });
      assert.ok(read(A) === text);
      assert.equal(read(B), "new\n");
      assert.deepEqual(JSON.parse(read(record.path)), JSON.parse(RECORD));
      assert.deepEqual([mode(A), mode(B), mode(record.path)], ["640", "644", "600"]);
      assert.deepEqual(rest(root), ["etc", "etc/a.conf", "etc/b.conf", "var", "var/lib"]);
      assert.deepEqual(readdirSync(at(STATE)).sort(), ["lock", "record.json"]);
    });

    it("may have any name", async (context) => {
      const path = '/etc/it\'s a $(name) with \\ and [a-z]* "é"/x.conf';
      const { root, read, at } = imageOf(context, { [path]: "old" });
      assert.equal((await apply(remote, root, changing(to(path, "old", "new")))).result, "ok");
      assert.equal(read(path), "new");
      assert.deepEqual(readdirSync(dirname(at(path))), ["x.conf"]);
      assert.equal(readdirSync(dirname(at(`/var/backups/pulumi-wapt${path}`))).length, 1);
    });

    it("are edited where a link leads, never outside of the root", async (context) => {
      const { root, at, read } = imageOf(context, { "/srv/real.conf": "old" });
      mkdirSync(at("/etc"));
      symlinkSync("../srv/real.conf", at(A));
      assert.equal((await apply(remote, root, changing(to(A, "old", "new")))).result, "ok");
      assert.deepEqual([lstatSync(at(A)).isSymbolicLink(), read("/srv/real.conf")], [true, "new"]);
      symlinkSync("/etc/hostname", at(B));
      assert.match((await apply(remote, root, changing(to(B, "x", "new")))).reason, /^\/etc\/b.conf is a link out of /);
      symlinkSync("nowhere/else", at("/etc/c.conf"));
      assert.match((await apply(remote, root, changing(to("/etc/c.conf", undefined, "new")))).reason, /leads nowhere/);
    });

    it("come with the folders they need, which go again when the run fails", async (context) => {
      const { root, mode } = imageOf(context, { [A]: "old" });
      const path = "/usr/lib/new/deep/x.conf";
      const failed = await apply(remote, root, changing(to(path, undefined, "new"), to(A, "other", "new")));
      assert.equal(failed.result, "changed");
      assert.deepEqual(rest(root), ["etc", "etc/a.conf", "var", "var/lib"]);
      assert.equal((await apply(remote, root, changing(to(path, undefined, "new")))).result, "ok");
      assert.deepEqual([mode("/usr"), mode("/usr/lib/new/deep")], ["755", "755"]);
    });

    it("go when nothing is left in them, and a folder of drop-ins with its last one", async (context) => {
      const last = [
        "/etc/x.service.d/zz.conf",
        "/etc/x.conf.d/zz.conf",
        "/etc/sysctl.d/zz.conf",
        "/etc/y.service.d/zz.conf",
      ];
      const { root } = imageOf(context, {
        ...Object.fromEntries(last.map((path) => [path, "old"])),
        "/etc/y.service.d/other.conf": "",
      });
      assert.equal(
        (await apply(remote, root, changing(...last.map((path) => to(path, "old", undefined))))).result,
        "ok",
      );
      const kept = ["etc", "etc/sysctl.d", "etc/y.service.d", "etc/y.service.d/other.conf", "var", "var/lib"];
      assert.deepEqual(rest(root), kept);
    });

    it("are left alone when one was changed since it was planned on", async (context) => {
      const { root, at } = imageOf(context, { [A]: "old", [B]: "changed" });
      const { result, reason } = await apply(remote, root, changing(to(A, "old", "new"), to(B, "old", "new")));
      assert.equal(result, "changed");
      assert.equal(reason, `${B} was changed by someone else while this run was planned; repeat it`);
      assert.deepEqual(rest(root), ["etc", "etc/a.conf", "etc/b.conf", "var", "var/lib"]);
      assert.equal((await apply(remote, root, changing(to(B, undefined, "new")))).result, "changed");
      rmSync(at(B));
      assert.equal((await apply(remote, root, changing(to(B, "old", "new")))).result, "changed");
    });

    it("are all put back when a later step fails: changed, new and removed ones", async (context) => {
      const late = "/etc/late.conf";
      const { root, mode, at } = imageOf(context, { [A]: "old", "/etc/gone.conf": "old", [late]: "old" });
      mkdirSync(at("/var/lib"), { recursive: true });
      chmodSync(at(A), 0o600);
      const untouched = snapshot(root);
      const gone = to("/etc/gone.conf", "old", undefined);
      const what = changing(to(A, "old", "new"), to(B, undefined, "new"), gone, to(late, "old", "new"));
      const { result, reason } = await disturb(remote, root, what, /^put .*late/, `echo by hand >>'${at(late)}'`);
      assert.equal(result, "changed");
      assert.match(reason, /late.conf was changed by someone else during this run.*Everything was put back as it was$/);
      writeFileSync(at(late), "old");
      assert.deepEqual(snapshot(root), untouched);
      assert.equal(mode(A), "600");
    });

    it("are put back by a run that is told to end", async (context) => {
      const { root, read } = imageOf(context, { [A]: "old", [B]: "old" });
      const what = changing(to(A, "old", "new"), to(B, "old", "new"));
      const { reason } = await disturb(remote, root, what, /^put .*b.conf/, "kill -TERM $$");
      assert.equal(reason, "this run was told to end (SIGTERM). Everything was put back as it was");
      assert.deepEqual([read(A), read(B)], ["old", "old"]);
    });

    it("are not written where the state can't be", async (context) => {
      const { root, read } = imageOf(context, { [A]: "old", "/var/lib": "a file" });
      const { result, reason } = await apply(remote, root, changing(to(A, "old", "new")));
      assert.equal(result, "refused");
      assert.match(reason, new RegExp(`^${join(root, STATE)} can't be written: `));
      assert.equal(read(A), "old");
    });
  });
}
