import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { sysctl, sysctlOrder } from "../../../provider/services/kernel/sysctl";
import { FormatError } from "../../../provider/text/format";
import { testCorpus } from "../../support/line-corpus";
import { edit } from "../../support/lossless";

const ROOT = "/etc/sysctl.d/wapt.conf";

testCorpus(sysctl, join(__dirname, "corpus/sysctl"), ROOT);

test("a file that does not exist is created, and has no bytes left when its settings are removed", () => {
  const tree = { root: ROOT, files: new Map<string, string>() };
  const created = edit(sysctl, tree, { "net.core.somaxconn": "7500", "net.ipv4.tcp_max_syn_backlog": "7500" });
  const text = "net.core.somaxconn = 7500\nnet.ipv4.tcp_max_syn_backlog = 7500\n";
  assert.deepEqual(created, new Map([[ROOT, text]]));
  const none = { "net.core.somaxconn": null, "net.ipv4.tcp_max_syn_backlog": null };
  assert.deepEqual(edit(sysctl, { root: ROOT, files: created }, none), new Map([[ROOT, ""]]));
  assert.deepEqual(edit(sysctl, tree, none), new Map());
});

test("what no line can say is refused", () => {
  const tree = { root: ROOT, files: new Map([[ROOT, "net.core.somaxconn = 1\n"]]) };
  for (const value of ["1\n2", " 2", "2 ", "2\r", "2\0", "2 # raised", "2\u20ac"]) {
    assert.throws(() => edit(sysctl, tree, { "net.core.somaxconn": value }), FormatError, JSON.stringify(value));
  }
  for (const key of ["net.core.somaxconn = 1\nx", "-net.core.x", "#x", "net.core.*", "a..b", " a.b", ""]) {
    assert.throws(() => edit(sysctl, tree, { [key]: "5" }), FormatError, JSON.stringify(key));
  }
});

describe("sysctlOrder", () => {
  test("later file names of all folders, then /etc/sysctl.conf", () => {
    const paths = [
      "/etc/sysctl.conf",
      "/usr/lib/sysctl.d/zz-vendor.conf",
      "/etc/sysctl.d/x.conf",
      "/usr/lib/sysctl.d/50-pid-max.conf",
      "/etc/sysctl.d/99-sysctl.conf",
      "/run/sysctl.d/yy.conf",
    ];
    const after = [
      "/etc/sysctl.d/x.conf",
      "/run/sysctl.d/yy.conf",
      "/usr/lib/sysctl.d/zz-vendor.conf",
      "/etc/sysctl.conf",
    ];
    assert.deepEqual(sysctlOrder(paths, ROOT).after, after);
    assert.deepEqual(sysctlOrder([...paths, ROOT], ROOT).after, after);
  });

  test("a file masks those of its name in later folders", () => {
    const paths = [
      "/lib/sysctl.d/x.conf",
      "/usr/lib/sysctl.d/x.conf",
      "/usr/local/lib/sysctl.d/x.conf",
      "/run/sysctl.d/x.conf",
    ];
    assert.deepEqual(sysctlOrder([...paths, "/etc/sysctl.d/x.conf"], ROOT).after, ["/etc/sysctl.d/x.conf"]);
    assert.deepEqual(sysctlOrder(paths, ROOT).after, ["/run/sysctl.d/x.conf"]);
    assert.deepEqual(sysctlOrder(["/usr/lib/sysctl.d/wapt.conf"], ROOT).after, []);
  });

  test("bytes sort as numbers, and only *.conf files of the folders count", () => {
    const paths = [
      "/etc/sysctl.d/wapta.conf",
      "/etc/sysctl.d/Z.conf",
      "/etc/sysctl.d/wapt-2.conf",
      "/etc/sysctl.d/zz.conf~",
    ];
    assert.deepEqual(sysctlOrder([...paths, "/etc/sysctl.d/sub/zz.conf", "/tmp/zz.conf"], ROOT).after, [
      "/etc/sysctl.d/wapta.conf",
    ]);
  });
});
