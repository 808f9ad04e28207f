/** Which folders may be given to nginx's uploads. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NginxState } from "../../../provider/services/nginx/nginx";
import {
  type FolderView,
  uploads,
  uploadsNow,
  uploadsProblems,
  viewProblems,
} from "../../../provider/services/nginx/uploads";
import type { FolderState } from "../../../provider/transaction/observation";
import { Facts } from "../../../provider/transaction/report";

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

describe("what nginx sees of a folder for uploads", () => {
  const GOOD = { there: "same", access: "writable", here: "writable", user: "www-data", enters: "yes", writes: "yes" };
  const nginx = { unit: "nginx" } as NginxState;
  const reason = (more: Partial<typeof GOOD>, stands: boolean, at = "/srv", confined = "") => {
    const [seen, ...rest] = Object.values({ ...GOOD, ...more });
    const facts = new Facts([
      ["view", "/srv/up", at, seen!, ...rest],
      ["confined", confined],
    ]);
    return viewProblems("/srv/up", nginx, uploads.parse(facts, new Map(), ""), stands)[0]?.reason;
  };

  it("is nothing to speak of where it may write", () => {
    assert.equal(reason({}, true, "/srv/up"), undefined);
    assert.equal(reason({ writes: "no" }, false), undefined);
    assert.equal(reason({ writes: "no" }, false, "/srv/up"), undefined);
    assert.deepEqual(viewProblems("/srv/up", nginx, { views: new Map<string, FolderView>(), confined: [] }, true), []);
  });

  it("may be read-only by the unit, which is named with what to add to it", () => {
    const confined = "ProtectSystem=strict\nProtectHome=no\nReadOnlyPaths=\nPrivateTmp=yes";
    const text = reason({ access: "read-only" }, false, "/srv", confined) ?? "";
    assert.match(
      text,
      /^\/srv\/up: \/srv is read-only for nginx: the unit nginx confines it \(ProtectSystem=strict, PrivateTmp=yes\)/,
    );
    assert.match(text, /systemctl edit nginx: under \[Service\] a line ReadWritePaths=/);
  });

  it("may be hidden by the unit, or read-only for all", () => {
    const confined = "TemporaryFileSystem=/srv";
    assert.match(
      reason({ there: "other" }, false, "/srv", confined) ?? "",
      /nginx sees something else at \/srv: the unit nginx hides it \(TemporaryFileSystem=\/srv\)/,
    );
    assert.match(
      reason({ access: "read-only", here: "read-only" }, false) ?? "",
      /\/srv is on a file system mounted read-only/,
    );
  });

  it("may be out of reach for its user, before it is made and after", () => {
    assert.match(
      reason({ enters: "no", writes: "no" }, false) ?? "",
      /nginx's user www-data can't enter \/srv: give it the right/,
    );
    assert.match(reason({ writes: "no" }, true, "/srv/up") ?? "", /nginx's user www-data can't write there/);
    assert.equal(reason({ enters: "no", writes: "no", user: "" }, false), undefined);
  });
});
