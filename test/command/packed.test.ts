/** The command from the packed tarball, in a folder that has nothing else. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type CommandRun, run } from "../support/command";
import { pulumiStandIn } from "../support/pulumi-stand-in";

const repository = join(__dirname, "../..");
const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));

describe("the packed command", () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-packed-"));
  const project = join(folder, "project");
  const npm = (...args: string[]) =>
    execFileSync("npm", [...args, "--no-fund", "--no-audit", "--loglevel=error"], { cwd: project, encoding: "utf8" });
  const npx = (words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandRun> =>
    run(["npx", "--no-install", "pulumi-wapt", ...words], env, project);

  before(() => {
    mkdirSync(project);
    const [{ filename }] = JSON.parse(npm("pack", repository, "--ignore-scripts", "--json"));
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "fresh", private: true }));
    npm("install", "--prefer-offline", join(project, filename));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("says its version, and sizes", async () => {
    assert.deepEqual(await npx(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
    const { code, stdout } = await npx(["sizing", "3000"]);
    assert.equal(code, 0);
    assert.match(stdout, /^workerConnections +7500$/m);
  });

  it("lists the stacks of a fleet", async (t) => {
    const fleet = pulumiStandIn({ paris: {}, lyon: {} });
    t.after(fleet.remove);
    assert.deepEqual(await npx(["fleet", "list"], fleet.env), { code: 0, stdout: "lyon\nparis\n", stderr: "" });
  });

  it("has the shell programs that a server is sent: it ends where no server is, not before", async () => {
    const { code, stderr } = await npx(["inspect", "127.0.0.1", "--clients", "400", "--port", "1"]);
    assert.equal(code, 1);
    assert.match(stderr, /127\.0\.0\.1:1: the connection was refused/);
  });
});
