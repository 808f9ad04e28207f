/** The demo by its own command, with a home and a folder for what is temporary that are looked at afterwards. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";

const repository = join(__dirname, "../..");
const skip = process.platform === "linux" ? false : "it fetches binaries for Linux";

describe("the demo", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-demo-test-"));
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
  let output = "";
  let seconds = 0;

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    for (const one of [home, temporary]) mkdirSync(one);
    const script = JSON.parse(
      spawnSync("npm", ["pkg", "get", "scripts.demo"], { cwd: repository, encoding: "utf8" }).stdout,
    );
    // The package is built: another test may be reading it.
    const command = String(script).replace(/^npm run build --silent && /, "");
    const env = {
      ...process.env,
      HOME: home,
      TMPDIR: temporary,
      PATH: `${cli.bin}:${process.env.PATH}`,
      PULUMI_HOME: "",
    };
    const began = Date.now();
    const run = spawnSync("sh", ["-c", command], { cwd: repository, encoding: "utf8", env, timeout: 300_000 });
    seconds = (Date.now() - began) / 1000;
    output = `${run.stdout}${run.stderr}`;
    assert.equal(run.status, 0, output);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("shows what stands there and what is wanted, a drift and its repair, and all as before", () => {
    assert.match(output, /^worker_connections +768 → 6250$/m);
    assert.match(output, /^max_connections +100 → 625$/m);
    assert.match(output, /^db_max_connections +90 → 615$|^db_max_connections +not set → 615$/m);
    assert.match(output, /~ worker_connections: 512 => 6250/);
    assert.match(output, /Every file is as it was, to the byte\./);
    assert.doesNotMatch(output, /\\d|\(\?:|DeprecationWarning/, "no pattern, and no warning of Node.js");
  });

  test("leaves nothing behind, at home or among what is temporary", (context) => {
    const left = [home, temporary].flatMap((one) => readdirSync(one, { recursive: true, encoding: "utf8" }));
    assert.deepEqual(left, []);
    context.diagnostic(`it took ${seconds.toFixed(0)} s`);
  });
});
