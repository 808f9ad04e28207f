/** pyinfra with a deploy file of this folder; it works on all servers at the same time. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Contender, succeeded } from "./contender";
import { USER } from "./fleet";
import { PYINFRA_VERSION, pythonPrograms } from "./python-environment";
import { WANTED } from "./wanted";

const FILES = ["inventory.py", "tune.py"].map((name) => join(__dirname, "pyinfra", name));

export const pyinfra: Contender = {
  name: `pyinfra ${PYINFRA_VERSION}`,
  async session(fleet, folder) {
    const inventory = join(folder, "inventory.json");
    const knownHosts = join(folder, "known_hosts");
    await writeFile(knownHosts, fleet.knownHosts);
    const data = {
      ...WANTED,
      ssh_user: USER,
      ssh_key: fleet.privateKeyFile,
      ssh_known_hosts_file: knownHosts,
      ssh_strict_host_key_checking: "yes",
    };
    const hosts = fleet.servers.map(({ name }, i) => [
      name,
      { ...data, ssh_hostname: fleet.links[i]!.host, ssh_port: fleet.links[i]!.port },
    ]);
    await writeFile(inventory, JSON.stringify(Object.fromEntries(hosts)));
    const program = join(await pythonPrograms(), "pyinfra");
    const deploy = async (option: "-y" | "--dry") => {
      const env = { BENCHMARK_INVENTORY: inventory, PYTHONDONTWRITEBYTECODE: "1" };
      const { stdout, stderr } = await succeeded([program, option, ...FILES], { env });
      return `${stdout}\n${stderr}`;
    };
    return {
      apply: async () => void (await deploy("-y")),
      async again() {
        const output = await deploy("-y");
        const [, all, none] = /Grand total +(\d+) +- +- +(\d+)/.exec(output) ?? [];
        if (all === undefined || all !== none) throw new Error(`it changed tuned servers again\n${output}`);
      },
      async ask() {
        const output = await deploy("--dry");
        if (changesForeseen(output) !== 0) throw new Error(`it would change tuned servers\n${output}`);
      },
      async drift() {
        const output = await deploy("--dry");
        if (!changesForeseen(output)) throw new Error(`it does not see what was changed\n${output}`);
      },
    };
  },
};

/** Of the table of detected changes: the operations with an entry in its column "Change". */
function changesForeseen(output: string): number | undefined {
  const [head, ...rows] = (output.split("--> Detected changes:\n")[1] ?? "").split("\n\n")[0]!.split("\n");
  const column = head?.indexOf("Change") ?? -1;
  return column < 0 ? undefined : rows.filter((row) => row.slice(column).trimStart()[0] !== "-").length;
}
