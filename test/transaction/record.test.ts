/** The server's own record, as it is written and read again. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Entry, formatRecord, parseRecord, RECORD, type ServerRecord } from "../../provider/transaction/record";

const ENTRY: Entry = { stack: "o/p/paris", resource: "NginxTuning paris", id: "i1", value: "6250", before: null };

const stored = (record: object): string => Buffer.from(JSON.stringify(record)).toString("latin1");
const withEntry = (entry: object): string => stored({ version: 1, settings: { somaxconn: entry } });

/** One that is given a value is there, and one that is not is missing: as JSON has it. */
const entries: fc.Arbitrary<Entry> = fc.record(
  {
    stack: fc.string({ unit: "grapheme" }),
    resource: fc.string({ unit: "grapheme" }),
    id: fc.string(),
    proof: fc.string(),
    value: fc.string({ unit: "grapheme" }),
    file: fc.string({ unit: "grapheme" }),
    before: fc.option(fc.string()),
    running: fc.string(),
  },
  { requiredKeys: ["stack", "resource", "id", "value", "before"], noNullPrototype: true },
);
const ids = fc.string({ unit: "grapheme", minLength: 1 }).filter((id) => id !== "__proto__");
const records: fc.Arbitrary<ServerRecord> = fc.dictionary(ids, entries, { noNullPrototype: true });

describe("the record", () => {
  it("is read as it was written, in any language's letters", () => {
    fc.assert(
      fc.property(records, (record) => {
        const text = formatRecord(record);
        assert.deepEqual(parseRecord(text === "" ? undefined : text), record);
      }),
    );
  });

  it("is the same text for the same settings, in whatever order they came", () => {
    fc.assert(
      fc.property(records, (record) => {
        const turned = Object.fromEntries(Object.entries(record).reverse());
        assert.equal(formatRecord(turned), formatRecord(record));
      }),
    );
  });

  it("is text of UTF-8, sorted by setting, that a person can read, with its version", () => {
    const entry = { stack: "o/p/Orléans", resource: "r", id: "i", value: "1", before: null };
    assert.equal(
      Buffer.from(formatRecord({ b: entry, a: { ...entry, before: "0" } }), "latin1").toString("utf8"),
      '{\n "version": 1,\n "settings": {\n' +
        '  "a": {\n   "stack": "o/p/Orléans",\n   "resource": "r",\n   "id": "i",\n   "value": "1",\n   "before": "0"\n  },\n' +
        '  "b": {\n   "stack": "o/p/Orléans",\n   "resource": "r",\n   "id": "i",\n   "value": "1",\n   "before": null\n  }\n' +
        " }\n}\n",
    );
  });

  it("lies where the earlier versions had it", () => {
    assert.equal(RECORD, "/var/lib/pulumi-wapt/record.json");
  });

  it("of nothing is no file, and no file is a record of nothing", () => {
    assert.equal(formatRecord({}), "");
    assert.deepEqual(parseRecord(undefined), {});
  });

  it("of 0.1.0 is read, which has no proof and no file, and says what was left to do", () => {
    const text = stored({ version: 1, settings: { somaxconn: ENTRY }, pending: ["systemd reload"] });
    assert.deepEqual(parseRecord(text), { somaxconn: ENTRY });
  });

  const refused: [string, string][] = [
    ["an empty file", ""],
    ["a file that was cut off", withEntry(ENTRY).slice(0, -1)],
    ["a list", "[]"],
    ["another version", stored({ version: 2, settings: {} })],
    ["no version", stored({ settings: {} })],
    ["no settings", stored({ version: 1 })],
    ["settings that are a list", stored({ version: 1, settings: [ENTRY] })],
    ["a setting that is no entry", withEntry(["6250"])],
    ["something left to do that is no list", stored({ version: 1, settings: {}, pending: "systemd reload" })],
    ["something left to do that is no text", stored({ version: 1, settings: {}, pending: [1] })],
    ...["stack", "resource", "id", "value", "before"].map((name): [string, string] => [
      `an entry without ${name}`,
      withEntry({ ...ENTRY, [name]: undefined }),
    ]),
    ...["stack", "resource", "id", "proof", "value", "file", "before", "running"].map((name): [string, string] => [
      `an entry whose ${name} is a number`,
      withEntry({ ...ENTRY, [name]: 6250 }),
    ]),
  ];
  for (const [what, text] of refused) {
    it(`is refused with ${what}: nobody may take what another stack has for free`, () => {
      assert.throws(
        () => parseRecord(text),
        new Error(
          `${RECORD} is no record of this version of pulumi-wapt: upgrade the package, or move the file away to take over all settings`,
        ),
      );
    });
  }
});
