/** A Pulumi stack on a local backend in a folder of its own, driven through the real CLI. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PulumiCli } from "./pulumi-cli";

export interface StackOptions {
  readonly cli: PulumiCli;
  /** The folder with Pulumi.yaml. */
  readonly project: string;
  readonly name: string;
  /** Holds the state, the configuration and the home of the CLI's plugins; several stacks may share one. */
  readonly folder: string;
  /** The stack's configuration, by full key. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout and stderr as they came. */
  readonly output: string;
}

export class Stack {
  /** Of the state's secrets; Pulumi keeps it in the stack's configuration. */
  private salt: string | undefined;

  constructor(private readonly options: StackOptions) {
    mkdirSync(join(options.folder, "state"), { recursive: true });
    this.configure(options.config);
  }

  /** Replaces the whole configuration. */
  configure(config: Readonly<Record<string, unknown>>): void {
    // JSON is YAML.
    writeFileSync(this.configFile, JSON.stringify({ encryptionsalt: this.salt, config }, null, 2));
  }

  async init(): Promise<void> {
    const { project, folder, name, config } = this.options;
    // `stack init` writes a file beside Pulumi.yaml: it gets a project of its own, so that nothing is left in this one.
    const empty = join(folder, `init-${name}`);
    mkdirSync(empty);
    const [, projectName] = /^name: (.*)$/m.exec(readFileSync(join(project, "Pulumi.yaml"), "utf8")) ?? [];
    writeFileSync(join(empty, "Pulumi.yaml"), `name: ${projectName}\nruntime: nodejs\n`);
    const { code, output } = await this.run(["stack", "init", name], empty);
    if (code !== 0) throw new Error(`pulumi stack init: ${output}`);
    this.salt = /^encryptionsalt: (.*)$/m.exec(readFileSync(join(empty, `Pulumi.${name}.yaml`), "utf8"))?.[1];
    this.configure(config);
  }

  /** Runs the CLI with this stack; it never asks and is never coloured. */
  pulumi(...args: string[]): Promise<Run> {
    const { name, project } = this.options;
    const config = /^(stack|cancel)$/.test(args[0] ?? "") ? [] : ["--config-file", this.configFile];
    return this.run([...args, "--stack", name, ...config], project);
  }

  private run(args: readonly string[], cwd: string): Promise<Run> {
    return new Promise((resolve, reject) => {
      const child = spawn("pulumi", [...args, "--non-interactive", "--color=never"], {
        cwd,
        env: this.environment(),
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [stdout, stderr, output] = ["", "", ""];
      child.stdout.on("data", (bytes: Buffer) => {
        stdout += bytes;
        output += bytes;
      });
      child.stderr.on("data", (bytes: Buffer) => {
        stderr += bytes;
        output += bytes;
      });
      child.on("error", reject);
      child.on("close", (code) => resolve({ code: code ?? 255, stdout, stderr, output }));
    });
  }

  private get configFile(): string {
    return join(this.options.folder, `Pulumi.${this.options.name}.yaml`);
  }

  private environment(): NodeJS.ProcessEnv {
    const { cli, folder, env } = this.options;
    return {
      ...process.env,
      ...cli.env,
      PATH: `${cli.bin}:${process.env.PATH}`,
      PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "local",
      PULUMI_SKIP_UPDATE_CHECK: "1",
      ...env,
    };
  }
}
