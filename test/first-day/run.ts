/**
 * `npm run first-day`: the README's own program in a fresh project, by npm and by pnpm, as TypeScript, as an ES module and
 * as CommonJS, on each supported Node.js, up to the preview of a server that is a copy of files.
 * FIRST_DAY=22 is one Node.js alone.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type PulumiCli, pulumiCli } from "../../examples/demo/pulumi-cli";
import { copiedServer, type DemoServer } from "../../examples/demo/server";
import { Stack } from "../../examples/demo/stack";
import { run } from "../support/command";
import { nodeBinary, testedMajors } from "../support/node-versions";

const repository = join(__dirname, "../..");
const QUIET = ["--no-fund", "--no-audit", "--loglevel=error"];
const MANAGERS = ["npm", "pnpm"] as const;
/** pnpm ends with status 1 where scripts of dependencies were neither allowed nor declined; none of them is needed. */
const INSTALL = { npm: [], pnpm: ["--ignore-scripts"] };

/** The README's block, for the stack's own server. */
const [, README_PROGRAM = ""] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(join(repository, "README.md"), "utf8")) ?? [];
const CALL = README_PROGRAM.replace(/^import .*\n/, "").replace(
  'connection: { host: "wapt.paris.example" },',
  "...JSON.parse(process.env.FIRST_DAY_SERVER),",
);
const PROGRAMS = {
  // pnpm lays no declarations of other packages beside the program.
  "index.ts": `import { WaptServer } from "pulumi-wapt";\ndeclare const process: { env: { [name: string]: string } };\n${CALL.replace("FIRST_DAY_SERVER", "FIRST_DAY_SERVER!")}`,
  "index.mjs": `import { WaptServer } from "pulumi-wapt";\n${CALL}`,
  "index.cjs": `const { WaptServer } = require("pulumi-wapt");\n${CALL}`,
};

describe("the first day", () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-first-day-"));
  let cli: PulumiCli;
  let server: DemoServer;
  let tarball: string;

  before(async () => {
    assert.match(CALL, /FIRST_DAY_SERVER/, "the README's program has its connection in a line of its own");
    cli = await pulumiCli((line) => console.error(line));
    server = await copiedServer();
    const { stdout, stderr } = await run(
      ["npm", "pack", repository, "--ignore-scripts", "--json", ...QUIET],
      {},
      folder,
    );
    assert.equal(stderr, "");
    tarball = join(folder, JSON.parse(stdout)[0].filename);
    const { code } = await run(["npm", "install", "--prefix", folder, "pnpm", ...QUIET], {}, folder);
    assert.equal(code, 0);
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const majors = process.env.FIRST_DAY ? [Number(process.env.FIRST_DAY)] : testedMajors();
  for (const major of majors) for (const manager of MANAGERS) day(major, manager);

  function day(major: number, manager: (typeof MANAGERS)[number]): void {
    describe(`with ${manager} on Node.js ${major}`, () => {
      const project = join(folder, `${manager}-${major}`);
      const path = () =>
        [nodeBinary(major), join(folder, "node_modules/.bin"), cli.bin, process.env.PATH].join(delimiter);

      before(async () => {
        mkdirSync(project);
        cpSync(join(repository, "examples/new-site/tsconfig.json"), join(project, "tsconfig.json"));
        const { dependencies } = JSON.parse(readFileSync(join(repository, "examples/new-site/package.json"), "utf8"));
        const manifest = {
          name: "fresh",
          private: true,
          dependencies: { ...dependencies, "pulumi-wapt": `file:${tarball}` },
        };
        writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
        const { code, stdout, stderr } = await run(
          [manager, "install", ...INSTALL[manager]],
          { PATH: path(), CI: "true", XDG_DATA_HOME: join(folder, "data") },
          project,
        );
        assert.equal(code, 0, stdout + stderr);
      });

      for (const [main, text] of Object.entries(PROGRAMS)) {
        test(`${main} previews what stands on the server and what is wanted`, async () => {
          writeFileSync(join(project, main), text);
          const runtime = `runtime:\n  name: nodejs\n  options:\n    packagemanager: ${manager}\n`;
          writeFileSync(
            join(project, "Pulumi.yaml"),
            `name: fresh\n${runtime}main: ${main}\noptions:\n  refresh: always\n`,
          );
          const { host, connection, root } = server.config as { host: string; connection: object; root: string };
          const args = JSON.stringify({ connection: { ...connection, host }, root });
          const env = { ...server.env, PATH: path(), FIRST_DAY_SERVER: args };
          const name = main.replace(".", "-");
          const stack = new Stack({ cli, project, name, folder: join(project, `stack-${name}`), config: {}, env });
          await stack.init();
          const { code, output } = await stack.pulumi("preview", "--diff");
          assert.equal(code, 0, output);
          assert.match(output, /worker_connections *: 768\b/);
          assert.match(output, /worker_connections *: 7500\b/);
          assert.doesNotMatch(output, /Deprecation|warning:/i);
        });
      }
    });
  }
});
