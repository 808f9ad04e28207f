/** The floor of any dynamic provider: the same CLI with as many resources of a provider that does nothing. */
import { join } from "node:path";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { Stack } from "../../examples/demo/stack";
import { type Contender, succeededRun } from "./contender";
import { environmentOfFleet } from "./pulumi-wapt";

export const engine: Contender = {
  name: "the engine's floor: empty resources",
  tunesNothing: true,
  async session(fleet, folder) {
    const stack = new Stack({
      cli: await pulumiCli((line) => console.error(line)),
      project: join(__dirname, "empty"),
      name: "benchmark",
      folder,
      config: { "empty:names": fleet.servers.map(({ name }) => name) },
      env: environmentOfFleet(folder),
    });
    await stack.init();
    const up = async () => void succeededRun(await stack.pulumi("up", "--yes", "--skip-preview"));
    return {
      apply: up,
      again: up,
      ask: async () => void succeededRun(await stack.pulumi("preview", "--expect-no-changes")),
    };
  },
};
