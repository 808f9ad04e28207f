/** Parses what observe.sh reports into a server's state. */
import { parseRecord, RECORD, type ServerRecord } from "./record";

/** Soft and hard limit of open files; Infinity where there is none. */
export interface OpenFiles {
  readonly soft: number;
  readonly hard: number;
}

/** A systemd unit. */
export interface Unit {
  readonly installed: boolean;
  readonly active: boolean;
  /** What systemd would give the service's next process. */
  readonly limitNofile?: OpenFiles;
  /** What its main process has. */
  readonly process?: OpenFiles;
  /** Infinity where there is none. */
  readonly tasksMax: number;
}

/** A PostgreSQL cluster. */
export interface Cluster {
  readonly version: string;
  readonly name: string;
  readonly port: string;
  readonly online: boolean;
  readonly owner: string;
  readonly data: string;
  readonly configuration: string;
  readonly unit: string;
  readonly binary: string;
  readonly command: readonly string[];
  /** Processes that its unit may have, one a connection; Infinity where there is no limit. */
  readonly tasksMax: number;
  /** Its own answer by name of the setting, when it runs and answers. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Why it did not answer. */
  readonly error?: string;
}

export interface Server {
  /** "" for the server itself, else the folder that holds its files. */
  readonly root: string;
  readonly user: { readonly id: number; readonly name: string };
  readonly machineId: string;
  /** Latin-1 text by path, as the server names it. */
  readonly files: ReadonlyMap<string, string>;
  readonly sysctl: Readonly<Record<string, string>>;
  readonly memoryKilobytes: number;
  readonly cpus: number;
  /** Folders of what is written, with the space of their file systems. */
  readonly disks: readonly { readonly path: string; readonly freeKilobytes: number; readonly writable: boolean }[];
  /** The hard limit of open files that root can't raise; undefined where it can. */
  readonly ceiling?: number;
  readonly units: Readonly<Record<"nginx" | "waptserver" | "wapttasks", Unit>>;
  readonly nginx: {
    readonly installed: boolean;
    readonly configuration: string;
    /** `nginx -V`. */
    readonly version: string;
    /** "ok", or what `nginx -t` said. */
    readonly test: string;
    readonly workers: readonly OpenFiles[];
  };
  readonly clusters: readonly Cluster[];
  /** undefined where nothing is at that path. */
  readonly folders: Readonly<Record<string, { mode: string; owner: string; isFolder: boolean } | undefined>>;
  readonly freeKilobytes: Readonly<Record<string, number>>;
  readonly record: ServerRecord;
  /** Actions that a run which was cut off left to do, or that were not wanted yet (`restart: "never"`). */
  readonly pending: readonly string[];
  /** Services that a run which was cut off had stopped. */
  readonly stopped: readonly string[];
}

/** Facts by name; a name may come several times. */
type Facts = ReadonlyMap<string, readonly string[]>;

const decode = (base64: string): string => Buffer.from(base64, "base64").toString("latin1");

/**
 * The server that a report describes.
 *
 * @throws Error when the report is not whole.
 */
export function parseObservation(report: string, root: string): Server {
  const lines = report.split("\n");
  if (!lines.includes("end")) throw new Error("the server's report is not whole: its last line is missing");
  const files = new Map<string, string>();
  const facts = new Map<string, string[]>();
  for (const line of lines) {
    const space = line.lastIndexOf(" ");
    const [name, value] = [line.slice(0, space), decode(line.slice(space + 1))];
    if (name.startsWith("file ")) files.set(decode(name.slice(5)), value);
    else if (space > 0) facts.set(name, [...(facts.get(name) ?? []), value]);
  }
  return serverOf(facts, files, root);
}

function serverOf(facts: Facts, files: Map<string, string>, root: string): Server {
  const record = parseRecord(files.get(RECORD));
  const one = (name: string): string => facts.get(name)?.[0] ?? "";
  const [id, name] = one("user").split(" ");
  return {
    root,
    user: { id: Number(id), name: name ?? "" },
    machineId: one("machine-id").trim(),
    files,
    sysctl: sysctlOf(facts),
    memoryKilobytes: Number(one("memory")),
    cpus: Number(one("cpus")) || 1,
    disks: (facts.get("disk") ?? []).map((line) => {
      const [free, access, path] = line.split(" ");
      return { path: path ?? "", freeKilobytes: Number(free), writable: access === "writable" };
    }),
    ceiling: facts.has("ceiling") ? openFiles("0", one("ceiling")).hard : undefined,
    units: unitsOf(facts),
    nginx: {
      installed: facts.has("nginx.version") || (root !== "" && files.has(one("nginx.conf"))),
      configuration: one("nginx.conf"),
      version: one("nginx.version"),
      test: facts.has("nginx.test") ? one("nginx.test").trim() : "ok",
      workers: (facts.get("worker") ?? []).map((worker) =>
        openFiles(...(worker.split(" ").slice(1) as [string, string])),
      ),
    },
    clusters: (facts.get("postgres") ?? []).map((line) => clusterOf(line, one)),
    folders: foldersOf(facts),
    freeKilobytes: freeOf(facts),
    record: record.settings,
    pending: [...new Set([...journalOf(one("journal"), "pending"), ...record.pending])],
    stopped: journalOf(one("journal"), "stopped"),
  };
}

function openFiles(soft: string | undefined, hard: string | undefined): OpenFiles {
  const limit = (text: string | undefined) => (/^\d+$/.test(text ?? "") ? Number(text) : Number.POSITIVE_INFINITY);
  return { soft: limit(soft), hard: limit(hard) };
}

function sysctlOf(facts: Facts): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, [value]] of facts) {
    if (name.startsWith("sysctl ")) values[name.slice(7).replaceAll("/", ".")] = value ?? "";
  }
  return values;
}

function unitsOf(facts: Facts): Server["units"] {
  const processes = new Map((facts.get("process") ?? []).map((line) => [line.split(" ")[0], line.split(" ").slice(1)]));
  const blocks = (facts.get("units")?.[0] ?? "").split("\n\n").map((block) => {
    const pairs = block
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
    return Object.fromEntries(pairs) as Record<string, string>;
  });
  const unit = (name: string): Unit => {
    const block = blocks.find((properties) => properties.Id === `${name}.service`);
    const limits = processes.get(block?.MainPID);
    return {
      installed: block ? block.LoadState !== "not-found" : (facts.get("unit-file") ?? []).includes(name),
      active: block?.ActiveState === "active",
      limitNofile: block?.LimitNOFILE ? openFiles(block.LimitNOFILESoft, block.LimitNOFILE) : undefined,
      process: limits ? openFiles(limits[0], limits[1]) : undefined,
      tasksMax: openFiles(block?.TasksMax, undefined).soft,
    };
  };
  return { nginx: unit("nginx"), waptserver: unit("waptserver"), wapttasks: unit("wapttasks") };
}

function clusterOf(line: string, one: (name: string) => string): Cluster {
  const [version, name, port, status, owner, data, configuration] = line.split(" ") as [string, ...string[]];
  const answer = one(`postgres.answer ${data}`);
  const failed = answer.startsWith("error ");
  return {
    version,
    name: name ?? "",
    port: port ?? "",
    online: (status ?? "").startsWith("online"),
    owner: owner ?? "",
    data: data ?? "",
    configuration: configuration ?? "",
    unit: one(`postgres.unit ${data}`) || `postgresql@${version}-${name}`,
    binary: one(`postgres.binary ${data}`) || `/usr/lib/postgresql/${version}/bin/postgres`,
    tasksMax: openFiles(one(`postgres.tasks ${data}`), undefined).soft,
    command: one(`postgres.command ${data}`).split("\n").filter(Boolean),
    settings: answer && !failed ? settingsOf(answer) : undefined,
    error: failed ? answer.slice(6) : undefined,
  };
}

function settingsOf(answer: string): Record<string, string> {
  const pairs = answer.split("\n").filter((line) => line.includes(" ") && !line.startsWith("file "));
  return Object.fromEntries(pairs.map((line) => line.split(" ")));
}

function foldersOf(facts: Facts): Server["folders"] {
  return Object.fromEntries(
    (facts.get("folder") ?? []).map((line) => {
      const path = line.slice(line.indexOf("/"));
      const [mode, owner] = line.split(" ");
      if (mode === "missing") return [path, undefined];
      return [
        path,
        { mode: mode ?? "", owner: owner ?? "", isFolder: line.slice(0, line.indexOf("/")).includes("directory") },
      ];
    }),
  );
}

function freeOf(facts: Facts): Record<string, number> {
  return Object.fromEntries(
    (facts.get("free") ?? []).map((line) => {
      const [kilobytes] = line.split(" ", 1);
      // The mount point comes first, then the path itself: both start with "/".
      return [line.slice(line.indexOf(" /", line.indexOf(" /") + 1) + 1), Number(kilobytes)];
    }),
  );
}

function journalOf(journal: string, kind: string): string[] {
  const lines = journal.split("\n").filter((line) => line.startsWith(`${kind} `));
  return [...new Set(lines.map((line) => line.slice(kind.length + 1)))];
}
