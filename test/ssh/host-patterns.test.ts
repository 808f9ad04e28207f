import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesPatterns } from "../../provider/ssh/host-patterns";

test("negated patterns win", () => {
  assert.ok(matchesPatterns(["*", "!b"], "a"));
  assert.ok(!matchesPatterns(["*", "!b"], "b"));
  assert.ok(!matchesPatterns(["!b"], "a"), "a negated pattern alone fits nobody");
  assert.ok(!matchesPatterns([], "a"));
});
