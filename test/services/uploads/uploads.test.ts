/** What is said of a folder for uploads that nginx does not see as root does. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FolderView, uploads, viewProblems } from "../../../provider/services/uploads/uploads";
import { Facts } from "../../../provider/transaction/report";

describe("what nginx sees of a folder for uploads", () => {
  const GOOD = { there: "same", access: "writable", here: "writable", user: "www-data", enters: "yes", writes: "yes" };
  const reason = (more: Partial<typeof GOOD>, stands: boolean, at = "/srv", confined = "") => {
    const [seen, ...rest] = Object.values({ ...GOOD, ...more });
    const facts = new Facts([
      ["view", "/srv/up", at, seen!, ...rest],
      ["confined", confined],
    ]);
    return viewProblems("/srv/up", "nginx", uploads.parse(facts, new Map(), ""), stands)[0]?.reason;
  };

  it("is nothing to speak of where it may write", () => {
    assert.equal(reason({}, true, "/srv/up"), undefined);
    assert.equal(reason({ writes: "no" }, false), undefined);
    assert.equal(reason({ writes: "no" }, false, "/srv/up"), undefined);
    assert.deepEqual(
      viewProblems("/srv/up", "nginx", { views: new Map<string, FolderView>(), confined: [] }, true),
      [],
    );
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
      /root can't write to \/srv: its file system is mounted read-only/,
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
