import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { commandLineSetting } from "../../../provider/services/postgresql/command-line";
import { postgresqlConf } from "../../../provider/services/postgresql/postgresql-conf";
import { FormatError, type Tree } from "../../../provider/text/format";
import { testCorpus } from "../../support/line-corpus";
import { assertEdits, assertRestores, edit, edited, orRefused, values } from "../../support/lossless";
import {
  KEY,
  plainFile,
  quotedSpelling,
  ROOT,
  textOf,
  wantedValue,
  wholeTree,
} from "../../support/postgresql-arbitrary";

const treeOf = (text: string): Tree => ({ root: ROOT, files: new Map([[ROOT, text]]) });

/** The result, or what a FormatError says. */
function orMessage<T>(run: () => T): T | string {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof FormatError) return thrown.message;
    throw thrown;
  }
}

describe("postgresql.conf: corpus", () => testCorpus(postgresqlConf, join(__dirname, "corpus"), ROOT));

describe("postgresql.conf: properties", () => {
  test("an edit in place changes the last value's bytes and no others", () => {
    const settingFile = plainFile.filter(({ lines }) => lines.some((line) => line.spelling !== undefined));
    fc.assert(
      fc.property(settingFile, wantedValue, ({ lines, end, isTerminated }, value) => {
        const tree = treeOf(textOf(lines, end, isTerminated ? end : ""));
        const last = lines.findLastIndex((line) => line.spelling !== undefined);
        const spelling = lines[last]!.spelling!;
        const isSet = spelling === value || spelling === `'${value}'`;
        const quoted = spelling.startsWith("'") ? `'${value}'` : value;
        const expected = lines.with(last, { ...lines[last]!, spelling: isSet ? spelling : quoted });
        const after = edited(postgresqlConf, tree, { [KEY]: value });
        assert.equal(after.files.get(ROOT), textOf(expected, end, isTerminated ? end : ""));
      }),
    );
  });

  test("an insertion adds one line, and nothing else", () => {
    const unsetFile = plainFile.map((file) => ({
      ...file,
      lines: file.lines.filter((line) => line.spelling === undefined),
    }));
    fc.assert(
      fc.property(unsetFile, wantedValue, ({ lines, end, isTerminated }, value) => {
        const text = textOf(lines, end, isTerminated ? end : "");
        const after = edited(postgresqlConf, treeOf(text), { [KEY]: value }).files.get(ROOT)!;
        const line = after.split("\n").findIndex((line) => line.replace(/\r$/, "") === `${KEY} = ${value}`);
        assert.notEqual(line, -1);
        const rest = after.split("\n").toSpliced(line, 1).join("\n");
        assert.ok([text, `${text}\n`, `${text}\r\n`, `${text}\r`].includes(rest), JSON.stringify([text, after]));
      }),
    );
  });

  test("a value set and then restored leaves the original bytes, an inserted one then removed too", () => {
    fc.assert(
      fc.property(plainFile, wantedValue, ({ lines, end, isTerminated }, value) => {
        const tree = treeOf(textOf(lines, end, isTerminated ? end : ""));
        assertRestores(postgresqlConf, tree, { [KEY]: value });
        const names = lines.filter((line) => line.spelling === undefined);
        const unset = treeOf(textOf(names, end, isTerminated ? end : ""));
        assertRestores(postgresqlConf, unset, { [KEY]: value, superuser_reserved_connections: "5" });
      }),
    );
  });

  test("trees with includes: read back, a second edit does nothing, null leaves no assignment", () => {
    let edits = 0;
    fc.assert(
      fc.property(wholeTree, wantedValue, (tree, value) => {
        if (orRefused(() => edit(postgresqlConf, tree, { [KEY]: value, port: null })) === undefined) return;
        edits++;
        assertEdits(postgresqlConf, tree, { [KEY]: value });
        const removed = assertEdits(postgresqlConf, tree, { [KEY]: null, port: null });
        assert.deepEqual(values(postgresqlConf, removed, [KEY, "port"]), {});
      }),
      { numRuns: 300 },
    );
    assert.ok(edits > 50, `only ${edits} trees were edited`);
  });

  test("any value of a quoted string can be written and read back", () => {
    fc.assert(
      fc.property(
        quotedSpelling,
        fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((byte) => String.fromCharCode(byte)) }),
        (spelling, value) => {
          assertEdits(postgresqlConf, treeOf(`cluster_name = ${spelling}\n`), { cluster_name: value });
          assertEdits(postgresqlConf, treeOf("cluster_name = x # note\n"), { cluster_name: value });
        },
      ),
    );
  });

  test("arbitrary bytes are edited or refused with a FormatError", () => {
    const byte = fc.oneof(
      fc.constantFrom("\n", "'", "\\", "=", " ", "max_connections", "include", "#", "\0"),
      fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    );
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 30 }), wantedValue, (parts, value) => {
        const tree = treeOf(parts.join(""));
        if (orRefused(() => postgresqlConf.read(tree, [KEY])) === undefined) return;
        assertEdits(postgresqlConf, tree, { [KEY]: value });
      }),
      { numRuns: 1000 },
    );
  });
});

describe("postgresql.conf: single rules", () => {
  test("keys are read as the caller spells them", () => {
    const found = postgresqlConf.read(treeOf("a.B = 1\nPORT=5433\n"), ["Port", "A.b", "toString", "__proto__"]);
    assert.deepEqual(found, {
      Port: { value: "5433", file: ROOT, line: 2 },
      "A.b": { value: "1", file: ROOT, line: 1 },
    });
  });

  test("a name or a value that can't be written is refused", () => {
    for (const [key, value] of [
      ["include", "x"],
      ["a b", "1"],
      ["a.b.c", "1"],
      ["", "1"],
      ["port", "a\0b"],
      ["port", "\u20ac"],
    ]) {
      assert.throws(
        () => edit(postgresqlConf, treeOf(""), { [key!]: value! }),
        FormatError,
        JSON.stringify([key, value]),
      );
    }
  });

  test("the files of a folder are read in the order of their names", () => {
    const files = new Map([
      [ROOT, "include_dir 'conf.d'\n"],
      [`${dirname(ROOT)}/conf.d/b.conf`, "port = 2\n"],
      [`${dirname(ROOT)}/conf.d/a.conf`, "port = 1\n"],
    ]);
    assert.equal(values(postgresqlConf, { root: ROOT, files }, ["port"]).port, "2");
  });

  test("of several files that set it each loses its own line", () => {
    const other = `${dirname(ROOT)}/other.conf`;
    const files = new Map([
      [ROOT, "port = 1\nwork_mem = 5\ninclude 'other.conf'\n"],
      [other, "jit = on\nport = 2\nssl = off\n"],
    ]);
    const after = edit(postgresqlConf, { root: ROOT, files }, { port: null });
    assert.deepEqual(Object.fromEntries(after), {
      [ROOT]: "work_mem = 5\ninclude 'other.conf'\n",
      [other]: "jit = on\nssl = off\n",
    });
  });

  test("escapes of a quoted value are read as PostgreSQL reads them", () => {
    const value = (spelling: string) => values(postgresqlConf, treeOf(`x = ${spelling}\n`), ["x"]).x;
    assert.equal(value(String.raw`'\b\f\n\r\t\'\\\x'''`), "\b\f\n\r\t'\\x'");
    assert.equal(value(String.raw`'\1\12\101\1018\412\8'`), "\x01\nAA8\n8");
    assert.equal(value(String.raw`'a\0b'`), "a");
  });

  test("a value gets quotes when PostgreSQL would read it otherwise", () => {
    const spelled = (value: string) => edited(postgresqlConf, treeOf(""), { x: value }).files.get(ROOT);
    for (const bare of ["625", "on", "128MB", "-1", "+1.5e3", "1.5e33", "2.e-10", "0x1F", "a-b/c:d", "Europe/Paris"]) {
      assert.equal(spelled(bare), `x = ${bare}\n`);
    }
    for (const quoted of ["", " 5", "5 ", "5 6", "a.b", "1.5MB", "#", "=", "a,b", "0.0.0.0", "\t"]) {
      assert.equal(spelled(quoted), `x = '${quoted}'\n`);
    }
    assert.equal(spelled("it's a \\ and\na line"), "x = 'it''s a \\\\ and\\na line'\n");
  });

  test("a NUL in a value is refused, in a comment kept", () => {
    for (const text of ["x = 'a\0b'", "x = 'a\\\0b'", "x = a\0"]) {
      assert.throws(() => postgresqlConf.read(treeOf(text), ["x"]), FormatError);
    }
    assert.equal(edited(postgresqlConf, treeOf("x = 1 # \0\n"), { x: "2" }).files.get(ROOT), "x = 2 # \0\n");
  });

  test("a file that one include reaches in time and another one too deep is refused", () => {
    const folder = ROOT.slice(0, ROOT.lastIndexOf("/"));
    const chain = Array.from({ length: 11 }, (_, level): [string, string] => {
      return [`${folder}/${level}.conf`, `include '${level + 1}.conf'\n`];
    });
    const files = new Map([
      ...chain,
      [`${folder}/11.conf`, ""],
      [ROOT, "include '3.conf'\ninclude '2.conf'\ninclude '1.conf'\n"],
    ]);
    assert.throws(
      () => postgresqlConf.read({ root: ROOT, files }, [KEY]),
      (thrown) => thrown instanceof FormatError && thrown.message.startsWith(`${folder}/1.conf:1: includes are nested`),
    );
    files.set(ROOT, "include '3.conf'\ninclude '2.conf'\n");
    assert.deepEqual(postgresqlConf.read({ root: ROOT, files }, [KEY]), {});
  });

  test("what an include names and nobody looked for is refused by its name, and is not taken for absent", () => {
    const folder = ROOT.slice(0, ROOT.lastIndexOf("/"));
    const read = (text: string, named: [string, "absent" | "folder"][]) =>
      orMessage(() => values(postgresqlConf, { ...treeOf(text), named: new Map(named) } as Tree, [KEY]));
    const unread = (path: string) => `${ROOT}:1: ${path} is included here, and was not read`;
    for (const line of ["include 'a.conf'", "include_if_exists 'a.conf'", "include_dir 'a.conf'"]) {
      assert.ok(String(read(line, [])).startsWith(unread(`${folder}/a.conf`)), line);
    }
    assert.deepEqual(read("include_if_exists '../a.conf'", [["/etc/postgresql/15/a.conf", "absent"]]), {});
    assert.deepEqual(read("include_dir '/p'", [["/p", "folder"]]), {});
    for (const line of ["include '/p'", "include_dir '/p'"]) {
      assert.match(String(read(line, [["/p", "absent"]])), /\/p is included here, but does not exist/);
    }
  });

  test("a root file that does not exist is refused", () => {
    const tree: Tree = { root: ROOT, files: new Map() };
    const message = `${ROOT}:1: this file does not exist, and PostgreSQL does not start without it`;
    assert.throws(() => postgresqlConf.read(tree, [KEY]), { name: "FormatError", message });
    assert.throws(() => edit(postgresqlConf, tree, { [KEY]: "1" }), { name: "FormatError", message });
  });

  test("null is refused where postgresql.auto.conf sets the value", () => {
    const tree: Tree = {
      root: ROOT,
      files: new Map([
        [ROOT, ""],
        ["/d/postgresql.auto.conf", "max_connections = 9\n"],
      ]),
      after: ["/d/postgresql.auto.conf"],
    };
    assert.throws(
      () => edit(postgresqlConf, tree, { [KEY]: null }),
      /^FormatError: \/d\/postgresql\.auto\.conf:1: .*ALTER SYSTEM RESET max_connections$/,
    );
  });

  test("a file that is included a million times is read once", () => {
    const levels = Array.from({ length: 10 }, (_, level): [string, string] => {
      return [
        `${ROOT.slice(0, -15)}${level}.conf`,
        level < 9 ? `include '${level + 1}.conf'\n`.repeat(10) : "max_connections = 7\n",
      ];
    });
    const tree: Tree = { root: ROOT, files: new Map([[ROOT, "include '0.conf'\n"], ...levels]) };
    assert.equal(values(postgresqlConf, tree, [KEY])[KEY], "7");
  });

  test("ten megabytes are edited", () => {
    const line = "shared_preload_libraries = 'pg_stat_statements, auto_explain'\t# (change requires restart)\n";
    const after = edit(postgresqlConf, treeOf(line.repeat(115_000)), { [KEY]: "625" });
    assert.match(after.get(ROOT)!.slice(-100), /^max_connections = 625$/m);
  });

  test("long runs of one byte neither overflow nor slow down", () => {
    for (const byte of [" ", "'", "\\", "9", "a", ".", "#", "=", "\r", "\xff"]) {
      for (const prefix of ["", "max_connections = ", "max_connections = '"]) {
        orRefused(() => edit(postgresqlConf, treeOf(prefix + byte.repeat(3_000_000)), { [KEY]: "625" }));
      }
    }
  });
});

describe("PostgreSQL's command line", () => {
  const cases: [string[], string | undefined][] = [
    [["/usr/lib/postgresql/15/bin/postgres", "-D", "/d", "-c", "config_file=/e/postgresql.conf"], undefined],
    [["postgres", "-c", "max_connections=200"], "200"],
    [["postgres", "-cmax_connections=200"], "200"],
    [["postgres", "--max-connections=200"], "200"],
    [["postgres", "--MAX_connections=200"], "200"],
    [["postgres", "-N", "300"], "300"],
    [["postgres", "-iFN300"], "300"],
    [["postgres", "-N", "300", "-c", "max-connections=400"], "400"],
    [["postgres", "--max-connections=400", "-N300"], "300"],
    [["-c", "max_connections=200"], "200"],
    [["postgres", "-D", "-Nfolder", "-p", "5432"], undefined],
    [["postgres", "-c", "cluster_name=max_connections=5"], undefined],
    [["postgres", "-c", "max_connections"], undefined],
    [["postgres", "-c"], undefined],
    [["postgres", "--", "-N", "5"], undefined],
    [[], undefined],
  ];
  for (const [argv, expected] of cases) {
    test(argv.join(" ") || "none", () => assert.equal(commandLineSetting(argv, "Max_Connections"), expected));
  }

  test("short options of other settings", () => {
    assert.equal(commandLineSetting(["postgres", "-p5433", "-B", "1GB"], "port"), "5433");
    assert.equal(commandLineSetting(["postgres", "-p5433", "-B", "1GB"], "shared_buffers"), "1GB");
  });
});
