/** The floor of any dynamic provider: the same CLI with as many resources of a provider that does nothing. */
import { join } from "node:path";
import { type Contender, succeededRun } from "./contender";
import { startStack } from "./pulumi-wapt";

export const engine: Contender = {
  name: "the engine's floor: empty resources",
  tunesNothing: true,
  async session(fleet, folder) {
    const names = fleet.servers.map(({ name }) => name);
    const stack = await startStack(folder, join(__dirname, "empty"), { "empty:names": names });
    const up = async () => void succeededRun(await stack.pulumi("up", "--yes", "--skip-preview"));
    return {
      apply: up,
      again: up,
      ask: async () => void succeededRun(await stack.pulumi("preview", "--expect-no-changes")),
    };
  },
};
