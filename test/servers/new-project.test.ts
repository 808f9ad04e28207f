/** A project that the template makes, with the packed package, by the real CLI: under any name, in TypeScript and as an ES module. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type PulumiCli, pulumiCli } from "../../examples/demo/pulumi-cli";
import { copiedServer, type DemoServer } from "../../examples/demo/server";
import { Stack } from "../../examples/demo/stack";

const repository = join(__dirname, "../..");
const skip = process.platform === "linux" ? false : "it fetches binaries for Linux";

const ES_MODULE = `import * as pulumi from "@pulumi/pulumi";
import { WaptServer } from "pulumi-wapt";
import { siteOf } from "pulumi-wapt/site";
for (const { name, args } of siteOf(pulumi.getProject(), pulumi.runtime.allConfig())) new WaptServer(name, args);
`;

describe("a new project", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-new-"));
  const project = join(folder, "project");
  let cli: PulumiCli;
  let server: DemoServer;
  let stack: Stack;
  const run = (program: string, ...args: string[]) =>
    execFileSync(program, args, {
      cwd: folder,
      encoding: "utf8",
      env: {
        ...process.env,
        ...cli.env,
        PATH: `${cli.bin}:${process.env.PATH}`,
        PULUMI_BACKEND_URL: `file://${folder}`,
      },
    });

  before(async () => {
    cli = await pulumiCli((line) => console.error(line));
    server = await copiedServer();
    run(
      "pulumi",
      "new",
      join(repository, "examples/new-site"),
      "--name",
      "hospital",
      "--dir",
      project,
      "--generate-only",
      "--yes",
    );
    const [{ filename }] = JSON.parse(run("npm", "pack", repository, "--ignore-scripts", "--json", "--loglevel=error"));
    const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
    assert.equal(manifest.name, "hospital");
    manifest.dependencies["pulumi-wapt"] = `file:${join(folder, filename)}`;
    writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
    run("npm", "install", "--prefix", project, "--prefer-offline", "--no-fund", "--no-audit", "--loglevel=error");
    const servers = [{ ...server.config, clients: 3000 }];
    const config = { "hospital:servers": servers };
    stack = new Stack({ cli, project, name: "paris", folder, config, env: server.env });
    await stack.init();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("has a configuration under its own name, and is told how to begin", async () => {
    const yaml = readFileSync(join(project, "Pulumi.yaml"), "utf8");
    assert.match(yaml, /^name: hospital$/m);
    stack.configure({});
    const { output } = await stack.pulumi("preview");
    assert.match(
      output,
      /hospital:servers: is no list of servers: pulumi config set --path 'hospital:servers\[0\]\.host' HOST/,
    );
    stack.configure({ "hospital:servers": [{ ...server.config, clients: 3000 }] });
  });

  test("tunes a server from TypeScript", async () => {
    const { code, output } = await stack.pulumi("up", "--yes", "--skip-preview");
    assert.equal(code, 0, output);
    assert.equal((await server.inForce())[0], "worker_connections 7500");
  });

  // The other tests' programs are CommonJS.
  test("is the same as an ES module", async () => {
    writeFileSync(join(project, "program.mjs"), ES_MODULE);
    const yaml = readFileSync(join(project, "Pulumi.yaml"), "utf8");
    writeFileSync(join(project, "Pulumi.yaml"), yaml.replace(/^main: .*$/m, "main: program.mjs"));
    const { code, output } = await stack.pulumi("preview", "--json");
    assert.equal(code, 0, output);
    const { changeSummary } = JSON.parse(output.slice(output.indexOf("{")));
    // The stack's outputs are TypeScript's alone.
    assert.equal(changeSummary.same, 2, output);
  });
});
