/** Where a setting of sysctl goes, what is refused by which words, and which files of a server are read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sysctl, sysctlOrder, sysctlTree } from "../../../provider/services/kernel/sysctl";
import { edit } from "../../support/lossless";

const ROOT = "/etc/sysctl.d/wapt.conf";
const KEY = "net.core.somaxconn";
const OVERRIDE = "/etc/sysctl.d/zzz-pulumi-wapt.conf";
const tree = (files: Record<string, string>, after: readonly string[] = []) => ({
  root: ROOT,
  files: new Map(Object.entries(files)),
  after,
});

describe("what decides a key", () => {
  const decided = (text: string) => sysctl.read(tree({ [ROOT]: text }), [KEY])[KEY]?.value;

  test("is its last assignment by name, and without one the last pattern", () => {
    assert.equal(decided("net.core.somaxconn = 1\nnet.core.somaxconn = 2\nnet.core.* = 3\n"), "2");
    assert.equal(decided("net.core.* = 3\nnet.*.somaxconn = 4\n"), "4");
    assert.equal(decided("kernel.pid_max = 3\n"), undefined);
  });

  test("is no pattern that an exclusion takes it out of", () => {
    assert.equal(decided("net.core.* = 3\n-net.core.somaxconn\n"), undefined);
    assert.equal(decided("-net.core.somaxconn\nnet.core.somaxconn = 1\n"), "1");
  });

  test("is refused where an exclusion comes behind its assignment", () =>
    assert.throws(
      () => decided("net.core.somaxconn = 1\n-net.core.somaxconn\n"),
      /wapt\.conf:2: -net\.core\.somaxconn after an assignment of it: systemd-sysctl drops the assignment, sysctl does not; remove one$/,
    ));
});

test("an exclusion in a file that is read before takes back nothing", () => {
  const before = "/etc/sysctl.d/a.conf";
  const own = { ...tree({ [before]: "-net.core.somaxconn\n" }), before: [before] };
  assert.deepEqual(edit(sysctl, own, { [KEY]: "5" }).get(ROOT), "net.core.somaxconn = 5\n");
});

describe("what is refused", () => {
  const refusedBy = (
    files: Record<string, string>,
    wanted: Record<string, string | null>,
    message: RegExp,
    after?: string[],
  ) => assert.throws(() => edit(sysctl, tree(files, after), wanted), message);

  test("an exclusion in a file that is read later", () =>
    refusedBy(
      { "/etc/sysctl.d/x.conf": "# one\n-net.core.somaxconn\n" },
      { [KEY]: "5" },
      /^FormatError: \/etc\/sysctl\.d\/x\.conf:2: -net\.core\.somaxconn takes back what \/etc\/sysctl\.d\/wapt\.conf sets when systemd-sysctl reads it; remove this line$/,
      ["/etc/sysctl.d/x.conf"],
    ));

  test("a value of two lines, by the key", () =>
    refusedBy(
      {},
      { [KEY]: "1\n2" },
      /wapt\.conf:1: net\.core\.somaxconn can't be "1.n2"; give one value without a line end or a remark$/,
    ));

  test("a pattern that sets what no file shall set, with how to exclude it", () =>
    refusedBy(
      { "/etc/sysctl.d/x.conf": "net.core.* = 5\n" },
      { [KEY]: null },
      /x\.conf:1: sets net\.core\.somaxconn, which no file shall set; exclude it by a line -net\.core\.somaxconn$/,
      ["/etc/sysctl.d/x.conf"],
    ));

  test("what is no key", () => {
    for (const key of [" net.core.somaxconn", "-net.core.somaxconn", "somaxconn", "net.core.somaxconn ", "net..core"])
      refusedBy({}, { [key]: "5" }, /wapt\.conf:1: ".*" is no key; name it like "net\.core\.somaxconn"$/);
  });
});

test("a setting becomes the last line of its file, before nothing that is there", () => {
  const edited = edit(sysctl, tree({ [ROOT]: "# by hand\nkernel.pid_max = 5" }), { [KEY]: "7500" });
  assert.equal(edited.get(ROOT), "# by hand\nkernel.pid_max = 5\nnet.core.somaxconn = 7500");
});

test("/etc/sysctl.conf comes last, once, and not behind itself", () => {
  const conf = "/etc/sysctl.conf";
  assert.deepEqual(sysctlOrder([conf, "/etc/sysctl.d/x.conf", conf], ROOT).after, ["/etc/sysctl.d/x.conf", conf]);
  assert.deepEqual(sysctlOrder([conf], conf), { before: [], after: [] });
  assert.deepEqual(sysctlOrder(["/etc/other.conf"], ROOT), { before: [], after: [] });
  const folders = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"];
  const before = folders.map((folder, at) => `${folder}/sysctl.d/${at}.conf`);
  assert.deepEqual(sysctlOrder(before, ROOT), { before, after: [] });
});

test("a server's files are read in sysctl's order, with the one that overrides them and /etc/sysctl.conf of its own", () => {
  const files = new Map([
    ["/etc/sysctl.d/10-a.conf", ""],
    ["/etc/sysctl.conf", ""],
    [ROOT, ""],
  ]);
  const own = new Set(["/etc/sysctl.d/10-a.conf"]);
  assert.deepEqual(sysctlTree({ files, names: ["/usr/lib/sysctl.d/zz.conf"], own }), {
    root: ROOT,
    files,
    before: ["/etc/sysctl.d/10-a.conf"],
    after: ["/usr/lib/sysctl.d/zz.conf", OVERRIDE, "/etc/sysctl.conf"],
    own: new Set([...own, "/etc/sysctl.conf"]),
    override: OVERRIDE,
  });
});
