/** The package as it is built (`npm run build` first) and as programs load it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";

describe("the built package", () => {
  const check = `
    if (typeof WaptServer !== "function" || new WaptServer("paris", { connection: { host: "wapt.example" }, clients: 10 }).settings === undefined)
      throw new Error("no WaptServer");
    console.log(sizing(3000).workerConnections);`;
  const mocks = `pulumi.runtime.setMocks({ newResource: ({ inputs }) => ({ id: "1", state: inputs }), call: ({ inputs }) => inputs });`;

  /** A project in a folder of its own, with this package in its node_modules. */
  async function run(context: TestContext, file: string, text: string): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "wapt-program-"));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    const repository = join(__dirname, "../..");
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(repository, join(folder, "node_modules/pulumi-wapt"));
    symlinkSync(join(repository, "node_modules/@pulumi"), join(folder, "node_modules/@pulumi"));
    writeFileSync(join(folder, file), text);
    const { stdout } = await promisify(execFile)(process.execPath, ["--no-warnings", file], { cwd: folder });
    return stdout.trim();
  }

  it("loads in a program of ES modules by its names", async (context) => {
    const imports = `import * as pulumi from "@pulumi/pulumi";\nimport { WaptServer, sizing } from "pulumi-wapt";\n`;
    assert.equal(await run(context, "program.mjs", `${imports}await ${mocks}${check}`), "7500");
  });

  it("loads by require", async (context) => {
    const imports = `const pulumi = require("@pulumi/pulumi");\nconst { WaptServer, sizing } = require("pulumi-wapt");\n`;
    assert.equal(await run(context, "program.cjs", `${imports}${mocks}${check}`), "7500");
  });

  it("exports what the documentation names, and the runtime that states refer to", async (context) => {
    const text = `console.log(JSON.stringify([require("pulumi-wapt"), require("pulumi-wapt/runtime"), require("pulumi-wapt/site")].map((one) => Object.keys(one).sort())));`;
    assert.deepEqual(JSON.parse(await run(context, "names.cjs", text)), [
      [
        ...["KernelLimits", "NginxTuning", "PostgresConnections", "ProxyTempPath", "SizingError", "WaptServer"],
        ...["WaptServerIni", "sizing"],
      ],
      ["check", "configure", "create", "diff", "read", "remove", "update"],
      ["SiteError", "siteOf"],
    ]);
  });
});
