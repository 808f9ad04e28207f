/** The old versions that a transaction keeps, by each shell. */
import assert from "node:assert/strict";
import { chmodSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { apply, changing, disturb, imageOf, shells, to } from "../support/image";
import { localRemote } from "../support/local-remote";

const A = "/etc/a.conf";
const BACKUPS = "/var/backups/pulumi-wapt";

for (const shell of shells) {
  const remote = localRemote(shell);
  const backups = (root: string) => readdirSync(join(root, BACKUPS, "etc")).sort();

  describe(`backups, by ${shell.join(" ")}`, () => {
    it("are the last five versions, each with its mode", async (context) => {
      const { root, at, read, write } = imageOf(context, { [A]: "0" });
      chmodSync(at(A), 0o640);
      for (let version = 0; version < 8; version++) {
        // Set back each time: the clock does not tell which version is the newest.
        const clock = `date() { echo 20300101T00000${9 - version}Z; }`;
        const what = changing(to(A, String(version), String(version + 1)));
        assert.equal((await disturb(remote, root, what, /^file/, clock)).result, "ok");
        if (version === 0) write(`${BACKUPS}/etc/a.conf.bak`, "not ours");
      }
      const names = [3, 4, 5, 6, 7].map((version) => `a.conf.00000${version + 1}.20300101T00000${9 - version}Z`);
      assert.deepEqual(backups(root), [...names, "a.conf.bak"]);
      assert.equal(names.map((name) => read(`${BACKUPS}/etc/${name}`)).join(""), "34567");
      assert.ok(names.every((name) => (statSync(at(`${BACKUPS}/etc/${name}`)).mode & 0o777) === 0o640));
      assert.equal(statSync(at(BACKUPS)).mode & 0o077, 0);
    });

    it("of the same second are all kept", async (context) => {
      const { root, read } = imageOf(context, { [A]: "0" });
      for (const version of [0, 1, 2]) await apply(remote, root, changing(to(A, String(version), String(version + 1))));
      const texts = backups(root).map((name) => read(`${BACKUPS}/etc/${name}`));
      assert.equal(texts.join(""), "012");
      assert.ok(backups(root).every((name) => /^a\.conf\.00000\d\.\d{8}T\d{6}Z$/.test(name)));
    });

    it("of 0.1.0, which have no number, are older than any other", async (context) => {
      const earlier = [1, 2, 3, 4].map((second) => `a.conf.20991231T23595${second}Z`);
      const files = earlier.map((name) => [`${BACKUPS}/etc/${name}`, "earlier"] as const);
      const { root, read } = imageOf(context, { [A]: "0", ...Object.fromEntries(files) });
      for (const version of [0, 1]) await apply(remote, root, changing(to(A, String(version), String(version + 1))));
      const names = backups(root);
      assert.deepEqual(names.slice(2), earlier.slice(1));
      assert.deepEqual(
        names.slice(0, 2).map((name) => read(`${BACKUPS}/etc/${name}`)),
        ["0", "1"],
      );
    });

    it("are not pushed out by runs that fail", async (context) => {
      const { root } = imageOf(context, { [A]: "old", "/etc/b.conf": "old" });
      const what = changing(to(A, "old", "new"), to("/etc/b.conf", "other", "new"));
      for (let attempt = 0; attempt < 3; attempt++) assert.equal((await apply(remote, root, what)).result, "changed");
      assert.equal(backups(root).length, 1);
    });
  });
}
