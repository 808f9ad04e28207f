/** Which folders may be given to nginx's uploads. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NginxState } from "../../../provider/services/nginx/nginx";
import { uploadsNow, uploadsProblems } from "../../../provider/services/nginx/uploads";
import type { FolderState } from "../../../provider/transaction/observation";

const state = (more: Partial<FolderState> = {}): FolderState => ({
  mode: "755",
  owner: "root",
  ids: "0:0",
  isFolder: true,
  real: "",
  entries: [],
  freeKilobytes: 1e9,
  ...more,
});

const reason = (path: string, more: Partial<FolderState> = {}, isInUse = false): string | undefined =>
  uploadsProblems(path, state({ real: path, ...more }), isInUse)[0]?.reason;

describe("a folder for uploads", () => {
  const system = [
    "/",
    "/etc",
    "/etc/nginx",
    "/usr/share/x",
    "/var",
    "/var/lib",
    "/var/www",
    "/srv",
    "/boot",
    "/lib64/x",
  ];
  for (const path of [...system, "/proc/1", "/run/x", "/home", "/root"]) {
    it(`is never ${path}`, () =>
      assert.match(reason(path) ?? "", /is a folder of the system: give a folder that is new/));
  }

  for (const path of ["/tmp", "/tmp/x", "/var/tmp/x"]) {
    it(`is never ${path}`, () => assert.match(reason(path) ?? "", /is emptied by the system from time to time/));
  }

  it("may be new, or empty, or the root of a file system that holds nothing", () => {
    assert.equal(uploadsProblems("/srv/up", undefined, false).length, 0);
    assert.equal(reason("/srv/up", { mode: undefined, isFolder: false }), undefined);
    assert.equal(reason("/srv/up"), undefined);
    assert.equal(reason("/mnt/disk", { entries: ["lost+found"] }), undefined);
    assert.equal(reason("/var/lib/wapt-uploads"), undefined);
  });

  it("is not one that holds something, by what it holds", () => {
    assert.equal(
      reason("/var/www/wapt", { entries: ["a.wapt", "b.wapt", "c.wapt", "d.wapt"] }),
      "/var/www/wapt is not empty, it holds a.wapt, b.wapt, c.wapt and more: give a folder that is new or empty, such as /srv/wapt-uploads",
    );
  });

  it("is not a package's, and no file", () => {
    assert.match(
      reason("/var/lib/postgresql", { package: "postgresql-common" }) ?? "",
      /belongs to the package postgresql-common/,
    );
    assert.match(reason("/srv/file", { isFolder: false }) ?? "", /is there and is no folder/);
  });

  it("is judged by where its links lead", () => {
    assert.match(reason("/srv/up", { real: "/etc" }) ?? "", /^\/srv\/up \(\/etc\) is a folder of the system/);
    assert.equal(reason("/srv/up", { real: "/data/uploads" }), undefined);
  });

  it("may be the one that nginx uses already", () => {
    assert.equal(reason("/var/lib/nginx/body", { package: "nginx-common", entries: ["0000000001"] }, true), undefined);
    const files = new Map([["/n.conf", "events { }\nhttp { client_body_temp_path /srv/up 1 2; }\n"]]);
    const nginx = { tree: { root: "/n.conf", files }, version: "" } as unknown as NginxState;
    assert.equal(uploadsNow(nginx), "/srv/up");
    const version = "configure arguments: --http-client-body-temp-path=/var/lib/nginx/body --x";
    const plain = {
      tree: { root: "/n.conf", files: new Map([["/n.conf", "events { }\n"]]) },
      version,
    } as unknown as NginxState;
    assert.equal(uploadsNow(plain), "/var/lib/nginx/body");
  });
});
