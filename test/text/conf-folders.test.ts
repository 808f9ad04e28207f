import assert from "node:assert/strict";
import { test } from "node:test";
import { foldersOrder } from "../../provider/text/conf-folders";

const FOLDERS = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d"];
const ROOT = "/etc/sysctl.d/wapt.conf";
const order = (...paths: string[]) => foldersOrder(paths, ROOT, FOLDERS);

test("files are read by their names, whichever folder holds them", () => {
  assert.deepEqual(order("/usr/lib/sysctl.d/50.conf", "/run/sysctl.d/x.conf", ROOT, "/etc/sysctl.d/10.conf"), {
    before: ["/etc/sysctl.d/10.conf", "/usr/lib/sysctl.d/50.conf"],
    after: ["/run/sysctl.d/x.conf"],
  });
});

test("of one name the first folder's is read, in whatever order they were found", () => {
  const [etc, run, usr] = FOLDERS.map((folder) => `${folder}/10.conf`) as [string, string, string];
  for (const [paths, read] of [
    [[etc, run], etc],
    [[run, etc], etc],
    [[usr, run], run],
    [[usr, etc, run], etc],
  ] as const)
    assert.deepEqual(order(...paths), { before: [read], after: [] });
});

test("what is no *.conf, and what is in another folder, is not read", () => {
  assert.deepEqual(order("/etc/sysctl.d/README", "/etc/sysctl.d/10.conf.bak", "/etc/other.d/10.conf"), {
    before: [],
    after: [],
  });
});

test("a file that is read in place of the own one is refused, one that is hidden by it is not", () => {
  const folders = ["/first.d", ...FOLDERS];
  assert.throws(() => foldersOrder(["/first.d/wapt.conf"], ROOT, folders), {
    name: "FormatError",
    message: `/first.d/wapt.conf:1: this file is read in place of ${ROOT}; remove or rename it`,
  });
  assert.deepEqual(order("/run/sysctl.d/wapt.conf", ROOT), { before: [], after: [] });
});
