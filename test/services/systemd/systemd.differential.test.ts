/** Our reading and editing of drop-ins, and their order, against systemd itself, which loads units and dumps them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  dropInOrder,
  limitNofile,
  type OpenFiles,
  dropIn as systemd,
} from "../../../provider/services/systemd/drop-in";
import { FormatError, type Tree } from "../../../provider/text/format";
import { edit, edited, orRefused, values } from "../../support/lossless";
import { anyTree, KEY, treeOf, value } from "../../support/systemd-arbitrary";

const FILES = 2000;
const SYSTEMD = "/usr/lib/systemd/systemd";
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** What each unit says, which drop-ins change. */
const UNIT = { soft: 7, hard: 8 };

const why = whyNotSystemd();
const isSkipped = why !== undefined && process.env.CI !== "true";

function whyNotSystemd(): string | undefined {
  if (!existsSync(SYSTEMD)) return `${SYSTEMD} is not installed`;
  try {
    return load([treeOf("[Service]\nLimitNOFILE=5:6\n")])[0]?.soft === 5
      ? undefined
      : "systemd shows no limit of a unit";
  } catch (error) {
    return `systemd does not load units here: ${error}`;
  }
}

/** The limit of one unit for each tree, whose files become its drop-ins. */
function load(trees: readonly Tree[]): OpenFiles[] {
  const units = trees.map(({ root, files, after = [] }, at): [string, Map<string, string>] => {
    const texts = [root, ...after].map((file, place): [string, string] => [
      `t${at}.service.d/${place}.conf`,
      files.get(file) ?? "",
    ]);
    return [`t${at}.service`, new Map(texts)];
  });
  return dump("/units", units);
}

/** Loads units with drop-ins from folders below a new root, and reads each one's limit from the dump. */
function dump(unitPath: string, units: readonly [name: string, dropIns: ReadonlyMap<string, string>][]): OpenFiles[] {
  const root = mkdtempSync(join(tmpdir(), "systemd-"));
  const path = unitPath.split(":").map((folder) => join(root, folder));
  const unit = (name: string, text: string) =>
    write(join(path.at(-1)!, name), `[Unit]\nDefaultDependencies=no\n${text}`);
  for (const target of ["basic", "sysinit", "shutdown"]) unit(`${target}.target`, "");
  for (const [name, dropIns] of units) {
    unit(name, `[Service]\nExecStart=/bin/true\nLimitNOFILE=${UNIT.soft}:${UNIT.hard}\n`);
    for (const [file, text] of dropIns) write(join(file.startsWith("/") ? root : path[0]!, file), text);
  }
  unit("all.target", `Wants=${units.map(([name]) => name).join(" ")}\n`);
  try {
    return limitsOf(
      run(path.join(":"), root),
      units.map(([name]) => name),
    );
  } finally {
    rmSync(root, { recursive: true });
  }
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, "latin1");
}

/** systemd refuses to test as root, so root becomes nobody. */
function run(unitPath: string, root: string): string {
  spawnSync("chmod", ["755", root]);
  const asNobody = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const environment = [
    "env",
    "-i",
    `PATH=${process.env.PATH}`,
    `SYSTEMD_UNIT_PATH=${unitPath}`,
    "SYSTEMD_LOG_TARGET=null",
  ];
  const [command, ...args] = [...asNobody, ...environment, SYSTEMD, "--test", "--system", "--unit=all.target"];
  const { stdout, status, error } = spawnSync(command!, args, { maxBuffer: 2 ** 28, encoding: "latin1" });
  if (error) throw error;
  assert.equal(status, 0);
  return stdout;
}

function limitsOf(dumped: string, names: readonly string[]): OpenFiles[] {
  const found = new Map<string, { soft?: number | "infinity"; hard?: number | "infinity" }>();
  let unit: string | undefined;
  for (const line of dumped.split("\n")) {
    unit = /^\t-> Unit (.*):$/.exec(line)?.[1] ?? unit;
    const [, soft, number] = /^\t\tLimitNOFILE(Soft)?: ([0-9]+)$/.exec(line) ?? [];
    if (number === undefined) continue;
    const limit = number === String(2n ** 64n - 1n) ? "infinity" : Number(number);
    found.set(unit!, { ...found.get(unit!), [soft ? "soft" : "hard"]: limit });
  }
  return names.map((name) => {
    const { soft, hard } = found.get(name) ?? {};
    assert(soft !== undefined && hard !== undefined, `${name} is not in systemd's dump`);
    return { soft, hard };
  });
}

function expected(tree: Tree): OpenFiles {
  const text = values(systemd, tree, [KEY])[KEY];
  return text === undefined ? UNIT : limitNofile(text)!;
}

describe(`systemd drop-ins against systemd (SEED=${seed})`, { skip: isSkipped && why }, () => {
  test(`${FILES} drop-ins are read alike, and edited so that systemd takes the wanted value`, () => {
    assert.equal(why, undefined);
    const samples = fc.sample(fc.tuple(anyTree, value), { numRuns: FILES, seed });
    const readable = samples.filter(([tree]) => orRefused(() => systemd.read(tree, [KEY])));
    const read = load(readable.map(([tree]) => tree));
    for (const [at, [tree]] of readable.entries())
      assert.deepEqual(read[at], expected(tree), JSON.stringify([...tree.files]));
    const edits = readable.filter(([tree, wanted]) => orRefused(() => edit(systemd, tree, { [KEY]: wanted })));
    const after = load(edits.map(([tree, wanted]) => edited(systemd, tree, { [KEY]: wanted })));
    for (const [at, [tree, wanted]] of edits.entries()) {
      assert.deepEqual(after[at], limitNofile(wanted), `${wanted} in ${JSON.stringify([...tree.files])}`);
    }
    assert(edits.length > FILES / 3, `only ${edits.length} of ${FILES} drop-ins could be edited`);
  });

  test("limitNofile takes what systemd takes", () => {
    assert.equal(why, undefined);
    const digits = fc.constantFrom(
      "0",
      "1",
      "7",
      "8",
      "9",
      "x",
      "b",
      "o",
      "X",
      "B",
      "O",
      "a",
      "K",
      "+",
      "-",
      ":",
      " ",
      "infinity",
      "00",
      "12",
    );
    const texts = fc.sample(
      fc.array(digits, { minLength: 1, maxLength: 6 }).map((parts) => parts.join("").trim().replace(/\\+$/, "")),
      { numRuns: 2000, seed },
    );
    const real = load(texts.map((text) => treeOf(`[Service]\nLimitNOFILE=${text}\n`)));
    for (const [at, text] of texts.entries())
      assert.deepEqual(real[at], limitNofile(text) ?? UNIT, JSON.stringify(text));
  });

  test("drop-ins are read in our order", () => {
    assert.equal(why, undefined);
    const folders = [
      "/etc/systemd/system.control",
      "/etc/systemd/system",
      "/run/systemd/system",
      "/usr/lib/systemd/system",
    ];
    const kinds = ["a-b.service.d", "a-b.service.d", "a-.service.d", "service.d"];
    const names = ["10-x.conf", "wapt.conf", "wapt-2.conf", "Z.conf", "zz.conf", "zz.txt"];
    const path = fc
      .tuple(fc.constantFrom(...folders), fc.constantFrom(...kinds), fc.constantFrom(...names))
      .map((parts) => parts.join("/"));
    const root = "/etc/systemd/system/a-b.service.d/wapt.conf";
    for (const paths of fc.sample(fc.uniqueArray(path, { maxLength: 8 }), { numRuns: 30, seed })) {
      const all = [...new Set([...paths, root])];
      const texts = new Map(all.map((file, at) => [file, `[Service]\nLimitNOFILE=${at + 100}\n`]));
      const [real] = dump(folders.join(":"), [["a-b.service", texts]]);
      const deciding = all[Number(real!.hard) - 100];
      const masking = masked(all, root);
      if (masking === undefined) assert.equal(deciding, [root, ...dropInOrder(all, root)].at(-1), all.join(" "));
      else assert.notEqual(deciding, root, all.join(" "));
    }
  });
});

/** The error's file where another drop-in takes the place of the root's. */
function masked(paths: readonly string[], root: string): string | undefined {
  try {
    dropInOrder(paths, root);
    return undefined;
  } catch (thrown) {
    assert(thrown instanceof FormatError);
    return thrown.file;
  }
}
