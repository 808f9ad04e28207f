/** Our drop-in, and the order of drop-ins, against systemd itself, which loads units and dumps them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { dropIn, dropInOrder } from "../../../provider/services/systemd/drop-in";
import { edited, orRefused } from "../../support/lossless";

const SYSTEMD = "/usr/lib/systemd/systemd";
const FOLDERS = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/local/lib/systemd/system",
  "/usr/lib/systemd/system",
];
const ROOT = "/etc/systemd/system/a-b.service.d/wapt.conf";
const KEY = "Service.LimitNOFILE";
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

const why = whyNotSystemd();
const isSkipped = why !== undefined && process.env.CI !== "true";

function whyNotSystemd(): string | undefined {
  if (!existsSync(SYSTEMD)) return `${SYSTEMD} is not installed`;
  try {
    return limitOf(new Map([[ROOT, "[Service]\nLimitNOFILE=5\n"]])) === "5"
      ? undefined
      : "systemd shows no limit of a unit";
  } catch (error) {
    return `systemd does not load units here: ${error}`;
  }
}

/** The limit of a-b.service with these drop-ins, `SOFT:HARD` where the two differ. */
function limitOf(dropIns: ReadonlyMap<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), "systemd-"));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text, "latin1");
  };
  const unit = (name: string, text: string) =>
    write(`${FOLDERS.at(-1)}/${name}`, `[Unit]\nDefaultDependencies=no\n${text}`);
  for (const target of ["basic", "sysinit", "shutdown"]) unit(`${target}.target`, "");
  unit("a-b.service", "[Service]\nExecStart=/bin/true\nLimitNOFILE=7:8\n");
  for (const [file, text] of dropIns) write(file, text);
  try {
    const dump = load(root, FOLDERS.map((folder) => join(root, folder)).join(":"));
    const own = dump.slice(dump.indexOf("-> Unit a-b.service:"));
    const [soft, hard] = ["Soft", ""].map(
      (kind) => new RegExp(`^\t\tLimitNOFILE${kind}: ([0-9]+)$`, "m").exec(own)?.[1],
    );
    assert(soft !== undefined && hard !== undefined, "the unit is not in systemd's dump");
    return soft === hard ? hard : `${soft}:${hard}`;
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** systemd refuses to test as root, so root becomes nobody. */
function load(root: string, unitPath: string): string {
  spawnSync("chmod", ["755", root]);
  const asNobody = process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  const environment = [
    "env",
    "-i",
    `PATH=${process.env.PATH}`,
    `SYSTEMD_UNIT_PATH=${unitPath}`,
    "SYSTEMD_LOG_TARGET=null",
  ];
  const [command, ...args] = [...asNobody, ...environment, SYSTEMD, "--test", "--system", "--unit=a-b.service"];
  const { stdout, status, error } = spawnSync(command!, args, { maxBuffer: 2 ** 28, encoding: "latin1" });
  if (error) throw error;
  assert.equal(status, 0);
  return stdout;
}

const kind = fc.constantFrom("a-b.service.d", "a-b.service.d", "a-.service.d", "service.d", "b.service.d");
const name = fc.constantFrom("10-x.conf", "wapt.conf", "wapt-2.conf", "Z.conf", "zz.conf", "zz.txt");
const paths = fc.uniqueArray(
  fc.tuple(fc.constantFrom(...FOLDERS), kind, name).map((parts) => parts.join("/")),
  { maxLength: 8 },
);

describe(`our drop-in against systemd (SEED=${seed})`, { skip: isSkipped && why }, () => {
  test("drop-ins are read in our order", () => {
    assert.equal(why, undefined);
    for (const some of fc.sample(paths, { numRuns: 40, seed })) {
      const all = [...new Set([...some, ROOT])];
      const texts = new Map(all.map((file, at) => [file, `[Service]\nLimitNOFILE=${at + 100}\n`]));
      const deciding = all[Number(limitOf(texts)) - 100];
      assert.equal(deciding, [ROOT, ...dropInOrder(all, ROOT).after].at(-1), all.join(" "));
    }
  });

  test("what we write is what systemd takes, or the later drop-in that is in its way is refused", () => {
    assert.equal(why, undefined);
    const line = fc.constantFrom(
      ...["LimitNOFILE=5", " LimitNOFILE = 6 ", "LimitNOFILE=32768", "LimitNOFILE=32768:32768", "LimitNOFILE="],
      ...[
        "LimitNOFILESoft=5",
        "#LimitNOFILE=5",
        "; LimitNOFILE=5",
        "LimitNPROC=5",
        "[Service]",
        "[Unit]",
        "Nice=1",
        "",
      ],
    );
    const end = fc.constantFrom("\n", "\n", "\n", "\r\n", "\r");
    const text = fc.array(fc.tuple(line, end), { maxLength: 5 }).map((lines) => `[Service]\n${lines.flat().join("")}`);
    let edits = 0;
    for (const [own, later] of fc.sample(fc.tuple(fc.option(text), text), { numRuns: 60, seed })) {
      const file = ROOT.replace("wapt", "zz");
      const files = new Map([...(own === null ? [] : [[ROOT, own] as const]), [file, later] as const]);
      const after = orRefused(() => edited(dropIn, { root: ROOT, files, after: [file] }, { [KEY]: "32768" }));
      if (!after) continue;
      edits++;
      assert.equal(limitOf(after.files), "32768", JSON.stringify([...files]));
    }
    assert(edits > 10, `only ${edits} drop-ins could be edited`);
  });
});
