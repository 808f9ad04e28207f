/** Which files are the administrator's own: those of /etc that no package has. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { describe, it } from "node:test";
import { imageOf, observe, shells } from "../support/image";
import { localRemote } from "../support/local-remote";
import { belongsTo } from "../support/newer-guide";

const KEY = "net.core.somaxconn = 128\n";
const FILES = {
  "/etc/sysctl.d/site's own.conf": KEY,
  "/etc/sysctl.d/packed.conf": KEY,
  "/etc/sysctl.conf": KEY,
  "/usr/lib/sysctl.d/vendor.conf": KEY,
  "/usr/share/site.conf": KEY,
};

describe("a file is the administrator's own", () => {
  for (const shell of shells) {
    it(`in a folder of /etc, of no package, and no link to elsewhere: ${shell.join(" ")}`, async (context) => {
      const { root, at } = imageOf(context, FILES);
      symlinkSync("../../usr/share/site.conf", at("/etc/sysctl.d/linked.conf"));
      const remote = localRemote(shell);
      assert.deepEqual((await observe(remote, root)).own, new Set(), "nobody says whose the files are");
      belongsTo(root, "site", ["/etc", "/etc/sysctl.d", "/etc/sysctl.d/packed.conf"]);
      assert.deepEqual((await observe(remote, root)).own, new Set(["/etc/sysctl.d/site's own.conf"]));
    });
  }

  it("not where its path leads out of /etc", async (context) => {
    const conf = { "/etc/nginx/nginx.conf": "include ../../opt/x.d/*.conf;\n", "/opt/x.d/y.conf": "# of another's\n" };
    const { root } = imageOf(context, { ...FILES, ...conf });
    belongsTo(root, "site", ["/etc"]);
    const { files, own } = await observe(localRemote(), root);
    assert.equal(files.get("/etc/nginx/../../opt/x.d/y.conf"), "# of another's\n");
    assert.deepEqual(
      [...own].filter((path) => path.includes("..")),
      [],
    );
  });

  it("not where its package's list can't be read", async (context) => {
    const { root, at } = imageOf(context, FILES);
    mkdirSync(at("/var/lib/dpkg/info"), { recursive: true });
    mkdirSync(at("/var/lib/dpkg/status"));
    assert.deepEqual((await observe(localRemote(), root)).own, new Set());
  });
});
