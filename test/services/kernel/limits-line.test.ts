/** The lines of a limits.conf file as pam_limits reads them, and what is refused since its versions differ there. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { domainLinesIn } from "../../../provider/services/kernel/limits-line";
import { FormatError } from "../../../provider/text/format";

const FILE = "/etc/security/limits.conf";
const linesOf = (text: string) => domainLinesIn(FILE, text, "wapt");
const BOTH = ["wapt hard nofile", "wapt soft nofile"];

describe("a line of the domain", () => {
  for (const [text, kind, sets] of [
    ["wapt hard nofile 5", "limit", ["wapt hard nofile"]],
    ["\twapt  SOFT\tNoFile 5 ignored", "limit", ["wapt soft nofile"]],
    ["wapt - nofile 5", "limit", BOTH],
    ["wapt hard nofile +5", "limit", ["wapt hard nofile"]],
    ["wapt hard nofile 5x", "limit", ["wapt hard nofile"]],
    ["wapt hard nofile Unlimited # remark", "limit", ["wapt hard nofile"]],
    ["wapt -", "exemption", []],
    ["wapt - # of all", "exemption", []],
    ["wapt", "other", []],
    ["wapt hard", "other", []],
    ["wapt hard-", "other", []],
    ["wapt hard nofile", "other", []],
    ["wapt hard nofile x5", "other", []],
    ["wapt hardest nofile 5", "other", []],
    ["wapt xhard nofile 5", "other", []],
    ["wapt hard- nofile", "other", []],
  ] as const) {
    test(`${JSON.stringify(text)}: ${kind}`, () => {
      const [line, ...more] = linesOf(`# a remark\n${text}\n`);
      assert.deepEqual([line!.kind, line!.sets, line!.line, line!.start, more], [kind, sets, 2, 11, []]);
      const [words = ""] = text.split("#");
      assert.equal(line!.value, words.trim().split(/[ \t]+/)[3] ?? "");
      assert.ok(line!.fields.length <= 4);
    });
  }

  test("has its item in lower case, and its value where it stands", () => {
    const text = "wapt hard NOFILE 512 # remark\n";
    const [line] = linesOf(text);
    assert.equal(line!.item, "nofile");
    assert.equal(text.slice(line!.valueStart, line!.valueEnd), "512");
    const [without] = linesOf("wapt hard\n");
    assert.deepEqual([without!.item, without!.value, without!.valueStart, without!.valueEnd], ["", "", 9, 9]);
  });

  test("is none that is about another domain, or a remark", () => {
    assert.deepEqual(
      linesOf("waptx hard nofile 5\n@wapt hard nofile 5\n#wapt hard nofile 5\n\nwap hard nofile 5\n"),
      [],
    );
  });
});

describe("a line of more than 1023 bytes", () => {
  const refused =
    /^FormatError: \/etc\/security\/limits\.conf:2: wapt in a line of more than 1023 bytes, which PAM may split; shorten it$/;
  const wide = (length: number) => `# one\nwapt hard nofile${" ".repeat(length - 17)}5\n`;

  test("is read where the domain's fields end before, and refused where they end behind", () => {
    assert.equal(linesOf(wide(1023))[0]!.value, "5");
    assert.equal(linesOf(`# one\nwapt hard nofile 5${" ".repeat(1100)}# remark\n`)[0]!.value, "5");
    assert.throws(() => linesOf(wide(1024)), refused);
    assert.throws(() => linesOf(wide(3000)), refused);
  });

  test("is refused where a later piece of it would be a line of the domain", () => {
    const remark = (length: number, behind: string) => `# one\n#${"x".repeat(length - 1)}${behind}\n`;
    assert.throws(() => linesOf(remark(1023, "wapt hard nofile 5")), refused);
    assert.throws(() => linesOf(remark(1023, "  wapt hard nofile 5")), refused);
    assert.throws(() => linesOf(remark(2046, "wapt hard nofile 5")), refused);
    assert.deepEqual(linesOf(remark(1022, "wapt hard nofile 5")), []);
    assert.deepEqual(linesOf(remark(1024, "wapt hard nofile 5")), []);
    assert.deepEqual(linesOf(remark(1023, "other hard nofile 5")), []);
    assert.deepEqual(linesOf(remark(1023, " ".repeat(400))), []);
  });
});

test("a control character for a blank is refused within the fields, and not behind them", () => {
  for (const blank of ["\v", "\f", "\r"]) {
    assert.throws(
      () => linesOf(`# one\nwapt${blank}hard nofile 5\n`),
      (thrown) =>
        thrown instanceof FormatError &&
        /:2: wapt in a line with a control character as a blank; replace it by a space$/.test(thrown.message),
    );
    assert.equal(linesOf(`wapt hard nofile 5 ${blank}\n`)[0]!.value, "5");
    assert.equal(linesOf(`${blank}wapt hard nofile 5\n`)[0]!.value, "5");
  }
});
