/** `pulumi-wapt inspect`, which only reads: its servers are tuned by the core, outside the measured time. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../lab/host";
import type { Contender } from "./contender";
import { core } from "./core";
import { USER } from "./fleet";
import { CLIENTS, WANTED } from "./wanted";

const CLI = join(__dirname, "../../dist/cli.js");

interface Said {
  readonly servers: readonly { readonly findings?: readonly { readonly place: string; readonly isRight: boolean }[] }[];
}

export const inspect: Contender = {
  name: "pulumi-wapt inspect",
  async session(fleet, folder) {
    const tuning = await core.session(fleet, folder);
    await mkdir(join(folder, ".ssh"), { mode: 0o700 });
    await writeFile(join(folder, ".ssh/known_hosts"), fleet.knownHosts);
    const lines = fleet.links.map(
      ({ host, port }, i) => `Host ${fleet.servers[i]!.name}\nHostName ${host}\nPort ${port}\n`,
    );
    await writeFile(join(folder, ".ssh/config"), lines.join(""), { mode: 0o600 });
    const words = ["--user", USER, "--sudo", "--clients", String(CLIENTS), "--uploads", WANTED.client_body_temp_path];
    const names = fleet.servers.map(({ name }) => name);
    const env = {
      HOME: folder,
      PULUMI_WAPT_SSH_PRIVATE_KEY: fleet.privateKey,
      NODE_COMPILE_CACHE: join(folder, "compiled"),
    };
    // Its status is not looked at: a container's ceiling is below the limits of so many clients.
    const right = async (): Promise<boolean[]> => {
      const { stdout, stderr } = await run([process.execPath, CLI, "inspect", ...names, ...words, "--json"], { env });
      const { servers } = JSON.parse(stdout) as Said;
      return servers.map(({ findings = [] }) => {
        const found = findings.find(({ place }) => place === "worker_connections");
        if (!found) throw new Error(`it did not read a server\n${stdout}${stderr}`);
        return found.isRight;
      });
    };
    return {
      async apply() {
        await tuning.apply();
        await tuning.settle?.();
      },
      async ask() {
        if ((await right()).includes(false)) throw new Error("it finds tuned servers wrong");
      },
      async drift() {
        if ((await right()).includes(true)) throw new Error("it does not see what was changed");
      },
    };
  },
};
