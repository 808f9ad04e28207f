/**
 * The provider in each resource of users' states, from the built package (`npm run build` first). Whatever changes this
 * text is a change of every state.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { copiedServer } from "../../examples/demo/server";
import { Stack } from "../../examples/demo/stack";
import { WaptServer } from "../../provider/pulumi/program/classes";
import { definitions } from "../../provider/resources";
import { registrations } from "../support/mocked-program";

const repository = join(__dirname, "../..");
const built = join(repository, "dist/pulumi/program/shim.js");
const types = definitions.map(({ type }) => type);

/** The text of a built file, loaded anew. */
function textOf(type: string, file = built): string {
  delete require.cache[require.resolve(file)];
  return require(file).shim(type);
}

/** Calls each method, and prints what comes of it. */
const CALLER = `
const config = { get: (key) => "the value of " + key };
const provider = require("./provider.js").handler();
Promise.all([
  provider.check("olds", "news"),
  provider.diff("id", "olds", "news"),
  provider.create("inputs"),
  provider.update("id", "olds", "news"),
  provider.read("id", "props"),
  provider.delete("id", "props"),
  provider.configure({ config }).then(([name, get]) => [name, get("key")]),
]).then((calls) => console.log(JSON.stringify(calls)));
`;

/** What a text calls of a runtime that notes its calls, in plain Node.js as in Pulumi's own process. */
function callsOf(context: TestContext, text: string): unknown[][] {
  const folder = mkdtempSync(join(tmpdir(), "wapt-shim-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const runtime = join(folder, "node_modules/pulumi-wapt");
  mkdirSync(runtime, { recursive: true });
  writeFileSync(join(runtime, "package.json"), '{"exports": {"./runtime": "./runtime.js"}}');
  const names = ["configure", "check", "diff", "create", "update", "read", "remove"];
  const noted = names.map((name) => `exports.${name} = (...args) => ["${name}", ...args];`);
  writeFileSync(join(runtime, "runtime.js"), noted.join("\n"));
  writeFileSync(join(folder, "provider.js"), text);
  writeFileSync(join(folder, "caller.js"), CALLER);
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder, "caller.js")], { encoding: "utf8", env: {} });
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

describe("the provider in a state", () => {
  for (const type of types) {
    it(`of ${type} hands each call on to the runtime, with the type's name`, (context) => {
      assert.deepEqual(callsOf(context, textOf(type)), [
        ["check", type, "olds", "news"],
        ["diff", type, "id", "olds", "news"],
        ["create", type, "inputs"],
        ["update", type, "id", "olds", "news"],
        ["read", type, "id", "props"],
        ["remove", type, "id", "props"],
        ["configure", "the value of key"],
      ]);
    });
  }

  it("is what 0.2 has written, whatever has made it: another text is a change of every resource of every user", () => {
    const texts = types.map((type) => textOf(type).replace(JSON.stringify(type), "TYPE"));
    assert.equal(new Set(texts).size, 1);
    assert.equal(
      createHash("sha256").update(texts[0]!).digest("hex"),
      "62747a10a9ae48e9057776f8b80e9000f6e1503a6be592bdbfd4fc3a15331db1",
    );
  });

  it("holds no path and loads nothing but the runtime", () => {
    const text = textOf("WaptServer");
    assert.ok(text.length < 1000, `${text.length} bytes`);
    assert.doesNotMatch(text, /require\(|__dirname|__filename|sourceMappingURL|["'`](file:|\.{0,2}\/)/);
    assert.deepEqual(text.match(/import\(.*?\)/g), ['import("pulumi-wapt/runtime")']);
  });

  it("is no secret, and goes to Pulumi as a dynamic resource's", async () => {
    const { registered } = await registrations(
      {},
      () => new WaptServer("one", { connection: { host: "a" }, clients: 1 }),
    );
    assert.equal(registered[0]?.type, "pulumi-nodejs:dynamic/pulumi-wapt:WaptServer");
    assert.equal(registered[0]?.inputs.__provider, textOf("WaptServer"));
  });
});

interface State {
  deployment: { resources: { type: string; inputs?: Inputs; outputs?: Inputs }[] };
}
type Inputs = { __provider?: unknown };

/** The site program of the repository, or of a copy of it elsewhere where the package is behind a link. */
async function stateOf(context: TestContext, project: string): Promise<State> {
  const folder = mkdtempSync(join(tmpdir(), "wapt-shim-state-"));
  const server = await copiedServer();
  context.after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const cli = await pulumiCli((line) => console.error(line));
  const config = {
    "wapt-site:servers": [{ ...server.config, clients: 100 }],
    "wapt-site:uploads": "/srv/wapt-uploads",
    "wapt-site:minFree": "1KiB",
  };
  const stack = new Stack({ cli, project, name: "paris", folder, config, env: server.env });
  await stack.init();
  const up = await stack.pulumi("up", "--yes", "--skip-preview");
  assert.equal(up.code, 0, up.output);
  const exported = await stack.pulumi("stack", "export");
  return JSON.parse(exported.stdout);
}

async function assertHoldsShims({ deployment }: State): Promise<void> {
  const dynamic = deployment.resources.filter(({ type }) => type.startsWith("pulumi-nodejs:dynamic/"));
  assert.deepEqual(
    dynamic.map(({ type }) => type.split(":").at(-1)),
    ["WaptServer"],
  );
  for (const { type, inputs, outputs } of dynamic) {
    const text = textOf(type.split(":").at(-1)!);
    assert.equal(inputs?.__provider, text);
    assert.equal(outputs?.__provider, text);
  }
}

describe("__provider in a state", () => {
  it("is that text, for the site program in this repository", async (context) => {
    await assertHoldsShims(await stateOf(context, repository));
  });

  it("is that text, for a project elsewhere that has the package behind a link", async (context) => {
    const project = mkdtempSync(join(tmpdir(), "wapt-linked-"));
    context.after(() => rmSync(project, { recursive: true, force: true }));
    for (const name of ["Pulumi.yaml", "examples/site"]) {
      cpSync(join(repository, name), join(project, name), { recursive: true });
    }
    mkdirSync(join(project, "node_modules"));
    symlinkSync(repository, join(project, "node_modules/pulumi-wapt"));
    for (const name of ["@pulumi", "@types", "typescript"]) {
      symlinkSync(join(repository, "node_modules", name), join(project, "node_modules", name));
    }
    await assertHoldsShims(await stateOf(context, project));
  });
});
