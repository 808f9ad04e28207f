/** nginx's words and statements by their places: what a file of the corpus can't say, as limits of length and where an error is. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { spelled, tokenize, unquoted } from "../../../provider/services/nginx/tokenizer";

/** Each statement as nginx takes it: its words, and the brace that it ends with. */
const statementsIn = (text: string): string[] =>
  tokenize("f", text).map(({ kind, words }) =>
    [...words.map((word) => unquoted(text, word)), { simple: ";", block: "{", close: "}" }[kind]].join(" "),
  );
const refused = (text: string, message: string) =>
  assert.throws(() => tokenize("f", text), { name: "FormatError", message });

describe("a word", () => {
  for (const [written, meant] of [
    ["plain", "plain"],
    [`"in quotes"`, "in quotes"],
    ["'it \"is\"'", 'it "is"'],
    [String.raw`"a\tb\rc\nd"`, "a\tb\rc\nd"],
    [String.raw`"\"\'\\"`, `"'\\`],
    [String.raw`\.php$\d`, String.raw`\.php$\d`],
    [String.raw`a\;b\{c`, String.raw`a\;b\{c`],
    ["${a}b", "${a}b"],
    ["a#b", "a#b"],
    ['a"b', 'a"b'],
  ] as const)
    test(`${written} is ${JSON.stringify(meant)}`, () =>
      assert.deepEqual(statementsIn(`x ${written};`), [`x ${meant} ;`]));

  for (const [value, quote, text] of [
    ["plain", "", "plain"],
    ["", "", '""'],
    ["a b", "", '"a b"'],
    ["$a", "", '"$a"'],
    ["plain", "'", "'plain'"],
    ["it's", "'", String.raw`'it\'s'`],
    ['"', "", String.raw`"\""`],
    ["\\", '"', String.raw`"\\"`],
  ] as const)
    test(`${JSON.stringify(value)} is spelled ${text}`, () => {
      assert.equal(spelled(value, quote), text);
      assert.equal(unquoted(text, { start: 0, end: text.length }), value);
    });
});

describe("a statement", () => {
  test("is known by its place, and so is the brace that closes it", () => {
    const places = tokenize("f", "http { a b; }\n").map(({ kind, start, end }) => [kind, start, end]);
    assert.deepEqual(places, [
      ["block", 0, 6],
      ["simple", 7, 11],
      ["close", 12, 13],
    ]);
  });

  test("goes over lines and comments, also one that ends the file", () => {
    assert.deepEqual(statementsIn("a # ; {\n b\n;\n# c\nd;# the end"), ["a b ;", "d ;"]);
  });

  for (const [text, message] of [
    ["a;\nb\nc", 'f:2: a directive without its ";"; end it'],
    ["a;\nb\nc\n", 'f:2: a directive without its ";"; end it'],
    ["a;\nb\n'c'", 'f:2: a directive without its ";"; end it'],
    ["a;\nb\nc\\", 'f:2: a directive without its ";"; end it'],
    ["a {\nb {\n}\n", 'f:1: a block without its "}"; close it'],
    ["a;\nb 'c;\n", "f:2: a quote that is never closed; close it"],
    ["a;\nb 'c\\';\n", "f:2: a quote that is never closed; close it"],
    ["a 'b'c;", "f:1: text right behind a closing quote; put a blank between"],
    ["a;\n;", 'f:2: an unexpected ";"; remove it'],
    ["a;\n{", 'f:2: an unexpected "{"; remove it'],
    ["a;\n}", 'f:2: an unexpected "}" that closes no block; remove it'],
    ["a {\nb }", 'f:2: an unexpected "}"; end the directive before it with ";"'],
    ["\xef\xbb\xbfa;", "f:1: a byte order mark, which nginx refuses; save the file without it"],
  ] as const)
    test(`${JSON.stringify(text)} is refused`, () => refused(text, message));
});

describe("nginx's buffer of 4096 bytes", () => {
  const more = `\n${"# more\n".repeat(600)}`;
  const outgrows = (what: string) => `f:1: ${what} that outgrows nginx's buffer of 4096 bytes; shorten it`;
  for (const [what, fits, longer] of [
    ["a word", `${"a".repeat(4095)};`, `${"a".repeat(4096)};`],
    ["a word", `${"a".repeat(4094)} ;`, `${"a".repeat(4095)} ;`],
    ["a word", `"${"a".repeat(4094)}";`, `"${"a".repeat(4095)}";`],
    ["a word", `"${"a".repeat(4093)}" ;`, `"${"a".repeat(4094)}" ;`],
    ["a comment", `#${"a".repeat(4094)}`, `#${"a".repeat(4095)}`],
  ] as const)
    test(`holds ${what} of ${fits.length} bytes with what ends it, and none of ${longer.length}`, () => {
      assert.doesNotThrow(() => tokenize("f", fits + more));
      refused(longer + more, outgrows(what));
    });

  test("needs no room for what ends the file", () => {
    assert.deepEqual(statementsIn(`a;#${"a".repeat(4095)}`), ["a ;"]);
    refused(`a;#${"a".repeat(4096)}`, outgrows("a comment"));
  });
});

describe("a Lua block", () => {
  const within = (code: string) => `content_by_lua_block {${code}}\na;`;
  for (const code of [
    "",
    " return {1, {2}} ",
    ' a = "}" ',
    " a = '}' ",
    String.raw` a = "\"}" `,
    String.raw` a = "\\" `,
    String.raw` a = '\\' b = {} `,
    " -- }\n ",
    " --}\n ",
    " --- }\n ",
    " -- it's {\n ",
    " --[[ }\n } ]] ",
    " --[==[ } ]] }\n ]==] ",
    " --[ }\n ",
    " --[= }\n ",
    " a = [[ } ]] ",
    " a = [[]] ",
    " a = [==[ } ]] ]=] } ]==] ",
    " a[b[1]] = {} ",
    " a[1] = '}' ",
    " a = b - {} ",
    " a = {} - b ",
    " a = -'}' ",
    " a = 'it' b = \"is\" c = '}' ",
    " it's\n ",
    " it's {}\n '}' ",
    "\n",
  ])
    test(`ends behind ${JSON.stringify(code)}`, () =>
      assert.deepEqual(statementsIn(within(code)), ["content_by_lua_block {", "}", "a ;"]));

  for (const [code, message] of [
    [" {", "a Lua block without its"],
    [" -- ", "a Lua block without its"],
    [" '", "a Lua block without its"],
    [" a = [[", "a Lua long bracket that is never closed"],
    [" --[[ ]=]", "a Lua long bracket that is never closed"],
  ] as const)
    test(`that goes ${JSON.stringify(code)} and no further is refused`, () =>
      assert.throws(() => tokenize("f", `a;\ncontent_by_lua_block {${code}`), {
        name: "FormatError",
        message: new RegExp(`^f:2: ${message}.*; close it$`),
      }));

  test("is known by the end of its name, in quotes too, and other blocks are none", () => {
    assert.deepEqual(statementsIn(`"rewrite_by_lua_block" { ' }\na;`), ["rewrite_by_lua_block {", "}", "a ;"]);
    refused("by_lua_block_not { ' }\na;", "f:1: a quote that is never closed; close it");
  });
});
