/** A server and a stack as an earlier version of the package left them, put onto a lab server. See README.md. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabServer } from "../lab/server";
import { say } from "../support/asking";

const repository = join(__dirname, "../..");

/** A path that a version changed; undefined where there was nothing. */
export interface RecordedFile {
  readonly path: string;
  readonly before?: Recorded;
  readonly after?: Recorded;
}

interface Recorded {
  /** Octal. */
  readonly mode: string;
  /** USER:GROUP */
  readonly owner: string;
  readonly folder: boolean;
}

/** The configuration of the recorded programs: the connection, without credentials. */
export const CONFIGURATION_KEY = "recorded:connection";

export const connectionTo = ({ host, hostKey }: LabServer) => ({ host, user: "admin", sudo: true, hostKey });

/** The server's own record; it names the server by the connection's host. */
export const RECORD = "/var/lib/pulumi-wapt/record.json";

export class Recording {
  private readonly folder: string;
  readonly files: readonly RecordedFile[];

  /** @param name such as `component-0.1.0` */
  constructor(name: string) {
    this.folder = join(__dirname, name);
    this.files = JSON.parse(readFileSync(join(this.folder, "files.json"), "utf8"));
  }

  /** The program that was run. */
  get program(): string {
    return readFileSync(join(this.folder, "program.ts"), "utf8");
  }

  /** Writes the state for `pulumi stack import --file`; its secrets provider's passphrase is that of Stack. */
  async writeState(server: LabServer, file: string): Promise<void> {
    writeFileSync(file, await this.filled(readFileSync(join(this.folder, "state.json"), "utf8"), server));
  }

  /** A file's bytes, undefined where it was not there, or is a folder or a backup. */
  content(path: string, state: "before" | "after"): Buffer | undefined {
    const file = join(this.folder, state, path);
    return this.files.find((one) => one.path === path)?.[state]?.folder === false && existsSync(file)
      ? readFileSync(file)
      : undefined;
  }

  /** Gives an untuned lab server what the recorded run left on it, and makes it effective. */
  async layDown(server: LabServer): Promise<void> {
    const record = await this.filled(this.content(RECORD, "after")?.toString() ?? "", server);
    const commands = this.files.flatMap(({ path, after }) => {
      const bytes = path === RECORD ? Buffer.from(record) : this.content(path, "after");
      if (!after || (!after.folder && !bytes)) return [];
      const make = bytes ? `echo ${bytes.toString("base64")} | base64 -d >'${path}'` : `mkdir -p '${path}'`;
      return [`${make} && chown ${after.owner} '${path}' && chmod ${after.mode} '${path}'`];
    });
    await say(server, ["set -e", ...commands, ACTIVATE].join("\n"));
  }

  private async filled(text: string, server: LabServer): Promise<string> {
    return text
      .replaceAll("@HOST@", server.host)
      .replaceAll("@HOSTKEY@", server.hostKey)
      .replaceAll("@MACHINEID@", await say(server, "cat /etc/machine-id"));
  }
}

/** A project as a user has it, with this repository's package, packed, in its node_modules. */
export function makeProject(folder: string, program: string): string {
  const project = join(folder, "project");
  mkdirSync(project);
  const npm = (cwd: string, ...args: string[]) => execFileSync("npm", args, { cwd, encoding: "utf8" });
  const [{ filename }] = JSON.parse(
    npm(repository, "pack", "--ignore-scripts", "--json", "--pack-destination", folder),
  );
  const dependencies = { "pulumi-wapt": `file:../${filename}`, typescript: "~5.9.3" };
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "recorded", private: true, dependencies }));
  writeFileSync(
    join(project, "Pulumi.yaml"),
    "name: recorded\nruntime: nodejs\nmain: index.ts\noptions: {refresh: always}\n",
  );
  writeFileSync(join(project, "index.ts"), program);
  npm(project, "install", "--prefer-offline");
  return project;
}

const ACTIVATE = `
while read -r key _ value; do if [ -n "$value" ]; then sysctl -qw "$key=$value"; fi; done </etc/sysctl.d/wapt.conf
systemctl daemon-reload
systemctl restart nginx
systemctl stop waptserver wapttasks
systemctl restart "$(systemctl list-units --plain --no-legend 'postgresql@*' | awk '{ print $1 }')"
systemctl start waptserver wapttasks
for service in waptserver wapttasks; do
  for _ in $(seq 100); do if [ -s /run/$service/status.json ]; then break; fi; sleep 0.1; done
done`;
