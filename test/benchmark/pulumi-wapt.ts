/** This package by the real Pulumi CLI, with the program of examples/site. */
import { join } from "node:path";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { Stack } from "../../examples/demo/stack";
import { type Contender, succeededRun } from "./contender";
import { type Fleet, USER } from "./fleet";
import { CLIENTS, OPEN_FILES, WANTED } from "./wanted";

export const pulumiWapt: Contender = {
  name: "pulumi-wapt",
  async session(fleet, folder) {
    const key = { PULUMI_WAPT_SSH_PRIVATE_KEY: fleet.privateKey };
    const stack = await startStack(folder, join(__dirname, "../.."), configOf(fleet), key);
    // As many changes at a time as there are; the others have as many connections as there are servers.
    const parallel = ["--parallel", String(5 * fleet.servers.length)];
    const up = async () => succeededRun(await stack.pulumi("up", "--yes", "--skip-preview", ...parallel));
    return {
      apply: async () => void (await up()),
      async again() {
        const output = await up();
        if (!/ unchanged/.test(output) || /\d (created|updated)/.test(output))
          throw new Error(`it changed tuned servers again\n${output}`);
      },
      ask: async () => void succeededRun(await stack.pulumi("preview", "--expect-no-changes")),
      async drift() {
        const { output } = await stack.pulumi("preview", "--diff");
        const seen = output.match(/^ {10}~ worker_connections *: \d+ => \d+$/gm)?.length ?? 0;
        if (seen < fleet.servers.length) throw new Error(`it does not see what was changed\n${output}`);
      },
    };
  },
};

/** A new stack of a project, whose CLI runs as `pulumi-wapt fleet` runs it. */
export async function startStack(
  folder: string,
  project: string,
  config: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, string>> = {},
): Promise<Stack> {
  const env = { PULUMI_RUN_PROGRAM: "true", NODE_COMPILE_CACHE: join(folder, "compiled"), ...more };
  const cli = await pulumiCli((line) => console.error(line));
  const stack = new Stack({ cli, project, name: "benchmark", folder, config, env });
  await stack.init();
  return stack;
}

function configOf(fleet: Fleet): Record<string, unknown> {
  const servers = fleet.servers.map(({ name, hostKey }, i) => ({
    name,
    host: fleet.links[i]!.host,
    clients: CLIENTS,
    connection: { user: USER, sudo: true, port: fleet.links[i]!.port, hostKey },
    workerRlimitNofile: OPEN_FILES,
    limitNofile: OPEN_FILES,
    nofile: OPEN_FILES,
  }));
  return { "wapt-site:servers": servers, "wapt-site:uploads": WANTED.client_body_temp_path };
}
