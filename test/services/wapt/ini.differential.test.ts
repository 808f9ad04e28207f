/** Our reading and editing of ini files against Python's own parser. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ini } from "../../../provider/services/wapt/ini";
import { FormatError, type Found } from "../../../provider/text/format";
import { anyFile, KEY, plainFile, ROOT, textOf, treeOf, wantedValue } from "../../support/ini-arbitrary";
import { edited } from "../../support/lossless";

const FILES = 6000;
const KEYS = [KEY, "options.max_clients"];
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

type Setting = readonly [section: string, key: string, value: string];
interface Reading {
  readonly error?: string;
  readonly settings?: readonly Setting[];
  readonly sections?: readonly string[];
}
type Readings = Readonly<Record<"python3" | "lenient" | "python2", Reading>>;

const hasPython = spawnSync("python3", ["-c", "import configparser"]).status === 0;
const isSkipped = !hasPython && process.env.CI !== "true";

describe(`ini against Python's parser (SEED=${seed})`, { skip: isSkipped && "python3 is not installed" }, () => {
  const plain = plainFile.map((file) => textOf(file, file.managed ?? undefined));
  const samples = fc.sample(fc.tuple(fc.oneof({ weight: 3, arbitrary: anyFile }, plain), wantedValue), {
    numRuns: FILES,
    seed,
  });

  test(`${FILES} files are read alike, and edited so that Python reads the same but for the wanted value`, () => {
    const seen = { edited: 0, refused: 0, collapsed: 0, inherited: 0 };
    const results = samples.map(([text, value]) => ({
      text,
      value,
      found: readOrRefuse(text),
      after: editOrRefuse(text, value),
    }));
    const readings = python(results.flatMap(({ text, after }) => [text, after ?? text]));
    for (const [index, { text, value, found, after }] of results.entries()) {
      const [was, is] = [readings[2 * index]!, readings[2 * index + 1]!];
      const shown = JSON.stringify({ text, after, found, was, is }, null, 1);
      const isRepeated = was.python3.error === "DuplicateOptionError" && !(found instanceof FormatError);
      const isReadable = isRepeated || (was.python3.error === undefined && was.python3.sections!.includes("options"));
      assert.equal(!(found instanceof FormatError), isReadable, shown);
      // An edit of one key refuses a file in which the other one stands twice.
      if (after === undefined) assert.ok(found instanceof FormatError || isRepeated, shown);
      seen[after === undefined ? "refused" : isRepeated ? "collapsed" : "edited"]++;
      if (found instanceof FormatError) continue;
      for (const key of KEYS) assert.equal(found[key]?.value, valueIn(was.lenient, key), `${key} in ${shown}`);
      if (after === undefined) continue;
      if (valueIn(was.lenient, `DEFAULT.${KEY.slice(8)}`) !== undefined) seen.inherited++;
      for (const version of ["python3", "lenient", "python2"] as const) {
        assert.equal(is[version].error, undefined, shown);
        assert.equal(valueIn(is[version], KEY), value, `${version}: ${shown}`);
      }
      assert.deepEqual(others(is.python3), others(was.lenient), shown);
      assert.deepEqual(others(is.python2), others(was.python2), shown);
    }
    console.log(JSON.stringify(seen));
    for (const [kind, count] of Object.entries(seen)) assert.ok(count >= FILES / 100, `only ${count} ${kind}`);
  });
});

function readOrRefuse(text: string): Readonly<Record<string, Found>> | FormatError {
  try {
    return ini.read(treeOf(text), KEYS);
  } catch (thrown) {
    assert.ok(thrown instanceof FormatError);
    return thrown;
  }
}

function editOrRefuse(text: string, value: string): string | undefined {
  try {
    return edited(ini, treeOf(text), { [KEY]: value }).files.get(ROOT);
  } catch (thrown) {
    assert.ok(thrown instanceof FormatError);
    return undefined;
  }
}

/** How Python reads each text, in one process. */
function python(texts: readonly string[]): Readings[] {
  const input = texts.map((text) => `${JSON.stringify(text)}\n`).join("");
  const script = join(__dirname, "../../support/ini-reader.py");
  const run = spawnSync("python3", [script], { input, encoding: "utf8", maxBuffer: 2 ** 30 });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Readings);
}

function valueIn(reading: Reading, asked: string): string | undefined {
  const found = reading.settings!.find(([section, key]) => `${section}.${key}` === asked);
  return found?.[2];
}

/** Everything but the setting that was edited, in any order. */
function others(reading: Reading): Setting[] {
  return reading.settings!.filter(([section, key]) => `${section}.${key}` !== KEY).sort();
}
