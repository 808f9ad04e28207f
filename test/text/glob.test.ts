import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pathMatcher } from "../../provider/text/glob";

describe("a pattern of an include", () => {
  const found = (pattern: string, ...names: string[]) => names.filter(pathMatcher(pattern)).join(" ");

  test("keeps a wildcard within a folder and off a leading dot", () => {
    assert.equal(found("d/*", "d/a", "d/.a", "d/e/a", "a"), "d/a");
    assert.equal(found("*/[.a]b", "d/ab", "d/.b", ".d/ab"), "d/ab");
    assert.equal(found(".?", ".a", "ba", ".ab"), ".a");
  });

  test("knows sets, ranges, classes and what they are not", () => {
    assert.equal(found("[a-c]", "a", "c", "d", "-"), "a c");
    assert.equal(found("[!a-c]", "a", "c", "d", "-"), "d -");
    assert.equal(found("[]^-]", "]", "^", "-", "a"), "] ^ -");
    assert.equal(found("[[:digit:]_][[:upper:]]", "1A", "_B", "1a", ":A"), "1A _B");
  });

  test("takes a backslash off the next character", () => {
    assert.equal(found("\\*\\a[\\]]", "*a]", "ba]", "\\*a]"), "*a]");
  });

  test("takes a bracket that nothing closes for itself", () => {
    assert.equal(found("a[b", "a[b", "ab"), "a[b");
    assert.equal(found("?[?", "a[b", "ab"), "a[b");
  });

  test("matches nothing with a range or a backslash that has no end, but for a backslash before a slash", () => {
    assert.equal(found("*[a-", "x[a-", "xa"), "");
    assert.equal(found("*\\", "a\\", "a"), "");
    assert.equal(found("?\\/b", "a/b", "a\\/b"), "a/b");
    assert.equal(found("?\\\\/b", "a/b", "a\\/b"), "a\\/b");
  });

  test("of many runs takes no time", () => {
    const start = performance.now();
    assert.equal(found(`${"*a".repeat(1000)}b`, "a".repeat(20000)), "");
    assert(performance.now() - start < 2000);
  });
});
