/** The package as it is built (`npm run build` first) and as programs load it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import ts from "typescript";
import { definitions } from "../../provider/resources";

const repository = join(__dirname, "../..");

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

  it("loads nothing of SSH into a program's process: only the provider's has to do with servers", async (context) => {
    const loaded = `console.log(Object.keys(require.cache).filter((path) => /ssh/i.test(path)).join());`;
    const imports = `const pulumi = require("@pulumi/pulumi");\nconst { WaptServer, sizing } = require("pulumi-wapt");\n`;
    assert.equal(await run(context, "loaded.cjs", `${imports}${mocks}${check}${loaded}`), "7500");
    const runtime = `require("pulumi-wapt/runtime");${loaded}`;
    assert.match(await run(context, "runtime.cjs", runtime), /ssh2/, "where it is loaded it is seen");
  });

  it("exports what the documentation names, and the runtime that states refer to", async (context) => {
    const text = `console.log(JSON.stringify([require("pulumi-wapt"), require("pulumi-wapt/runtime"), require("pulumi-wapt/site")].map((one) => Object.keys(one).sort())));`;
    assert.deepEqual(JSON.parse(await run(context, "names.cjs", text)), [
      [
        ...["KernelLimits", "NginxTuning", "PostgresConnections", "ProxyTempPath", "SizingError", "WaptServer"],
        ...["WaptServerIni", "sizing"],
      ],
      ["check", "configure", "create", "diff", "read", "remove", "update"],
      ["SiteError", "serversOfStack", "siteOf"],
    ]);
  });
});

/** A program of one file in a folder whose node_modules have this package, as the TypeScript compiler sees it. */
function compiled(context: TestContext, text: string, options: ts.CompilerOptions): ts.Program {
  const folder = mkdtempSync(join(tmpdir(), "wapt-types-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(repository, join(folder, "node_modules/pulumi-wapt"));
  symlinkSync(join(repository, "node_modules/@pulumi"), join(folder, "node_modules/@pulumi"));
  writeFileSync(join(folder, "program.ts"), text);
  return ts.createProgram([join(folder, "program.ts")], { strict: true, skipLibCheck: true, noEmit: true, ...options });
}

describe("the declarations of the built package", () => {
  const entries = `import { WaptServer } from "pulumi-wapt";
import { read } from "pulumi-wapt/runtime";
import { siteOf } from "pulumi-wapt/site";
export const all: [string, Function, Function] = [WaptServer.name, read, siteOf];
export const none: number = siteOf;`;
  const { ModuleKind, ModuleResolutionKind, ScriptTarget } = ts;
  const resolutions: [string, ts.CompilerOptions][] = [
    ["node10", { module: ModuleKind.CommonJS, moduleResolution: ModuleResolutionKind.Node10 }],
    ["node16", { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 }],
    ["nodenext", { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext }],
    ["bundler", { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler }],
  ];
  for (const [name, options] of resolutions) {
    it(`are found for each entrance by the resolution ${name}`, (context) => {
      const program = compiled(context, entries, { target: ScriptTarget.ES2022, types: [], ...options });
      const errors = ts
        .getPreEmitDiagnostics(program)
        .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
      // The last line is wrong in any case, unless a type is not found and so is any.
      assert.equal(errors.length, 1, errors.join("\n"));
      assert.match(errors[0]!, /is not assignable to type 'number'/);
    });
  }

  const documented = ["ConnectionArgs", "UploadsArgs", ...definitions.map(({ type }) => `${type}Args`)];
  it("show an editor what each class, argument, field and setting is", (context) => {
    const names = [...documented, ...definitions.map(({ type }) => `${type}Settings`)];
    const classes = definitions.map(({ type }) => type);
    const text = `import * as wapt from "pulumi-wapt";\n${names.map((name) => `export type ${name} = wapt.${name};`).join("\n")}
export { ${classes.join(", ")} } from "pulumi-wapt";`;
    const program = compiled(context, text, {
      module: ModuleKind.Node16,
      moduleResolution: ModuleResolutionKind.Node16,
    });
    const checker = program.getTypeChecker();
    const file = program.getSourceFiles().find(({ fileName }) => fileName.endsWith("program.ts"))!;
    const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(file)!);
    const said = (symbol: ts.Symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker));
    const silent = exported.flatMap((symbol) => {
      if (classes.includes(symbol.name)) return said(checker.getAliasedSymbol(symbol)) ? [] : [symbol.name];
      const properties = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol));
      assert.ok(properties.length > 0, symbol.name);
      return properties.filter((property) => !said(property)).map((property) => `${symbol.name}.${property.name}`);
    });
    assert.equal(exported.length, names.length + classes.length);
    assert.deepEqual(silent, []);
  });
});

describe("the built package's code", () => {
  it("uses nothing of Node.js that is deprecated", async () => {
    const load = `for (const name of ["index", "pulumi/engine/runtime", "site", "cli"]) require("./dist/" + name + ".js");`;
    const options = ["--throw-deprecation", "--pending-deprecation", "-e", load];
    const { stderr } = await promisify(execFile)(process.execPath, options, { cwd: repository }).catch(
      (error) => error,
    );
    assert.match(stderr, /^usage:\n/, "the command, which was given no words, and no warning before it");
  });
});
