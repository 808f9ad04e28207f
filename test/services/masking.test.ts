/** What a server masks before it leaves: nothing but what is ours survives, and an edit comes to the same splices. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { postgresqlConf } from "../../provider/services/postgresql/postgresql-conf";
import { assignmentsIn } from "../../provider/services/postgresql/scanner";
import { ini } from "../../provider/services/wapt/ini";
import { parseIni } from "../../provider/services/wapt/ini-parser";
import { type Format, FormatError, type Tree, type Wanted } from "../../provider/text/format";
import { linesOf } from "../../provider/text/lines";
import { RECORD } from "../../provider/transaction/record";
import { hashOf } from "../../provider/transaction/report";
import * as iniFiles from "../support/ini-arbitrary";
import { interpreters, reported } from "../support/masking";
import * as postgresqlFiles from "../support/postgresql-arbitrary";

const FILES = 150;
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** The result, or what a FormatError says. */
function outcome<T>(run: () => T): T | string {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof FormatError) return thrown.message;
    throw thrown;
  }
}

/** What the real observe.sh says of texts, in one run. */
function masked(
  interpreter: (typeof interpreters)[number],
  format: string,
  texts: readonly string[],
  record = "",
): string[] {
  const files = Object.fromEntries(texts.map((text, at) => [`/files/${at}`, text]));
  const { files: found, hashes } = reported(interpreter, format, files, record === "" ? {} : { [RECORD]: record });
  return texts.map((text, at) => {
    const mask = found.get(`/files/${at}`);
    assert.ok(mask !== undefined, `not sent: ${JSON.stringify(text)}`);
    assert.equal(hashes.get(`/files/${at}`), hashOf(text));
    assert.equal(mask.length, text.length, JSON.stringify([text, mask]));
    return mask;
  });
}

/** Each byte as it was, or the mask's. */
function assertMasked(text: string, mask: string, sign: RegExp): void {
  for (let at = 0; at < text.length; at++) {
    assert.ok(mask[at] === text[at] || sign.test(mask[at]!), JSON.stringify([at, text, mask]));
  }
}

function assertSameEdit(format: Format, tree: Tree, mask: Tree, wanted: Wanted): void {
  const edit = (one: Tree) => outcome(() => [...format.edit(one, wanted)]);
  assert.deepEqual(edit(mask), edit(tree), JSON.stringify([[...tree.files], [...mask.files], wanted]));
}

/** Bytes but for NUL, which a mask refuses. */
const bytes = fc
  .uint8Array({ maxLength: 40 })
  .map((array) => Buffer.from(array.filter((byte) => byte > 0)).toString("latin1"));

for (const interpreter of interpreters) {
  describe(`waptserver.ini, masked by ${interpreter.name} (SEED=${seed})`, () => {
    const OURS = /^(db_host|db_port|db_max_connections|max_clients)$/;
    const file = fc.oneof(
      { weight: 4, arbitrary: iniFiles.anyFile },
      { weight: 2, arbitrary: iniFiles.plainFile.map((one) => iniFiles.textOf(one, one.managed ?? undefined)) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom("", "[options]\n", "\xef\xbb\xbf", "\xff\xfe"), bytes)
          .map((parts) => parts.join("")),
      },
    );
    const texts = fc.sample(file, { numRuns: FILES, seed });
    let masks: string[] = [];

    it("keeps each line, section, key and blank, and nothing of other values and of comments", () => {
      masks = masked(interpreter, "ini", texts);
      for (const [at, text] of texts.entries()) {
        const mask = masks[at]!;
        assertMasked(text, mask, /x/);
        const read = (one: string) => outcome(() => parseIni("/i", one, () => true).sections);
        const sections = read(text);
        assert.deepEqual(read(mask), sections, JSON.stringify([text, mask]));
        for (const { number, start, end } of linesOf(text)) {
          const line = mask.slice(start, end);
          if (/^\s*[#;]/.test(line)) assert.match(line.trimStart().slice(1), /^[x\s\x1c-\x1f]*$/, `${number}: ${line}`);
        }
        if (typeof sections === "string") continue;
        for (const { key, lines } of sections.flatMap(({ settings }) => settings)) {
          for (const { start, end } of lines) {
            if (OURS.test(key)) assert.equal(mask.slice(start, end), text.slice(start, end));
            else assert.match(mask.slice(start, end), /^[x\s\x1c-\x1f]*$/, JSON.stringify([text, mask]));
          }
        }
      }
    });

    it("shows nothing of a line in which Python sees two, behind a lone carriage return", () => {
      const text = "[options]\nmax_clients = 5\rdb_password = hidden\n";
      const mask = reported(interpreter, "ini", { "/w.ini": text }).files.get("/w.ini")!;
      assert.equal(mask.length, text.length);
      assert.doesNotMatch(mask, /hidden|password/);
    });

    it("is edited by the same splices as the file itself", () => {
      const wanted = fc.record({
        [iniFiles.KEY]: fc.oneof(iniFiles.wantedValue, fc.constant(null)),
        "options.max_clients": fc.oneof(iniFiles.wantedValue, fc.constant(null)),
      });
      const values = fc.sample(wanted, { numRuns: FILES, seed });
      for (const [at, text] of texts.entries()) {
        assertSameEdit(ini, iniFiles.treeOf(text), iniFiles.treeOf(masks[at]!), values[at]!);
      }
    });

    it("shows a comment that stands in the record as well: a note that an edit has moved goes back to the byte", () => {
      const notes = ["; raised in May", '# "5" \\ caf\xc3\xa9\t\xe9 \x01', ";"];
      for (const note of notes) {
        const text = `[options]\r\n# secret\r\n${note}\r\ndb_max_connections = 615\r\n`;
        const before = `90 ${note}`;
        const entry = { stack: "s", resource: "r", id: "i", value: "615", before };
        const record = JSON.stringify({ version: 1, settings: { db_max_connections: entry } }, null, 1);
        const [mask] = masked(interpreter, "ini", [text], Buffer.from(record, "utf8").toString("latin1"));
        assert.equal(mask, text.replace("secret", "xxxxxx"));
        assertSameEdit(ini, iniFiles.treeOf(text), iniFiles.treeOf(mask!), { [iniFiles.KEY]: before });
      }
    });
  });

  describe(`postgresql.conf, masked by ${interpreter.name} (SEED=${seed})`, () => {
    const OURS = new Set(["max_connections", "port", "include", "include_if_exists", "include_dir"]);
    const NAMES = new Set([
      ...OURS,
      "shared_buffers",
      "external_pid_file",
      "my.setting",
      "max_connections2",
      "n\xefve.x",
      "work_mem",
    ]);
    const trees = fc.sample(
      fc.oneof(
        { weight: 4, arbitrary: postgresqlFiles.wholeTree },
        { weight: 2, arbitrary: postgresqlFiles.tokenSalad },
        {
          weight: 1,
          arbitrary: fc
            .tuple(fc.constantFrom("", "max_connections = ", "\xef\xbb\xbf", "\xef\xbb\xbf# "), bytes)
            .map((parts): Tree => {
              return { root: postgresqlFiles.ROOT, files: new Map([[postgresqlFiles.ROOT, parts.join("")]]) };
            }),
        },
      ),
      { numRuns: FILES, seed },
    );
    let masks: Tree[] = [];

    it("keeps each line, name, quote and blank, and nothing of other values and of comments", () => {
      const texts = trees.flatMap(({ files }) => [...files.values()]);
      const found = masked(interpreter, "postgresql", texts);
      masks = trees.map((tree) => ({
        ...tree,
        files: new Map([...tree.files.keys()].map((path) => [path, found.shift()!])),
      }));
      for (const [at, tree] of trees.entries()) {
        for (const [path, text] of tree.files) {
          const mask = masks[at]!.files.get(path)!;
          assertMasked(text, mask, /[x=]/);
          const read = (one: string) =>
            outcome(() => [...assignmentsIn(path, one, NAMES)].map(({ value: _, ...place }) => place));
          const assignments = read(text);
          assert.deepEqual(read(mask), assignments, JSON.stringify([text, mask]));
          if (typeof assignments === "string") continue;
          for (const { name, start, end } of assignments) {
            if (OURS.has(name)) assert.equal(mask.slice(start, end), text.slice(start, end));
            else assert.match(mask.slice(start, end), /^('x*'|x+)$/);
          }
          for (const { start, end } of linesOf(mask)) {
            // No value that these files give to an unmanaged name holds a #, once it is masked.
            const [, behind = ""] =
              /^[^#]*#([\s\S]*)$/.exec(mask.slice(start, end).replace(/'([^'\\]|\\.|'')*'/g, "''")) ?? [];
            assert.match(
              behind,
              /^([ \t\r]*(max_connections|port)[ \t\r]*=)?[x \t\r]*$/i,
              JSON.stringify([text, mask]),
            );
          }
        }
      }
    });

    it("is edited by the same splices as the file itself", () => {
      const wanted = fc.record({
        max_connections: fc.oneof(postgresqlFiles.wantedValue, fc.constant(null)),
      });
      const values = fc.sample(wanted, { numRuns: FILES, seed });
      for (const [at, tree] of trees.entries()) assertSameEdit(postgresqlConf, tree, masks[at]!, values[at]!);
    });
  });
}
