import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { limits } from "../../../provider/services/kernel/limits";
import { sameLimit } from "../../../provider/services/kernel/limits-line";
import { FormatError } from "../../../provider/text/format";
import { testCorpus } from "../../support/line-corpus";
import { edit } from "../../support/lossless";

const ROOT = "/etc/security/limits.conf";
const BOTH = { "wapt hard nofile": "500000", "wapt soft nofile": "500000" };

testCorpus(limits, join(__dirname, "corpus/limits"), ROOT);

test("a file that does not exist is created, and has no bytes left when its lines are removed", () => {
  const tree = { root: ROOT, files: new Map<string, string>() };
  const created = edit(limits, tree, BOTH);
  const text = "wapt         hard    nofile      500000\nwapt         soft    nofile      500000\n";
  assert.deepEqual(created, new Map([[ROOT, text]]));
  const none = { "wapt hard nofile": null, "wapt soft nofile": null };
  assert.deepEqual(edit(limits, { root: ROOT, files: created }, none), new Map([[ROOT, ""]]));
});

test("groups, the wildcard and other items are domains and items like any", () => {
  const tree = { root: ROOT, files: new Map([[ROOT, "@wapt hard nofile 5\n* soft nproc 6\n"]]) };
  const wanted = { "@wapt hard nofile": "50", "* soft nproc": "60" };
  assert.equal(edit(limits, tree, wanted).get(ROOT), "@wapt hard nofile 50\n* soft nproc 60\n");
});

test("what limits.conf has no place for is refused", () => {
  const tree = { root: ROOT, files: new Map([[ROOT, "wapt hard nofile 5\n"]]) };
  for (const value of ["", "many", "5 6", "5#", "5\n6", "5\0", "5\u20ac"]) {
    assert.throws(() => edit(limits, tree, { "wapt hard nofile": value }), FormatError, JSON.stringify(value));
  }
  for (const key of [
    "wapt nofile",
    "wapt - nofile",
    "wapt hard",
    "wapt hard maxlogins",
    "# hard nofile",
    " hard nofile",
    "a hard nofile 5",
  ]) {
    assert.throws(() => edit(limits, tree, { [key]: "5" }), FormatError, key);
    assert.throws(() => limits.read(tree, [key]), FormatError, key);
  }
});

test("sameLimit", () => {
  for (const word of ["unlimited", "infinity", "-1", "-", "INFINITY"]) assert(sameLimit("unlimited", word), word);
  assert(sameLimit("5", "5"));
  for (const other of ["6", "05", "-5", "-1"]) assert(!sameLimit("5", other), other);
});
