/** Ansible with a playbook of this folder: pipelining, a fork for each server, no facts, connections shared in a run. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../lab/host";
import { type Contender, type Session, succeeded } from "./contender";
import { type Fleet, USER } from "./fleet";
import { ANSIBLE_VERSION, pythonPrograms } from "./python-environment";
import { WANTED } from "./wanted";

const PLAYBOOK = join(__dirname, "ansible", "tune.yml");

export const ansible: Contender = {
  name: `Ansible ${ANSIBLE_VERSION}`,
  async session(fleet, folder) {
    const inventory = join(folder, "inventory.yml");
    const knownHosts = join(folder, "known_hosts");
    const sockets = join(folder, "cp");
    await mkdir(sockets);
    await writeFile(knownHosts, fleet.knownHosts);
    await writeFile(inventory, JSON.stringify(inventoryOf(fleet, knownHosts)));
    const command = [join(await pythonPrograms(), "ansible-playbook"), "-i", inventory, PLAYBOOK];
    const play = (...options: string[]) =>
      succeeded([...command, ...options], { env: environment(fleet, folder, sockets) }).then(({ stdout }) => stdout);
    return sessionOf(play, sockets);
  },
};

function sessionOf(play: (...options: string[]) => Promise<string>, sockets: string): Session {
  const unchanged = (output: string) => {
    if (!/changed=\d/.test(output) || /changed=[1-9]/.test(output))
      throw new Error(`it changes tuned servers\n${output}`);
  };
  return {
    apply: async () => void (await play()),
    again: async () => unchanged(await play()),
    ask: async () => unchanged(await play("--check")),
    async drift() {
      const output = await play("--check");
      if (/changed=0/.test(output)) throw new Error(`it does not see what was changed\n${output}`);
    },
    // ssh would keep its connections for a minute: each run starts without one, as the other contenders' do.
    async settle() {
      const open = await readdir(sockets);
      await Promise.all(
        open.map((name) => run(["ssh", "-o", `ControlPath=${join(sockets, name)}`, "-O", "exit", "server"])),
      );
    },
  };
}

function inventoryOf(fleet: Fleet, knownHosts: string): object {
  const hosts = fleet.servers.map(({ name }, i) => [
    name,
    { ansible_host: fleet.links[i]!.host, ansible_port: fleet.links[i]!.port },
  ]);
  const vars = {
    ...WANTED,
    ansible_user: USER,
    ansible_ssh_private_key_file: fleet.privateKeyFile,
    ansible_ssh_common_args: `-o UserKnownHostsFile=${knownHosts} -o IdentitiesOnly=yes`,
    ansible_python_interpreter: "/usr/bin/python3",
  };
  return { wapt: { hosts: Object.fromEntries(hosts), vars } };
}

function environment(fleet: Fleet, folder: string, sockets: string): Record<string, string> {
  return {
    ANSIBLE_CONFIG: join(__dirname, "ansible", "ansible.cfg"),
    ANSIBLE_HOME: join(folder, "home"),
    ANSIBLE_SSH_CONTROL_PATH_DIR: sockets,
    ANSIBLE_FORKS: String(fleet.servers.length),
    ANSIBLE_NOCOLOR: "1",
    LC_ALL: "C.UTF-8",
  };
}
