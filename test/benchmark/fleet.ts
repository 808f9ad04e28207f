/** Untuned lab servers for one contender, and what its runs cost them in logins, commands and bytes. */
import { setTimeout as sleep } from "node:timers/promises";
import { mustRun } from "../lab/host";
import { type LabServer, startServer } from "../lab/server";
import { type Link, linkTo } from "./link";

export interface Fleet {
  readonly servers: readonly LabServer[];
  /** Where each one's sshd is reached. */
  readonly links: readonly Link[];
  /** Logs in to every one of them as USER. */
  readonly privateKeyFile: string;
  readonly privateKey: string;
  /** A known_hosts file's text with all of their keys. */
  readonly knownHosts: string;
  stop(): Promise<void>;
}

/** Who every contender logs in as: sudo without a password. */
export const USER = "admin";

/** A server that has just booted still does this and that. */
const SETTLING_MILLISECONDS = 2000;

const CITIES = ["paris", "lyon", "nantes", "lille", "rennes", "tours", "brest", "nice"];

/**
 * Boots servers, all with the same key, untuned, with the kernel's queues at a value that nobody wants.
 *
 * @param delay milliseconds that each direction of their links takes.
 */
export async function startFleet(count: number, delay = 0): Promise<Fleet> {
  const names = Array.from({ length: count }, (_, i) => CITIES[i] ?? `server-${i}`);
  const started = await Promise.allSettled(names.map((name) => startServer(name)));
  const servers = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const links: Link[] = [];
  const stop = async () => {
    for (const link of links) link.close();
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    for (const one of started) if (one.status === "rejected") throw one.reason;
    const { privateKeyFile, privateKey } = servers[0]!;
    const publicKey = await mustRun(["ssh-keygen", "-y", "-f", privateKeyFile]);
    await Promise.all(servers.map((server) => prepare(server, publicKey)));
    for (const { host } of servers) links.push(await linkTo(host, delay));
    const knownHosts = links.map((link, i) => `${knownAs(link)} ${servers[i]!.hostKey}\n`).join("");
    await sleep(SETTLING_MILLISECONDS);
    return { servers, links, privateKeyFile, privateKey, knownHosts, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A server's name in known_hosts, where the usual port is not written. */
const knownAs = ({ host, port }: Link): string => (port === 22 ? host : `[${host}]:${port}`);

async function prepare(server: LabServer, publicKey: string): Promise<void> {
  await asRoot(server, "cat >>/etc/ssh/lab_authorized_keys", publicKey);
  // Only then sshd says what it is told to run.
  await asRoot(server, "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/benchmark.conf && systemctl reload ssh");
  await asRoot(server, "sysctl -qw net.core.somaxconn=512 net.ipv4.tcp_max_syn_backlog=512");
}

/** Runs a command on the server's own console, as it were. @throws Error where its status is not 0. */
export async function asRoot(server: LabServer, command: string, input?: string): Promise<string> {
  const { code, stdout, stderr } = await server.exec(command, input === undefined ? {} : { input });
  if (code !== 0) throw new Error(`${server.name}: ${command}: exit status ${code}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Since the server's start. */
export interface Traffic {
  readonly logins: number;
  /** Programs and subsystems that sshd was asked to start. */
  readonly commands: number;
  /** Both ways, with all headers. */
  readonly kilobytes: number;
}

const COUNT = `
journalctl --sync
lines() { journalctl -q -o cat -t sshd | grep -c "$1"; }
echo "$(lines '^Accepted publickey for ') $(lines '^Starting session: ') $(awk '/host0:/ { print $2 + $10 }' /proc/net/dev)"
`;

export async function traffic(server: LabServer): Promise<Traffic> {
  const [logins, commands, bytes] = (await asRoot(server, COUNT)).split(" ").map(Number);
  return { logins: logins!, commands: commands!, kilobytes: bytes! / 1000 };
}

export function since(before: Traffic, now: Traffic): Traffic {
  return {
    logins: now.logins - before.logins,
    commands: now.commands - before.commands,
    kilobytes: now.kilobytes - before.kilobytes,
  };
}
