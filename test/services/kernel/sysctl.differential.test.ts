/** Our reading and editing of sysctl files against procps and systemd-sysctl, in a network namespace of their own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { sysctl, sysctlOrder } from "../../../provider/services/kernel/sysctl";
import type { Tree } from "../../../provider/text/format";
import { edit, edited, orRefused, values } from "../../support/lossless";
import { anyTree, KEYS, value } from "../../support/sysctl-arbitrary";

const FILES = 1200;
const SYSTEMD_SYSCTL = "/usr/lib/systemd/systemd-sysctl";
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** What the kernel holds before a file is read. */
const UNSET = { "net.core.somaxconn": "11", "net.ipv4.tcp_max_syn_backlog": "12" };

const why = whyNotReaders();
const isSkipped = why !== undefined && process.env.CI !== "true";

function whyNotReaders(): string | undefined {
  if (!existsSync(SYSTEMD_SYSCTL)) return `${SYSTEMD_SYSCTL} is not installed`;
  if (spawnSync("sysctl", ["--version"]).status !== 0) return "sysctl of procps is not installed";
  const namespace = spawnSync("unshare", ["-n", "sh", "-c", "echo 11 > /proc/sys/net/core/somaxconn"]);
  return namespace.status === 0 ? undefined : "no right to make a network namespace and set its values";
}

type Values = Record<string, string>;

/** The kernel's values after each tree was read by procps, and by systemd-sysctl. */
function effective(trees: readonly Tree[]): { procps: Values; systemd: Values }[] {
  const folder = mkdtempSync(join(tmpdir(), "sysctl-"));
  const files = trees.map(({ root, files, after = [] }, at) =>
    [root, ...after].map((file, place) => {
      const path = join(folder, `${at}-${place}.conf`);
      writeFileSync(path, files.get(file) ?? "", "latin1");
      return path;
    }),
  );
  const apply = (reader: string) => `echo 11 >$core; echo 12 >$ipv4; ${reader} >&2; cat $core $ipv4`;
  const script = files.map((paths) =>
    [apply(`sysctl -q -p ${paths.join(" ")}`), apply(`${SYSTEMD_SYSCTL} ${paths.join(" ")}`)].join("\n"),
  );
  const names = "core=/proc/sys/net/core/somaxconn; ipv4=/proc/sys/net/ipv4/tcp_max_syn_backlog\n";
  const input = names + script.join("\n");
  const { stdout } = spawnSync("unshare", ["-n", "sh"], { input, maxBuffer: 2 ** 26, encoding: "latin1" });
  const output = stdout.trim().split("\n");
  rmSync(folder, { recursive: true });
  assert.equal(output.length, trees.length * 4);
  const at = (line: number): Values => ({ [KEYS[0]]: output[line]!, [KEYS[1]]: output[line + 1]! });
  return trees.map((_, index) => ({ procps: at(index * 4), systemd: at(index * 4 + 2) }));
}

/** The files that `sysctl --system` says it applies, for each set of empty files; nothing outside is seen or changed. */
function systemOrder(folders: readonly string[], sets: readonly (readonly string[])[]): string[][] {
  const tmpfs = ["/run", "/usr/local/lib", "/etc/sysctl.d", "/usr/lib/sysctl.d"].map(
    (place) => `mount -t tmpfs none ${place}`,
  );
  const fresh = [
    ...tmpfs,
    "mkdir /run/sysctl.d /usr/local/lib/sysctl.d",
    ">/run/empty",
    "mount --bind /run/empty /etc/sysctl.conf",
  ];
  const clear = `rm -f ${folders.map((folder) => `${folder}/*`).join(" ")}`;
  const each = sets.map(
    (paths) => `${clear}\n: >/dev/null ${paths.map((path) => `>${path}`).join(" ")}\necho SET; sysctl --system`,
  );
  const input = [...fresh, ...each].join("\n");
  const { stdout } = spawnSync("unshare", ["-n", "-m", "sh"], { input, encoding: "latin1" });
  const applied = (output: string) => [...output.matchAll(/^\* Applying (\S+) \.\.\.$/gm)].map(([, path]) => path!);
  return stdout.split("SET\n").slice(1).map(applied);
}

/**
 * The kernel's value: it takes a number up to a blank; the sentinel where nothing sets the key, undefined where it would
 * refuse the text.
 */
function taken(tree: Tree, key: keyof typeof UNSET): string | undefined {
  const text = values(sysctl, tree, [key])[key];
  if (text === undefined) return UNSET[key];
  const number = /^([1-9][0-9]{0,4})(?:[ \t]|$)/.exec(text)?.[1];
  return number === undefined || Number(number) > 60_000 ? undefined : number;
}

function assertTaken(tree: Tree, real: { procps: Values; systemd: Values }, message: string): void {
  for (const key of KEYS) {
    const ours = taken(tree, key);
    if (ours === undefined) continue;
    assert.equal(real.procps[key], ours, `procps, ${key}, ${message}`);
    assert.equal(real.systemd[key], ours, `systemd, ${key}, ${message}`);
  }
}

const shown = ({ files }: Tree) => JSON.stringify([...files]);

describe(`sysctl against procps and systemd (SEED=${seed})`, { skip: isSkipped && why }, () => {
  test("sysctl --system reads files in our order", () => {
    assert.equal(why, undefined);
    const folders = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];
    const names = ["50-a.conf", "wapt.conf", "Z.conf", "wapt-2.conf", "wapta.conf", "zz.conf", "zz.txt"];
    const path = fc.tuple(fc.constantFrom(...folders), fc.constantFrom(...names)).map((parts) => parts.join("/"));
    const sets = fc.sample(fc.uniqueArray(path, { maxLength: 12 }), { numRuns: 40, seed });
    for (const [at, real] of systemOrder(folders, sets).entries()) {
      const read = [...sets[at]!, "/etc/sysctl.conf"];
      const root = "/etc/sysctl.d/wapt.conf";
      const ours = sysctlOrder(read, root).after;
      assert.deepEqual(real.slice(real.length - ours.length), ours, read.join(" "));
      assert.equal(
        real[real.length - ours.length - 1],
        read.includes(root) ? root : real[real.length - ours.length - 1],
      );
    }
  });

  test(`${FILES} files are read alike, and edited so that both take the wanted value`, () => {
    assert.equal(why, undefined);
    const samples = fc.sample(fc.tuple(anyTree, value), { numRuns: FILES, seed });
    const readable = samples.filter(([tree]) => orRefused(() => sysctl.read(tree, KEYS)));
    const read = effective(readable.map(([tree]) => tree));
    for (const [at, [tree]] of readable.entries()) assertTaken(tree, read[at]!, shown(tree));
    const edits = readable.filter(([tree, wanted]) => orRefused(() => edit(sysctl, tree, { [KEYS[0]]: wanted })));
    const results = edits.map(([tree, wanted]) => edited(sysctl, tree, { [KEYS[0]]: wanted }));
    const after = effective(results);
    for (const [at, [tree, wanted]] of edits.entries()) {
      assert.equal(taken(results[at]!, KEYS[0]), wanted);
      assert.equal(taken(results[at]!, KEYS[1]), taken(tree, KEYS[1]));
      assertTaken(results[at]!, after[at]!, `${wanted} in ${shown(tree)}`);
    }
    assert(edits.length > FILES / 2, `only ${edits.length} of ${FILES} files could be edited`);
  });
});
