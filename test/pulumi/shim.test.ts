/**
 * The provider as Pulumi serializes it into each resource of users' states, from the built package (`npm run build`
 * first). Whatever changes this text shows as a change of every resource of every user.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { dynamic } from "@pulumi/pulumi";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { copiedServer } from "../../examples/demo/server";
import { Stack } from "../../examples/demo/stack";
import { definitions } from "../../provider/resources";
import { registrations } from "../support/mocked-program";

const repository = join(__dirname, "../..");
const built = join(repository, "dist/pulumi/program/shim.js");
const types = definitions.map(({ type }) => type);

type Shim = (type: string) => dynamic.ResourceProvider;

/** Loads the file anew. */
function load(file: string): Shim {
  delete require.cache[require.resolve(file)];
  return require(file).shim;
}

class Dynamic extends dynamic.Resource {}

/** What Pulumi's own class of dynamic resources writes for this provider. */
async function serialized(shim: Shim, type: string): Promise<string> {
  const { registered } = await registrations({}, () => new Dynamic(shim(type), "one", {}));
  const text = registered[0]?.inputs.__provider;
  // Were it a secret, it would be an object here, and be encrypted in the state.
  assert.ok(typeof text === "string");
  return text;
}

/** The functions in a serialized text, and what each has captured beside `this` and `arguments`. */
function functionsIn(text: string): { captured: string; body: string }[] {
  const written = /with\(\{ (.*)this: undefined, arguments: undefined \}\) \{\n\nreturn (.*);\n\n/g;
  return [...text.matchAll(written)].map(([, captured = "", body = ""]) => ({ captured, body }));
}

const call = (name: string, params: string, given: string) =>
  `async (${params}) => (await import("pulumi-wapt/runtime")).${name}(${given})`;

const METHODS = [
  call("configure", "request", "(key) => request.config.get(key)"),
  call("check", "olds, news", "type, olds, news"),
  call("diff", "id, olds, news", "type, id, olds, news"),
  call("create", "inputs", "type, inputs"),
  call("update", "id, olds, news", "type, id, olds, news"),
  call("read", "id, props", "type, id, props"),
  call("remove", "id, props", "type, id, props"),
];

describe("the serialized provider", () => {
  for (const type of types) {
    it(`of ${type} is small: each method imports the runtime by name and has captured the type's name alone`, async () => {
      const text = await serialized(load(built), type);
      // Pulumi's serializer itself writes about 180 bytes around each of the eight functions.
      assert.ok(text.length < 2450, `${text.length} bytes`);
      const [configure, ...others] = functionsIn(text);
      const handler = others.pop();
      assert.deepEqual(configure, { captured: "", body: METHODS[0] });
      const captured = `type: "${type}", `;
      assert.deepEqual(
        others,
        METHODS.slice(1).map((body) => ({ captured, body })),
      );
      assert.deepEqual(handler, { captured: "provider: __provider, ", body: "() => provider" });
      assert.equal(text.match(/^function /gm)?.length, METHODS.length + 1);
    });

    it(`of ${type} holds no path of the machine it was made on`, async () => {
      const text = await serialized(load(built), type);
      assert.equal(text.includes(repository), false);
      assert.deepEqual(text.match(/["'`](file:|\.{0,2}\/|[A-Za-z]:\\)/g), null);
      assert.doesNotMatch(text, /require\(|__dirname|__filename|sourceMappingURL/);
    });

    it(`of ${type} is the same for two loads, also from another folder`, async (context) => {
      const folder = mkdtempSync(join(tmpdir(), "wapt-shim-"));
      context.after(() => rmSync(folder, { recursive: true, force: true }));
      mkdirSync(join(folder, "elsewhere"));
      cpSync(built, join(folder, "elsewhere/shim.js"));
      const [first, second] = [load(built), load(built)];
      assert.notEqual(first, second);
      const text = await serialized(first, type);
      assert.equal(await serialized(second, type), text);
      assert.equal(await serialized(load(join(folder, "elsewhere/shim.js")), type), text);
    });
  }

  it("differs between the types in nothing but the name", async () => {
    const texts = new Set<string>();
    for (const type of types) texts.add((await serialized(load(built), type)).replaceAll(type, ""));
    assert.equal(texts.size, 1);
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
    const text = await serialized(load(built), type.split(":").at(-1)!);
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
