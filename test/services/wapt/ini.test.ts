import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ini } from "../../../provider/services/wapt/ini";
import { FormatError, type Tree, type Wanted } from "../../../provider/text/format";
import { anyFile, KEY, type Line, plainFile, ROOT, textOf, treeOf, wantedValue } from "../../support/ini-arbitrary";
import { testCorpus } from "../../support/line-corpus";
import { assertEdits, assertRestores, edit, edited, orRefused, values } from "../../support/lossless";

const textAfter = (text: string, wanted: Wanted) => edited(ini, treeOf(text), wanted).files.get(ROOT);

describe("ini: corpus", () => testCorpus(ini, join(__dirname, "corpus"), ROOT));

describe("ini: properties", () => {
  test("an edit in place changes the value's bytes and no others", () => {
    fc.assert(
      fc.property(plainFile, wantedValue, (file, value) => {
        fc.pre(file.managed !== null);
        assert.equal(
          textAfter(textOf(file, file.managed!), { [KEY]: value }),
          textOf(file, { ...file.managed!, value }),
        );
      }),
    );
  });

  test("a value set and then restored leaves the original bytes, an inserted one then removed too", () => {
    fc.assert(
      fc.property(plainFile, wantedValue, (file, value) => {
        if (file.managed) assertRestores(ini, treeOf(textOf(file, file.managed)), { [KEY]: value });
        assertRestores(ini, treeOf(textOf(file, undefined)), { [KEY]: value, "options.max_clients": "1" });
      }),
      { numRuns: 300 },
    );
  });

  test("a value with a note is restored to the byte", () => {
    const note = fc
      .tuple(fc.constantFrom(" ", "", "\t"), fc.constantFrom("; a", "# b", ";", "#5"))
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(plainFile, note, wantedValue, (file, note, value) => {
        fc.pre(file.managed !== null);
        const managed: Line = { ...file.managed!, value: file.managed!.value + note };
        const text = textOf(file, managed);
        assertRestores(ini, treeOf(text), { [KEY]: value });
        assert.ok(textAfter(text, { [KEY]: value })!.includes(note.trim()));
      }),
    );
  });

  test("every file that is not refused: read back, a second edit does nothing, whatever is read can be written back", () => {
    let edits = 0;
    fc.assert(
      fc.property(anyFile, wantedValue, (text, value) => {
        const before = orRefused(() => values(ini, treeOf(text), [KEY, "options.max_clients"]));
        if (before === undefined) return;
        edits++;
        const after = assertEdits(ini, treeOf(text), { [KEY]: value, "options.max_clients": null });
        assertEdits(ini, after, before);
      }),
      { numRuns: 1000 },
    );
    assert.ok(edits > 100, `only ${edits} files were edited`);
  });

  test("no comment and no note gets lost", () => {
    const comments = (text: string) => text.split(/\r?\n/).filter((line) => /^\s*[#;]/.test(line));
    fc.assert(
      fc.property(anyFile, wantedValue, (text, value) => {
        const after = orRefused(() => textAfter(text, { [KEY]: value }));
        if (after === undefined) return;
        const left = comments(after);
        for (const comment of comments(text)) assert.ok(left.includes(comment), JSON.stringify([text, after]));
        if (/90 ; note/.test(text)) assert.ok(/; note/.test(after));
      }),
      { numRuns: 500 },
    );
  });

  test("arbitrary bytes are edited or refused with a FormatError that quotes none of them", () => {
    const byte = fc.oneof(
      fc.constantFrom("\n", "=", ":", "[", "]", "[options]\n", "db_max_connections", " ", ";"),
      fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 30 }), wantedValue, (parts, value) => {
        const text = `[options]\ns3cret = Zq9${parts.join("")}`;
        try {
          assertEdits(ini, treeOf(text), { [KEY]: value });
        } catch (thrown) {
          if (!(thrown instanceof FormatError)) throw thrown;
          assert.doesNotMatch(thrown.message, /s3cret|Zq9/);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("ini: single rules", () => {
  test("keys are read as the caller spells them", () => {
    const found = ini.read(treeOf("[options]\nPort=1\n"), ["options.PORT", "options.toString"]);
    assert.deepEqual(found, { "options.PORT": { value: "1", file: ROOT, line: 2 } });
  });

  test("a name that can't stand in the file is refused", () => {
    for (const key of [
      "port",
      "options.",
      ".port",
      "DEFAULT.port",
      "options.a=b",
      "options.[x]",
      "options.#c",
      "a]b.c",
      "b c.d",
      " b.c",
    ]) {
      const message = `${ROOT}:1: a setting is asked for whose name is not of the form section.key`;
      assert.throws(() => edit(ini, treeOf("[options]\n"), { [key]: "1" }), { name: "FormatError", message }, key);
      assert.throws(() => ini.read(treeOf("[options]\n"), [key]), { name: "FormatError", message }, key);
    }
  });

  test("a value that Python would read as another one is refused", () => {
    for (const value of [
      " 1",
      "1\t",
      "1\n",
      "1\r2",
      "1\n# 2",
      "1\n 2",
      "\u20ac",
      "\xc2\xa01",
      "1\x1c",
      "\x1f1",
      "1\xe3\x80\x80",
    ]) {
      assert.throws(
        () => edit(ini, treeOf("[options]\nport = 5\n"), { "options.port": value }),
        FormatError,
        JSON.stringify(value),
      );
    }
  });

  test("a value with what Python takes for no blank is written", () => {
    for (const value of ["\x1b1", "1\x1b", "1\xc2\xa1", "\x801\xbf"])
      assert.match(edit(ini, treeOf("[options]\nport = 5\n"), { "options.port": value }).get(ROOT)!, /^port = /m);
  });

  test("a byte order mark is refused at the file's beginning alone", () => {
    const [text, mark] = ["[options]\nport = 5\n", "\xef\xbb\xbf"];
    assert.throws(
      () => ini.read(treeOf(mark + text), ["options.port"]),
      /ini:1: a byte order mark, which Python refuses/,
    );
    assert.equal(ini.read(treeOf(`${text}name = ${mark}\n`), ["options.port"])["options.port"]?.value, "5");
  });

  test("a file that does not exist is refused", () => {
    const tree: Tree = { root: ROOT, files: new Map() };
    const message = `${ROOT}:1: this file does not exist; check its path`;
    assert.throws(() => ini.read(tree, [KEY]), { name: "FormatError", message });
    assert.throws(() => edit(ini, tree, { [KEY]: null }), { name: "FormatError", message });
  });

  test("ten megabytes are edited", () => {
    const text = (lines: number) =>
      `[options]\n${Array.from({ length: lines }, (_, line) => `key_${line} = a value of some length ; and a note`).join("\n")}\n`;
    assert.match(edit(ini, treeOf(text(200_000)), { [KEY]: "625" }).get(ROOT)!, /^db_max_connections = 625$/m);
  });

  test("long runs of one byte or line neither overflow nor slow down", () => {
    for (const run of [
      " ",
      "[",
      "]",
      "=",
      ";",
      "\n",
      "a",
      "\xc2\xa0",
      "\r\n",
      "\x85",
      "\n[",
      "\n b",
      "\ndb_max_connections = 1 ; n",
    ]) {
      for (const prefix of [
        "",
        "[options]\n",
        "[options]\ndb_max_connections =",
        "[options]\ndb_max_connections = 5",
      ]) {
        orRefused(() => edit(ini, treeOf(prefix + run.repeat(1_000_000 / run.length)), { [KEY]: "625" }));
      }
    }
  });
});
