/** The folders that a transaction makes, sets right and removes, by each shell. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Plan } from "../../provider/transaction/plan";
import { apply, changing, disturb, imageOf, shells, to } from "../support/image";
import { localRemote } from "../support/local-remote";

const A = "/etc/a.conf";
const UNDONE = /Everything was put back as it was$/;

const wanting = (path: string, kilobytes = 1): Plan => ({
  ...changing(to(A, "old", "new")),
  folders: [{ path, mode: "700", owner: "nobody-here", selinuxType: "any_t", minFree: { kilobytes, text: "so much" } }],
});

/** An access ACL and a default one as the kernel has them: version 2, then tag, rights and id of each entry. */
const ACL = `
import os, struct, sys
NOBODY = 0xffffffff
def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
os.setxattr(sys.argv[1], "system.posix_acl_access",
    acl((1, 7, NOBODY), (2, 5, 65534), (4, 5, NOBODY), (16, 5, NOBODY), (32, 0, NOBODY)))
os.setxattr(sys.argv[1], "system.posix_acl_default",
    acl((1, 7, NOBODY), (2, 7, 65534), (4, 0, NOBODY), (16, 7, NOBODY), (32, 0, NOBODY)))
`;
const READ_ACL = `
import os, sys
print([os.getxattr(sys.argv[1], "system.posix_acl_" + which).hex() for which in ("access", "default")])
`;
const python = (program: string, path: string) => execFileSync("python3", ["-c", program, path], { encoding: "utf8" });

for (const shell of shells) {
  const remote = localRemote(shell);

  describe(`folders, by ${shell.join(" ")}`, () => {
    it("are made with their mode, and go again when the run fails", async (context) => {
      const { root, at, mode } = imageOf(context, { [A]: "old", "/srv/file": "" });
      assert.equal((await disturb(remote, root, wanting("/srv/up"), /^put/, `echo >'${at(A)}'`)).result, "changed");
      assert.ok(!existsSync(at("/srv/up")));
      writeFileSync(at(A), "old");
      const { result, notes } = await apply(remote, root, wanting("/srv/up"));
      assert.deepEqual([result, mode("/srv/up")], ["ok", "700"]);
      assert.match(notes.join(), /has no user nobody-here, so the owner was left as it is/);
    });

    it("that were there have their mode again when the run fails", async (context) => {
      const { root, at, mode } = imageOf(context, { [A]: "old", "/srv/up/upload": "" });
      chmodSync(at("/srv/up"), 0o751);
      const { reason } = await disturb(remote, root, wanting("/srv/up"), /^put/, `echo >'${at(A)}'`);
      assert.match(reason, UNDONE);
      assert.equal(mode("/srv/up"), "751");
    });

    it("are refused where there is no parent, no space, or something else", async (context) => {
      const { root } = imageOf(context, { [A]: "old", "/srv/file": "" });
      const reason = async (what: Plan) => (await apply(remote, root, what)).reason;
      assert.match(await reason(wanting("/mnt/up")), /the folder \/mnt does not exist; mount or make it first/);
      assert.match(await reason(wanting("/srv/file")), /\/srv\/file is there and is no folder/);
      assert.match(await reason(wanting("/srv/up", 1e12)), /\/srv\/up: .* has \d+ MiB free, minFree asks for so much/);
    });

    it("that stood there first have their mode again when they are given back", async (context) => {
      const { root, at, mode } = imageOf(context, { [A]: "old", "/srv/up/x": "" });
      chmodSync(at("/srv/up"), 0o700);
      const owner = `${process.getuid!()}:${process.getgid!()}`;
      const what = { ...changing(to(A, "old", "new")), returnedFolders: [{ path: "/srv/up", mode: "751", owner }] };
      const { reason } = await disturb(remote, root, what, /^finish/, "kill -TERM $$; sleep 0.1");
      assert.match(reason, UNDONE);
      assert.equal(mode("/srv/up"), "700");
      assert.equal((await apply(remote, root, what)).result, "ok");
      assert.equal(mode("/srv/up"), "751");
    });

    it("keep their ACL: nobody whom it names may enter meanwhile, and it counts again when they are given back", async (context) => {
      const { root, at, mode } = imageOf(context, { [A]: "old", "/srv/up/x": "" });
      rmSync(at("/srv/up/x"));
      python(ACL, at("/srv/up"));
      const stood = python(READ_ACL, at("/srv/up"));
      assert.equal(mode("/srv/up"), "750");
      assert.equal((await apply(remote, root, wanting("/srv/up"))).result, "ok");
      // The group's rights are the mask of all whom an ACL names: none.
      assert.equal(mode("/srv/up"), "700");
      assert.notEqual(python(READ_ACL, at("/srv/up")), stood);
      const owner = `${process.getuid!()}:${process.getgid!()}`;
      const back = { ...changing(to(A, "new", "old")), returnedFolders: [{ path: "/srv/up", mode: "750", owner }] };
      assert.equal((await apply(remote, root, back)).result, "ok");
      assert.equal(python(READ_ACL, at("/srv/up")), stood);
    });

    it("that a resource made go when they are empty, and come back when the run fails", async (context) => {
      const { root, at, mode } = imageOf(context, { [A]: "old", "/srv/used/upload": "", "/srv/empty/x": "" });
      rmSync(at("/srv/empty/x"));
      chmodSync(at("/srv/empty"), 0o710);
      const what = { ...changing(to(A, "old", "new")), removedFolders: ["/srv/empty", "/srv/used"] };
      const { reason } = await disturb(remote, root, what, /^finish/, "kill -TERM $$; sleep 0.1");
      assert.match(reason, UNDONE);
      assert.equal(mode("/srv/empty"), "710");
      const { result, notes } = await apply(remote, root, what);
      assert.deepEqual([result, notes], ["ok", ["/srv/used is not empty: left as it is"]]);
      assert.deepEqual(readdirSync(at("/srv")), ["used"]);
    });
  });
}
