/** Our reading and editing of limits.conf against PAM's pam_limits. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { limits } from "../../../provider/services/kernel/limits";
import { FormatError, type Tree, type Wanted } from "../../../provider/text/format";
import { anyTree, KEYS, treeOf, USER, value } from "../../support/limits-arbitrary";
import { edit, edited, orRefused, values } from "../../support/lossless";

const FILES = 3000;
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const PROGRAM = join(__dirname, "../../support/limits-pam.py");

/** What the session's process had before pam_limits. */
const BEFORE = { soft: 19_999, hard: 20_000 };

/** Read last, and yet weaker than any line for the user. */
const DEFAULT = { soft: 1500, hard: 19_500 };
const FOR_ALL = `* hard nofile ${DEFAULT.hard}\n* soft nofile ${DEFAULT.soft}\n`;

const why = whyNotPam();
const isSkipped = why !== undefined && process.env.CI !== "true";

interface OpenFiles {
  readonly soft: number;
  readonly hard: number;
}

/** The limits of a session for each tree; the folder of a tree's root stands for /etc/security. */
function sessions(trees: readonly Tree[]): OpenFiles[] {
  const cases = trees.map(({ files }) => {
    const own = [...files].map(([file, text]) => [file.replace("/etc/security/", ""), text]);
    return Object.fromEntries([...own, ["limits.d/zz-default.conf", FOR_ALL]]);
  });
  const input = JSON.stringify({ user: USER, cases });
  const { stdout, stderr, status } = spawnSync("unshare", ["-m", "python3", PROGRAM], { input, maxBuffer: 2 ** 26 });
  assert.equal(status, 0, stderr?.toString());
  return (JSON.parse(stdout.toString()) as [number, number][]).map(([soft, hard]) => ({ soft, hard }));
}

function whyNotPam(): string | undefined {
  if (process.getuid?.() !== 0) return "only root opens PAM sessions";
  try {
    const [session] = sessions([treeOf(`${USER} hard nofile 3000\n${USER} soft nofile 2000\n`)]);
    assert.deepEqual(session, { soft: 2000, hard: 3000 });
    return undefined;
  } catch {
    return "python3, libpam with pam_limits, or the right to mount is missing";
  }
}

/** Tells whether our editor says that a line frees the user from all limits. */
function isFreed(tree: Tree): boolean {
  try {
    edit(limits, tree, { [KEYS[0]]: "1" });
    return false;
  } catch (thrown) {
    return thrown instanceof FormatError && thrown.problem.startsWith("frees");
  }
}

/** What a session should have; undefined where a line for others may decide, or a value is above the machine's limit. */
function expected(tree: Tree): OpenFiles | undefined {
  const found = values(limits, tree, KEYS);
  const others = [...tree.files.values()].some((text) => /[*@%:]/.test(text));
  const [hard, soft] = KEYS.map((key) => (found[key] === undefined ? undefined : number(found[key])));
  if (others || [hard, soft].includes("incomparable")) return undefined;
  if (isFreed(tree)) return BEFORE;
  const top = (hard ?? DEFAULT.hard) as number;
  return { soft: Math.min((soft ?? DEFAULT.soft) as number, top), hard: top };
}

/** The number in front of a value; no limit is more than every number. */
function number(text: string): number | "incomparable" {
  if (/^(?:unlimited|infinity|-1|-)$/i.test(text)) return Number.POSITIVE_INFINITY;
  const digits = Number(/^\+?([0-9]+)/.exec(text)?.[1]);
  return digits >= 2000 && digits <= BEFORE.hard ? digits : "incomparable";
}

/** One limit alone, both alike, or two values. */
function choice(one: string, other: string): Wanted {
  const [hard, soft] = KEYS;
  const choices: Wanted[] = [
    { [hard]: one },
    { [soft]: one },
    { [hard]: one, [soft]: one },
    { [hard]: one, [soft]: other },
  ];
  return choices[Number(one) % choices.length]!;
}

describe(`limits.conf against pam_limits (SEED=${seed})`, { skip: isSkipped && why }, () => {
  test(`${FILES} files are read alike, and edited so that a session gets the wanted limits`, () => {
    assert.equal(why, undefined);
    const samples = fc.sample(fc.tuple(anyTree, value, value), { numRuns: FILES, seed });
    const compared = samples.filter(([tree]) => orRefused(() => limits.read(tree, KEYS)) && expected(tree));
    const read = sessions(compared.map(([tree]) => tree));
    for (const [at, [tree]] of compared.entries()) {
      assert.deepEqual(read[at], expected(tree), JSON.stringify([...tree.files]));
    }
    const trees = samples.flatMap(([tree, one, other]) => {
      const wanted = choice(one, other);
      return orRefused(() => edit(limits, tree, wanted)) ? [edited(limits, tree, wanted)] : [];
    });
    const comparable = trees.filter(expected);
    const after = sessions(comparable);
    for (const [at, tree] of comparable.entries()) {
      assert.deepEqual(after[at], expected(tree), JSON.stringify([...tree.files]));
    }
    assert(comparable.length > FILES / 4, `only ${comparable.length} of ${FILES} files could be edited and compared`);
  });
});
