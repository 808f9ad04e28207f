/** The packed tarball in a fresh project, as its user has it, on each supported Node.js. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { type SshServer, startSshServer } from "../../examples/demo/ssh-server";
import { Stack } from "../../examples/demo/stack";
import { nodeBinary, testedMajors } from "../support/node-versions";

const repository = join(__dirname, "../..");
const npm = (folder: string, ...args: string[]) =>
  execFileSync("npm", [...args, "--no-fund", "--no-audit", "--loglevel=error"], { cwd: folder, encoding: "utf8" });

const PROGRAM = `
import * as pulumi from "@pulumi/pulumi";
import { sizing, WaptServer } from "pulumi-wapt";

const config = new pulumi.Config();
const server = new WaptServer("paris", {
  connection: config.requireObject("connection"),
  root: config.require("root"),
  clients: 2500,
});
export const settings = server.settings;
export const sizes = sizing(2500);
export const node = process.version;
`;

/** Each use of a declaration that would be `any` where a module of it were missing is an error here. */
const TYPES = `
import { type ConnectionArgs, sizing, WaptServer, type WaptServerArgs } from "pulumi-wapt";

const connection: ConnectionArgs = { host: "wapt.example", port: 22, sudo: true, proxy: { host: "bastion.example" } };
// @ts-expect-error There is no such field.
export const misspelt: ConnectionArgs = { host: "wapt.example", prot: 22 };
// @ts-expect-error A port is a number.
export const mistyped: ConnectionArgs = { host: "wapt.example", port: "22" };
const args: WaptServerArgs = { connection, clients: sizing(2500).maxClients };
new WaptServer("paris", args);
`;
const STRICT = {
  strict: true,
  noEmit: true,
  skipLibCheck: false,
  target: "es2022",
  module: "node16",
  moduleResolution: "node16",
};

const skip = process.platform === "linux" ? false : "it fetches binaries for Linux";

describe("the packed package", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-package-"));
  const project = join(folder, "project");
  let ssh: SshServer;

  before(async () => {
    ssh = await startSshServer();
    mkdirSync(project);
    const [{ filename }] = JSON.parse(
      npm(repository, "pack", "--ignore-scripts", "--json", "--pack-destination", folder),
    );
    const { devDependencies } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
    writeFileSync(
      join(project, "package.json"),
      JSON.stringify({
        name: "fresh",
        private: true,
        dependencies: { "pulumi-wapt": `file:${join(folder, filename)}`, typescript: devDependencies.typescript },
      }),
    );
    writeFileSync(
      join(project, "Pulumi.yaml"),
      "name: fresh\nruntime: nodejs\nmain: index.ts\noptions: {refresh: always}\n",
    );
    writeFileSync(join(project, "index.ts"), PROGRAM);
    npm(project, "install", "--prefer-offline");
  });
  after(() => {
    ssh?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("compiles in a project that has no @pulumi/command, its declarations included", () => {
    assert.equal(existsSync(join(project, "node_modules/@pulumi/command")), false);
    const types = join(project, "types");
    mkdirSync(types);
    writeFileSync(join(types, "index.ts"), TYPES);
    const options = { ...STRICT, types: [], typeRoots: [] };
    writeFileSync(join(types, "tsconfig.json"), JSON.stringify({ compilerOptions: options }));
    const { stdout } = spawnSync(process.execPath, [join(project, "node_modules/typescript/bin/tsc"), "-p", types], {
      cwd: project,
      encoding: "utf8",
    });
    // Other packages' declarations may have errors of their own.
    const ours = stdout.split("\n").filter((line) => /^types\/|pulumi-wapt/.test(line));
    assert.deepEqual(ours, []);
  });

  test("holds what its users need, and nothing else", () => {
    const [{ files }] = JSON.parse(npm(repository, "pack", "--ignore-scripts", "--dry-run", "--json"));
    const paths = (files as { path: string }[]).map((file) => file.path).filter((path) => !path.startsWith("dist/"));
    assert.deepEqual(paths.sort(), ["CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
  });

  for (const major of skip ? [] : testedMajors()) {
    test(`converges from a fresh project on Node.js ${major}`, async () => {
      const cli = await pulumiCli((line) => console.error(line));
      const root = join(folder, `server-${major}`);
      cpSync(join(repository, "examples/demo/untuned"), root, { recursive: true });
      const connection = { host: "127.0.0.1", port: ssh.port, user: userInfo().username, hostKey: ssh.hostKey };
      const stack = new Stack({
        cli,
        project,
        name: `node${major}`,
        folder: join(folder, `stack-${major}`),
        config: { "fresh:connection": connection, "fresh:root": root },
        env: {
          PATH: `${nodeBinary(major)}:${cli.bin}:${process.env.PATH}`,
          PULUMI_WAPT_SSH_PRIVATE_KEY: ssh.privateKey,
        },
      });
      await stack.init();
      const up = await stack.pulumi("up", "--yes", "--skip-preview");
      assert.equal(up.code, 0, up.output);
      assert.match(up.output, new RegExp(`node *: "v${major}\\.`));
      assert.match(readFileSync(join(root, "etc/nginx/nginx.conf"), "latin1"), /worker_connections 6250;/);
      // The others differ in what runs the same calls: `npm run rounds` makes them there too.
      if (major !== testedMajors()[0] && process.env.ROUNDS !== "all") return;
      const again = await stack.pulumi("preview", "--expect-no-changes");
      assert.equal(again.code, 0, again.output);
      const destroyed = await stack.pulumi("destroy", "--yes", "--skip-preview");
      assert.equal(destroyed.code, 0, destroyed.output);
      assert.match(readFileSync(join(root, "etc/nginx/nginx.conf"), "latin1"), /worker_connections 768;/);
    });
  }
});
