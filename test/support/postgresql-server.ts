/** A PostgreSQL server of this machine, to ask how it reads a configuration; its view pg_file_settings parses afresh. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import type { Tree } from "../../provider/text/format";

/** A line of pg_file_settings. */
export interface FileSetting {
  readonly name: string;
  readonly value: string;
  readonly file: string;
  readonly line: number;
  readonly error: string;
}

const BINARIES = "/usr/lib/postgresql";
/** Every folder that an include_dir of the trees may lead to: a tree does not tell which exist. */
const PARTS = ["", "/conf.d", "/sub", "/main", "/main/conf.d"];
const DIRECTORIES = ["", "/conf.d", "/sub"].flatMap((folder) => PARTS.map((part) => `main${folder}${part}`));
const QUERY = `SELECT encode(convert_to(coalesce(name, ''), 'SQL_ASCII'), 'hex'),
  encode(convert_to(coalesce(setting, ''), 'SQL_ASCII'), 'hex'), coalesce(sourcefile, ''), coalesce(sourceline, 0),
  coalesce(error, '') FROM pg_file_settings ORDER BY seqno;`.replaceAll("\n", " ");

/** Why no server can run here; undefined when one can. */
export function whyNotServer(): string | undefined {
  if (process.getuid?.() !== 0) return "PostgreSQL does not run as root, and only root can start it as another user";
  return binaries() ? undefined : `no PostgreSQL server in ${BINARIES}`;
}

function binaries(): string | undefined {
  if (!existsSync(BINARIES)) return undefined;
  const versions = readdirSync(BINARIES).sort((one, other) => Number(other) - Number(one));
  return versions
    .map((version) => join(BINARIES, version, "bin"))
    .find((folder) => existsSync(join(folder, "postgres")));
}

export class Server {
  /** The folder of the configuration that {@link write} replaces. */
  readonly folder: string;
  private readonly data: string;
  private readonly configuration: string;
  private readonly account: { uid: number; gid: number };
  private server: ChildProcess | undefined;
  private written: string[] = [];
  private psql: ChildProcess | undefined;
  private lines: AsyncIterator<string> | undefined;

  constructor() {
    this.folder = mkdtempSync("/tmp/postgresql-");
    this.data = join(this.folder, "data");
    this.configuration = join(this.folder, "main/postgresql.conf");
    const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
    this.account = { uid: id("-u"), gid: id("-g") };
    execFileSync("chown", ["postgres:", this.folder]);
    for (const name of DIRECTORIES) mkdirSync(join(this.folder, name), { recursive: true });
    writeFileSync(this.configuration, "");
  }

  async start(): Promise<void> {
    const options = ["-D", this.data, "-E", "SQL_ASCII", "--locale=C", "-A", "trust", "--no-sync"];
    execFileSync(join(binaries()!, "initdb"), options, { ...this.account, cwd: "/", stdio: "ignore" });
    const settings = [
      "listen_addresses=",
      `unix_socket_directories=${this.folder}`,
      `config_file=${this.configuration}`,
    ];
    const argv = ["-D", this.data, ...settings.flatMap((setting) => ["-c", setting])];
    this.server = spawn(join(binaries()!, "postgres"), argv, { ...this.account, cwd: "/", stdio: "ignore" });
    const socket = join(this.folder, ".s.PGSQL.5432");
    for (let tries = 0; !existsSync(socket); tries++) {
      if (tries === 300) throw new Error("PostgreSQL did not start within 30 s");
      await setTimeout(100);
    }
    const flags = ["-XAtq", "-h", this.folder, "-U", "postgres", "postgres"];
    this.psql = spawn(join(binaries()!, "psql"), flags, { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = createInterface({ input: this.psql.stdout! })[Symbol.asyncIterator]();
  }

  async stop(): Promise<void> {
    this.psql?.stdin?.end();
    this.server?.kill("SIGINT");
    while (this.server && this.server.exitCode === null && this.server.signalCode === null) await setTimeout(20);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Puts the files of a tree in place of the former ones; its paths are kept below the server's own folders. */
  write(tree: Tree): void {
    for (const file of this.written) rmSync(file);
    this.written = [...tree.files.keys()].map((file) => this.place(tree, file));
    writeFileSync(join(this.data, "postgresql.auto.conf"), "");
    for (const [file, text] of tree.files) writeFileSync(this.place(tree, file), text, "latin1");
  }

  /** Where a file of a tree stands for the server. */
  place(tree: Tree, file: string): string {
    if (tree.after!.includes(file)) return join(this.data, "postgresql.auto.conf");
    return file.replace(dirname(tree.root), dirname(this.configuration));
  }

  /** What the server reads in its configuration files now, in its order. */
  async fileSettings(): Promise<FileSetting[]> {
    this.psql!.stdin!.write(`${QUERY}\n\\echo end\n`);
    const settings: FileSetting[] = [];
    for (;;) {
      const { value: line, done } = await this.lines!.next();
      if (done) throw new Error("psql ended");
      if (line === "end") return settings;
      const [name, value, file, number, error] = (line as string).split("|");
      settings.push({ name: text(name!), value: text(value!), file: file!, line: Number(number), error: error! });
    }
  }

  /** What a server would start with, by `postgres -C`; undefined when it would not start. */
  startsWith(name: string): string | undefined {
    const argv = ["-D", this.data, "-c", `config_file=${this.configuration}`, "-C", name];
    try {
      const output = execFileSync(join(binaries()!, "postgres"), argv, {
        ...this.account,
        cwd: "/",
        stdio: ["ignore", "pipe", "ignore"],
      });
      return output.toString("latin1").replace(/\n$/, "");
    } catch {
      return undefined;
    }
  }

  /** The major version, such as `15`. */
  version(): string {
    return readFileSync(join(this.data, "PG_VERSION"), "utf8").trim();
  }
}

function text(hex: string): string {
  return Buffer.from(hex, "hex").toString("latin1");
}
