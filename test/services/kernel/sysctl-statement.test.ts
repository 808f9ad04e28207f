/** The lines about one key, as sysctl and systemd-sysctl read them, and what is refused since the two differ there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { statementsOf } from "../../../provider/services/kernel/sysctl-statement";

const FILE = "/etc/sysctl.d/x.conf";
const KEY = "net.core.somaxconn";
const statements = (text: string, key = KEY) => statementsOf(FILE, text, key);
const refused = (text: string, message: RegExp, key = KEY) => assert.throws(() => statements(text, key), message);

describe("a line", () => {
  for (const [line, kind, value] of [
    ["net.core.somaxconn = 5", "assignment", "5"],
    ["net/core/somaxconn=5", "assignment", "5"],
    [" \tnet.core.somaxconn\t=  5 6 \t", "assignment", "5 6"],
    ["-net.core.somaxconn = 5", "assignment", "5"],
    ["net.core.somaxconn =", "assignment", ""],
    ["net.core.somaxconn = 512 # raised", "assignment", "512"],
    ["net.core.somaxconn = -1 \t ; # lowered", "assignment", "-1"],
    ["net.core.somaxconn = 512# raised", "assignment", "512# raised"],
    ["net.core.somaxconn = x512 # raised", "assignment", "x512 # raised"],
    ["net.core.somaxconn = 512 x # raised", "assignment", "512 x # raised"],
    ["net.core.* = 5", "pattern", "5"],
    ["net/core/so?axconn = 5", "pattern", "5"],
    ["-net.core.somaxconn", "exclusion", ""],
    ["-net/core/somaxconn \t", "exclusion", ""],
  ] as const) {
    test(`${JSON.stringify(line)}: ${kind}`, () => {
      const text = `# one\n${line}\n# net.core.somaxconn = 9\n`;
      const [found, ...more] = statements(text);
      assert.deepEqual([found!.kind, found!.value, found!.line, found!.start, more], [kind, value, 2, 6, []]);
      assert.equal(text.slice(found!.valueStart, found!.valueEnd), value);
      assert.deepEqual(found!.sets, kind === "assignment" ? [KEY] : []);
    });
  }

  for (const line of [
    "",
    " \t",
    "# net.core.somaxconn = 5",
    "  ; net.core.somaxconn = 5",
    "#-net.core.somaxconn",
    "net.core.somaxconn",
    "net.core.somaxconn2 = 5",
    "xnet.core.somaxconn = 5",
    "net.core/somaxconn = 5",
    "net.ipv4.* = 5",
    "kernel.domainname = net.core.somaxconn",
    "-net.core.somaxconn2",
    "net.core.so-maxconn = 5",
    "net/core/so\\maxconn = 5",
    // A name with control characters in it is a name of its own.
    "net\v.core.somaxconn = 5",
    // What a remark would name, were it a statement, is that key.
    "#/../net/core/somaxconn = 5",
    ";/../net/core/somaxconn = 5",
  ])
    test(`${JSON.stringify(line)} says nothing of it`, () => assert.deepEqual(statements(`${line}\n`), []));
});

test("each is found in its place, also behind a line end of Windows, and without one at the end", () => {
  const found = statements("net.core.somaxconn = 1\r\nnet.core.* = 2\n-net.core.somaxconn\nnet/core/somaxconn=3");
  assert.deepEqual(
    found.map(({ kind, value, line }) => [kind, value, line]),
    [
      ["assignment", "1", 1],
      ["pattern", "2", 2],
      ["exclusion", "", 3],
      ["assignment", "3", 4],
    ],
  );
});

test("a key with a slash in a name is that name with the two changed", () => {
  const key = "net/ipv4/conf/eth0.1/rp_filter";
  assert.equal(statements("net.ipv4.conf.eth0/1.rp_filter = 2\n", key)[0]!.value, "2");
  assert.equal(statements("net/ipv4/conf/eth0.1/rp_filter = 2\n", key)[0]!.value, "2");
  assert.deepEqual(statements("net.ipv4.conf.eth0.1.rp_filter = 2\n", key), []);
});

describe("refused is", () => {
  const spelling =
    /^FormatError: \/etc\/sysctl\.d\/x\.conf:2: net\.core\.somaxconn in a spelling that sysctl and systemd-sysctl take differently; use its dotted name, no blank or second dash behind a dash$/;
  for (const line of [
    "- net.core.somaxconn = 5",
    "-\tnet.core.somaxconn",
    "--net.core.somaxconn = 5",
    "- -net.core.somaxconn = 5",
    "net..core.somaxconn = 5",
    ".net.core.somaxconn = 5",
    "net/core/./somaxconn = 5",
    "net/core/../core/somaxconn = 5",
    "-net.core.*",
    "- net.core.* = 5",
    "net..core.* = 5",
  ])
    test(`a spelling: ${JSON.stringify(line)}`, () => refused(`# one\n${line}\n`, spelling));

  const control =
    /^FormatError: \/etc\/sysctl\.d\/x\.conf:2: net\.core\.somaxconn in a line with a control character, which sysctl and systemd-sysctl take differently; remove that character$/;
  for (const line of [
    "net.core.somaxconn\v= 5",
    "net.core.somaxconn = 5\f6",
    "net.core.somaxconn = 5\r6",
    "\0net.core.somaxconn = 5",
    "# remark\rnet.core.somaxconn = 5",
    "x\0net.core.somaxconn = 5",
    "net.core.somaxconn = 5\rx",
    "net.core.\v* = 5\rnet.core.somaxconn = 5",
  ])
    test(`a control character: ${JSON.stringify(line)}`, () => refused(`# one\n${line}\n`, control));

  test("no control character in a line about another key, nor a CR at a line's end", () => {
    for (const line of ["net.core.rmem_max\v= 5", "# net.core\rx = 1", "net.core.rmem_max = 5\r6", "\0"])
      assert.equal(statements(`${line}\nnet.core.somaxconn = 5\r\n`)[0]!.value, "5", JSON.stringify(line));
  });

  test("a line of more than 1 MiB, wherever it is", () => {
    const wide = (length: number) => `#${"x".repeat(length - 1)}\nnet.core.somaxconn = 5\n`;
    assert.equal(statements(wide(2 ** 20))[0]!.value, "5");
    refused(wide(2 ** 20 + 1), /:1: a line of more than 1 MiB, at which systemd-sysctl stops; shorten it$/);
  });
});
