/** The command `pulumi-wapt`, as a user runs it. */
import { spawn } from "node:child_process";
import { join } from "node:path";

/** The words that start the command that `npm run build` made: it starts in half the time of the sources. */
export const builtCommand: readonly string[] = [process.execPath, join(__dirname, "../../dist/cli.js")];

export interface CommandRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const command = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandRun> =>
  run([...builtCommand, ...args], env);

/** Runs any program to its end. */
export function run(
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<CommandRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (bytes: Buffer) => {
      stdout += bytes;
    });
    child.stderr.on("data", (bytes: Buffer) => {
      stderr += bytes;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 255, stdout, stderr }));
  });
}
