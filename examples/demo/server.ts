/** The server of the demo: a throw-away copy of an untuned server's files, or with `--real` a whole Debian system. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { startSshServer } from "./ssh-server";

export interface DemoServer {
  /** What the program's configuration says of it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  /** What was started, in a sentence. */
  readonly what: string;
  /** An administrator's edit, behind the program's back. */
  drift(): Promise<string>;
  /** All its configuration files, for a comparison. */
  files(): Promise<string>;
  /** Its own words on what is in force. */
  inForce(): Promise<string[]>;
  stop(): Promise<void>;
}

const NGINX = "etc/nginx/nginx.conf";

/** A copy of the files of `untuned/`, reached through an SSH server of this process. */
export async function copiedServer(): Promise<DemoServer> {
  const root = mkdtempSync(join(tmpdir(), "wapt-demo-server-"));
  cpSync(join(__dirname, "untuned"), root, { recursive: true });
  const ssh = await startSshServer();
  const read = (path: string) => readFileSync(join(root, path), "latin1");
  const find = (path: string, name: string) =>
    new RegExp(`^[ \\t]*${name}\\b[ \\t=]*\\d+`, "m").exec(read(path))?.[0].trim() ?? `${name} is not set`;
  return {
    what: "an SSH server on loopback, over a copy of an untuned server's files",
    config: {
      host: "127.0.0.1",
      name: "paris",
      root,
      connection: { port: ssh.port, user: userInfo().username, hostKey: ssh.hostKey },
    },
    env: { PULUMI_WAPT_SSH_PRIVATE_KEY: ssh.privateKey },
    async drift() {
      const text = read(NGINX);
      writeFileSync(join(root, NGINX), text.replace(/worker_connections \d+/, "worker_connections 512"), "latin1");
      return "someone sets worker_connections to 512 in nginx.conf";
    },
    async files() {
      const paths = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) =>
        /^(etc|opt)\//.test(path),
      );
      return JSON.stringify(paths.sort().map((path) => [path, readIfFile(join(root, path))]));
    },
    async inForce() {
      return [
        find(NGINX, "worker_connections"),
        find("etc/postgresql/15/main/postgresql.conf", "max_connections"),
        find("opt/wapt/conf/waptserver.ini", "db_max_connections"),
      ];
    },
    async stop() {
      ssh.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function readIfFile(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "folder";
  }
}

/** What a real server leaves on this machine, to be said before it is started. */
export async function realServerNeeds(): Promise<string[]> {
  const { LAB_CACHE, labUnavailable, missingPackages } = await import("../../test/lab/server.js");
  const unavailable = labUnavailable();
  if (unavailable) throw new Error(`a real server can't be started here: ${unavailable}`);
  return needsInWords(missingPackages(), LAB_CACHE);
}

export function needsInWords(packages: readonly string[], cache: string): string[] {
  return [
    packages.length > 0
      ? `It installs on this machine, and leaves there: ${packages.join(", ")} (apt-get).`
      : "It installs nothing on this machine: what it needs is there.",
    `It keeps a Debian system of 700 MB in ${cache}, and makes it where there is none: one minute, from Debian's mirror.`,
    "The server is a container in a network of its own. It goes at the end.",
  ];
}

/** A Debian system of its own with nginx, PostgreSQL and WAPT's units; Linux, as root. */
export async function realServer(): Promise<DemoServer> {
  const { startServer } = await import("../../test/lab/server.js");
  const server = await startServer("demo");
  const ask = async (command: string) => (await server.exec(command)).stdout.trim();
  // Such a server shares this machine's ceiling of open files, which may be lower than the limits of a real one.
  const limits = { workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 };
  return {
    what: "a Debian system with nginx, PostgreSQL and WAPT's units",
    config: { host: server.host, name: "paris", connection: { hostKey: server.hostKey }, ...limits },
    env: { PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey },
    async drift() {
      await ask(
        "sed -i 's/worker_connections [0-9]*/worker_connections 512/' /etc/nginx/nginx.conf && systemctl reload nginx",
      );
      return "someone sets worker_connections to 512 in nginx.conf and reloads nginx";
    },
    files: () => ask("find /etc /opt/wapt -type f | sort | xargs sha256sum"),
    async inForce() {
      return [
        await ask("nginx -T 2>/dev/null | grep -o 'worker_connections [0-9]*'"),
        `max_connections ${await ask("runuser -u postgres -- psql -XAtc 'SHOW max_connections'")}`,
        `waptserver runs with ${await ask("python3 -c \"import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/status').read().decode())\"")}`,
      ];
    },
    stop: () => server.stop(),
  };
}
