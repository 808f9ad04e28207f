/** What makes a copy of the base one server: its name, machine-id, host key and the key that may log in. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "./host";
import type { Place } from "./place";

export interface Identity {
  /** A tree to lay over the server's root. */
  tree: string;
  /** 32 hexadecimal digits. */
  machineId: string;
  /** Logs in as root, admin (sudo without a password) and oncall (sudo with the password "oncall"). */
  privateKeyFile: string;
  privateKey: string;
  /** As `ssh-ed25519 AAAA…`. */
  hostKey: string;
  /** A known_hosts file with this server's line. */
  knownHosts: string;
}

/** Makes the keys and files of a server's identity in the folder of its place. */
export async function makeIdentity(name: string, place: Place): Promise<Identity> {
  const tree = join(place.folder, "identity");
  const privateKeyFile = join(place.folder, "id_ed25519");
  const hostKeyFile = join(tree, "etc/ssh/ssh_host_ed25519_key");
  await mkdir(join(tree, "etc/ssh"), { recursive: true });
  for (const [file, comment] of [
    [privateKeyFile, "wapt-lab"],
    [hostKeyFile, `root@${name}`],
  ]) {
    await mustRun(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment!, "-f", file!]);
  }
  const hostKey = (await readFile(`${hostKeyFile}.pub`, "utf8")).split(" ").slice(0, 2).join(" ");
  const knownHosts = join(place.folder, "known_hosts");
  const machineId = randomBytes(16).toString("hex");
  await writeFile(knownHosts, `${place.address} ${hostKey}\n`);
  await writeFile(join(tree, "etc/ssh/lab_authorized_keys"), await readFile(`${privateKeyFile}.pub`));
  await writeFile(join(tree, "etc/hostname"), `${name}\n`);
  await writeFile(join(tree, "etc/hosts"), `127.0.0.1 localhost\n::1 localhost\n127.0.1.1 ${name}\n`);
  await writeFile(join(tree, "etc/machine-id"), `${machineId}\n`);
  return { tree, machineId, privateKeyFile, privateKey: await readFile(privateKeyFile, "utf8"), hostKey, knownHosts };
}
