/** The README's blocks, run in the order in which they stand, in a fresh copy of the repository. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import ts from "typescript";
import { type PulumiCli, pulumiCli } from "../../examples/demo/pulumi-cli";
import { copiedServer, type DemoServer } from "../../examples/demo/server";

const repository = join(__dirname, "../..");
const skip = process.platform === "linux" ? false : "it fetches binaries for Linux";

const blocks = [...readFileSync(join(repository, "README.md"), "utf8").matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
  ([, language = "", text = ""]) => ({ language, text }),
);

describe("the README", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-readme-"));
  const clone = join(folder, "clone");
  let cli: PulumiCli;
  let server: DemoServer;

  /** Runs shell lines in the clone, and says all that they print. */
  function run(lines: string): Promise<{ code: number; output: string }> {
    const env = {
      ...process.env,
      ...cli.env,
      ...server.env,
      PATH: `${cli.bin}:${process.env.PATH}`,
      PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "local",
    };
    return new Promise((resolve) => {
      const child = spawn("sh", ["-e", "-c", lines], { cwd: clone, env, stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += bytes));
      child.on("close", (code) => resolve({ code: code ?? 255, output }));
    });
  }

  before(async () => {
    cli = await pulumiCli((line) => console.error(line));
    server = await copiedServer();
    mkdirSync(join(folder, "state"));
    const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
      cwd: repository,
      encoding: "utf8",
    });
    for (const path of listed
      .trim()
      .split("\n")
      .filter((one) => existsSync(join(repository, one)))) {
      mkdirSync(dirname(join(clone, path)), { recursive: true });
      cpSync(join(repository, path), join(clone, path));
    }
    // What npm ci brings, before it runs `prepare`.
    symlinkSync(join(repository, "node_modules"), join(clone, "node_modules"));
    assert.equal(existsSync(join(clone, "dist")), false);
    const { code, output } = await run("npm run prepare");
    assert.equal(code, 0, output);
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("has these blocks, each of which a test runs", () => {
    const kinds = blocks.map(({ language, text }) => `${language} ${text.split("\n")[0]}`);
    assert.deepEqual(kinds, [
      "text                         ┌─ nginx           worker_connections   4096 → 7500", // test/documentation.test.ts
      "sh npm ci", // with npm run demo: test/servers/demo.test.ts
      "sh pulumi stack init paris",
      'ts import { WaptServer } from "pulumi-wapt";',
      "sh npm ci && npm test", // this very run
    ]);
    assert.equal(blocks[1]!.text, "npm ci\nnpm run demo\n");
  });

  test("its five lines tune a server", async () => {
    const [, , { text } = { text: "" }] = blocks;
    assert.equal(text.trim().split("\n").length, 5);
    // The server is one of loopback, over a copy of files.
    const { connection, root } = server.config as { connection: object; root: string };
    const set = [...Object.entries(connection), ["root", root]].map(([name, value]) => {
      const path = name === "root" ? name : `connection.${name}`;
      return `pulumi config set --path 'servers[0].${path}' '${value}'`;
    });
    const here = text
      .replace("wapt.paris.example", "127.0.0.1")
      .replace("pulumi preview", `${set.join("\n")}\npulumi preview`)
      .replace("pulumi up", "pulumi up --yes");
    const { code, output } = await run(here);
    assert.equal(code, 0, output);
    assert.match(output, /before *: \{[^}]*worker_connections *: 768/);
    assert.match(output, /settings *: \{[^}]*worker_connections *: 7500/);
    assert.deepEqual(await server.inForce(), [
      "worker_connections 7500",
      "max_connections = 750",
      "db_max_connections = 740",
    ]);
    assert.doesNotMatch(output, /DeprecationWarning/);
    const destroyed = await run("pulumi destroy --yes");
    assert.equal(destroyed.code, 0, destroyed.output);
  });

  test("its program compiles as it stands", () => {
    const { text } = blocks.find(({ language }) => language === "ts")!;
    writeFileSync(join(clone, "examples/site/readme.ts"), text);
    const options = { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16, strict: true };
    const program = ts.createProgram([join(clone, "examples/site/readme.ts")], {
      ...options,
      noEmit: true,
      skipLibCheck: true,
    });
    const errors = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
    assert.deepEqual(errors, []);
  });
});
