/** A project of its own whose program is resources, or one WaptServer, with arguments that the test writes into it. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const repository = join(__dirname, "../..");

const PROGRAM = `
const { readFileSync } = require("node:fs");
const pulumi = require("@pulumi/pulumi");
const types = require("pulumi-wapt");

const { resources, configured } = JSON.parse(readFileSync(__dirname + "/arguments.json", "utf8"));
const config = new pulumi.Config();
const made = {};
for (const { type, name, args, dependsOn = [] } of resources) {
  for (const field of configured) args.connection[field] = config.requireSecret(field);
  made[name] = new types[type](name, args, { dependsOn: dependsOn.map((other) => made[other]) });
}
`;

export interface InlineResource {
  /** The name of a class of the package. */
  readonly type: string;
  readonly name: string;
  readonly args: object;
  /** Names of resources before it in the list. */
  readonly dependsOn?: readonly string[];
}

const PROJECT = `
name: inline
runtime: {name: nodejs, options: {typescript: false}}
main: index.js
options: {refresh: always}
`;

export class InlineProgram {
  constructor(readonly folder: string) {
    mkdirSync(join(folder, "node_modules"), { recursive: true });
    symlinkSync(repository, join(folder, "node_modules/pulumi-wapt"));
    symlinkSync(join(repository, "node_modules/@pulumi"), join(folder, "node_modules/@pulumi"));
    writeFileSync(join(folder, "Pulumi.yaml"), PROJECT.trimStart());
    writeFileSync(join(folder, "package.json"), "{}");
    writeFileSync(join(folder, "index.js"), PROGRAM);
  }

  /** Fields of the connection named in `configured` come from the stack's secrets `inline:FIELD`. */
  write(args: object, configured: readonly string[] = []): void {
    this.writeResources([{ type: "WaptServer", name: "paris", args }], configured);
  }

  /** In the order in which the program makes them. */
  writeResources(resources: readonly InlineResource[], configured: readonly string[] = []): void {
    writeFileSync(join(this.folder, "arguments.json"), JSON.stringify({ resources, configured }));
  }
}
