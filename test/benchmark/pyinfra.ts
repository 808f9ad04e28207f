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
    await writeFile(inventory, JSON.stringify(Object.fromEntries(fleet.servers.map(({ host }) => [host, data]))));
    const command = [join(await pythonPrograms(), "pyinfra"), "-y"];
    const deploy = async (...options: string[]) => {
      const env = { BENCHMARK_INVENTORY: inventory, PYTHONDONTWRITEBYTECODE: "1" };
      const { stdout, stderr } = await succeeded([...command, ...options, ...FILES], { env });
      return `${stdout}\n${stderr}`;
    };
    return {
      apply: async () => void (await deploy()),
      again: async () => console.log(await deploy()),
      ask: async () => console.log(await deploy("--dry")),
    };
  },
};
