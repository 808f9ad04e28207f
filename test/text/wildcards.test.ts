import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isPattern, nameMatcher, pathMatcher } from "../../provider/text/wildcards";

describe("a pattern of paths", () => {
  const found = (pattern: string, ...names: string[]) => names.filter(pathMatcher(pattern)).join(" ");

  test("keeps a wildcard within a folder and off a leading dot", () => {
    assert.equal(found("d/*", "d/a", "d/.a", "d/e/a", "a"), "d/a");
    assert.equal(found("*/[.a]b", "d/ab", "d/.b", ".d/ab"), "d/ab");
    assert.equal(found(".?", ".a", "ba", ".ab"), ".a");
  });

  test("is one that has a wildcard; any other path stands for itself", () => {
    assert.deepEqual(["/a/b", "/a*/b", "/a/b?", "/[a/b", "/a\\b]"].filter(isPattern), ["/a*/b", "/a/b?", "/[a/b"]);
  });

  test("matches as many folders as it has, and a dot behind a backslash", () => {
    assert.equal(found("d/*/c", "d/b", "d/b/c", "d/b/c/e"), "d/b/c");
    assert.equal(found("\\.a*", ".ab", "xab"), ".ab");
    assert.equal(found("*\\.", ".a.", "b."), "b.");
  });

  for (const name of "alnum alpha blank cntrl digit graph lower print punct space upper xdigit".split(" ")) {
    test(`has in [:${name}:] what tr has in it`, () => {
      const all = String.fromCharCode(...Array.from({ length: 128 }, (_, code) => code)).replace("/", "");
      const { stdout } = spawnSync("tr", ["-dc", `[:${name}:]`], {
        input: all,
        encoding: "latin1",
        env: { ...process.env, LC_ALL: "C" },
      });
      const isOne = pathMatcher(`[.[:${name}:]]`);
      const own = all.split("").filter((one) => one !== "." && isOne(one));
      assert.ok(stdout.length > 1);
      assert.equal(own.join(""), stdout.replace(".", ""));
    });
  }

  test("takes a class only where its name stands in [: and :]", () => {
    assert.equal(found("[xxdigit:]", "x", "5", ":"), "x :");
    assert.equal(found("[[:digit:][:upper:]]", "1", "A", "[", ":"), "1 A");
    assert.equal(found("[^a]", "a", "b", "^"), "b ^");
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

  // If every run were tried again for every other one, this would not end.
  test("of many runs comes to an end", () => assert.equal(found(`${"*a".repeat(1000)}b`, "a".repeat(20000)), ""));
});

describe("a pattern of names", () => {
  test("knows * and ? alone", () => {
    const fits = (pattern: string, text: string) => assert.ok(nameMatcher(pattern)(text), `${pattern} ${text}`);
    const differs = (pattern: string, text: string) => assert.ok(!nameMatcher(pattern)(text), `${pattern} ${text}`);
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

  test("matches the same as a plain recursive matcher", () => {
    const slow = (p: string, t: string): boolean => {
      if (p === "") return t === "";
      if (p[0] === "*") return slow(p.slice(1), t) || (t !== "" && slow(p, t.slice(1)));
      return t !== "" && (p[0] === "?" || p[0] === t[0]) && slow(p.slice(1), t.slice(1));
    };
    const letters = (alphabet: string, maxLength: number) =>
      fc.string({ unit: fc.constantFrom(...alphabet), maxLength });
    fc.assert(fc.property(letters("ab*?", 7), letters("ab", 8), (p, t) => nameMatcher(p)(t) === slow(p, t)));
  });

  test("of many runs comes to an end", () => assert.ok(!nameMatcher(`${"*a".repeat(2000)}b`)("a".repeat(5000))));
});
