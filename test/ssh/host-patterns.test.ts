import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matchesPattern, matchesPatterns } from "../../provider/ssh/host-patterns";

test("wildcards", () => {
  const fits = (pattern: string, text: string) => assert.ok(matchesPattern(pattern, text), `${pattern} ${text}`);
  const differs = (pattern: string, text: string) => assert.ok(!matchesPattern(pattern, text), `${pattern} ${text}`);
  fits("*", "");
  fits("*.example", "a.b.example");
  fits("web?", "web1");
  fits("10.0.*.?", "10.0.12.7");
  fits("**a**", "xxa");
  differs("", "a");
  differs("?", "");
  differs("web?", "web");
  differs("web?", "web12");
  differs("*.example", "example");
  differs("a.b", "aXb");
});

test("negated patterns win", () => {
  assert.ok(matchesPatterns(["*", "!b"], "a"));
  assert.ok(!matchesPatterns(["*", "!b"], "b"));
  assert.ok(!matchesPatterns(["!b"], "a"), "a negated pattern alone fits nobody");
  assert.ok(!matchesPatterns([], "a"));
});

test("the same as a plain recursive matcher", () => {
  const slow = (p: string, t: string): boolean => {
    if (p === "") return t === "";
    if (p[0] === "*") return slow(p.slice(1), t) || (t !== "" && slow(p, t.slice(1)));
    return t !== "" && (p[0] === "?" || p[0] === t[0]) && slow(p.slice(1), t.slice(1));
  };
  const letters = (alphabet: string, maxLength: number) => fc.string({ unit: fc.constantFrom(...alphabet), maxLength });
  fc.assert(fc.property(letters("ab*?", 7), letters("ab", 8), (p, t) => matchesPattern(p, t) === slow(p, t)));
});

test("a hostile pattern takes no long", () => {
  const start = Date.now();
  assert.ok(!matchesPattern(`${"*a".repeat(2000)}b`, "a".repeat(5000)));
  assert.ok(Date.now() - start < 1000);
});
