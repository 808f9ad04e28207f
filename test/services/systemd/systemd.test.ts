import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { dropInOrder, limitNofile, dropIn as systemd } from "../../../provider/services/systemd/drop-in";
import { FormatError } from "../../../provider/text/format";
import { testCorpus } from "../../support/line-corpus";
import { edit } from "../../support/lossless";

const FOLDER = "/etc/systemd/system/nginx.service.d";
const ROOT = `${FOLDER}/wapt.conf`;
const KEY = "Service.LimitNOFILE";

testCorpus(systemd, join(__dirname, "corpus"), ROOT);

test("a drop-in that does not exist is created, and has no bytes left when its setting is removed", () => {
  const tree = { root: ROOT, files: new Map<string, string>() };
  const created = edit(systemd, tree, { [KEY]: "32768" });
  assert.deepEqual(created, new Map([[ROOT, "[Service]\nLimitNOFILE=32768\n"]]));
  assert.deepEqual(edit(systemd, { root: ROOT, files: created }, { [KEY]: null }), new Map([[ROOT, ""]]));
  assert.deepEqual(edit(systemd, tree, { [KEY]: null }), new Map());
});

test("what no drop-in can say is refused", () => {
  const tree = { root: ROOT, files: new Map([[ROOT, "[Service]\nLimitNOFILE=5\nUser=x\n"]]) };
  for (const value of ["", "32K", "9:5", "5\n", " 6", "many"]) {
    assert.throws(() => edit(systemd, tree, { [KEY]: value }), FormatError, JSON.stringify(value));
  }
  for (const value of ["", "a\nb", " a", "a\\", "a\0b", "\xe9"]) {
    assert.throws(() => edit(systemd, tree, { "Service.User": value }), FormatError, JSON.stringify(value));
  }
  for (const key of ["LimitNOFILE", "Service.", ".LimitNOFILE", "Service.A.B", "Service].A", "Service.A=5\nB"]) {
    assert.throws(() => edit(systemd, tree, { [key]: "5" }), FormatError, key);
    assert.throws(() => systemd.read(tree, [key]), FormatError, key);
  }
});

test("a statement of more than 1 MiB ends the file for systemd", () => {
  const long = {
    root: ROOT,
    files: new Map([[ROOT, `[Service]\nEnvironment=${"x\\\n".repeat(600_000)}\nLimitNOFILE=5\n`]]),
  };
  assert.deepEqual(systemd.read(long, [KEY]), {});
  assert.throws(() => edit(systemd, long, { [KEY]: "5" }), FormatError);
});

describe("dropInOrder", () => {
  test("later file names of all folders", () => {
    const paths = [
      "/usr/lib/systemd/system/nginx.service.d/zz.conf",
      `${FOLDER}/nginx_worker_files_limit.conf`,
      "/run/systemd/system/nginx.service.d/x.conf",
      `${FOLDER}/wapta.conf`,
      `${FOLDER}/zz.conf~`,
      "/tmp/nginx.service.d/zz.conf",
    ];
    const after = [`${FOLDER}/wapta.conf`, "/run/systemd/system/nginx.service.d/x.conf", paths[0]];
    assert.deepEqual(dropInOrder(paths, ROOT), after);
    assert.deepEqual(dropInOrder([...paths, ROOT], ROOT), after);
  });

  test("a file masks those of its name in later folders, those for all services last", () => {
    const [own, run, vendor, all] = [
      `${FOLDER}/x.conf`,
      "/run/systemd/system/nginx.service.d/x.conf",
      "/usr/lib/systemd/system/nginx.service.d/x.conf",
      "/etc/systemd/system/service.d/x.conf",
    ];
    assert.deepEqual(dropInOrder([all, vendor, run, own], ROOT), [own]);
    assert.deepEqual(dropInOrder([all, vendor, run], ROOT), [run]);
    assert.deepEqual(dropInOrder([all, vendor], ROOT), [vendor]);
    assert.deepEqual(dropInOrder([all], ROOT), [all]);
  });

  test("a file in place of the root is refused", () => {
    const mask = "/etc/systemd/system.control/nginx.service.d/wapt.conf";
    assert.throws(() => dropInOrder([mask], ROOT), {
      message: `${mask}:1: systemd reads this file in place of ${ROOT}; remove or rename it`,
    });
    assert.deepEqual(dropInOrder(["/run/systemd/system/nginx.service.d/wapt.conf"], ROOT), []);
  });
});

test("limitNofile", () => {
  assert.deepEqual(limitNofile("32768"), { soft: 32768, hard: 32768 });
  assert.deepEqual(limitNofile("1024:524288"), { soft: 1024, hard: 524288 });
  assert.deepEqual(limitNofile("infinity"), { soft: "infinity", hard: "infinity" });
  assert.deepEqual(limitNofile("0x10:infinity"), { soft: 16, hard: "infinity" });
  assert.deepEqual(limitNofile("0O 12"), { soft: 10, hard: 10 });
  assert.deepEqual(limitNofile("0b +11"), { soft: 3, hard: 3 });
  for (const ignored of [
    "",
    "32K",
    "1M",
    "-1",
    "5:",
    ":5",
    "6:5",
    "infinity:5",
    "5:6:7",
    "08",
    "0o-1",
    "0x 1",
    "five",
    "18446744073709551615",
  ]) {
    assert.equal(limitNofile(ignored), undefined, ignored);
  }
});
