/** A server as it was observed: what every transaction needs to know of it, and beside that the state of each service. */
import { createHash } from "node:crypto";
import { type Problem, RefusedError } from "../problem";
import { harmless } from "../text/harmless";
import { parseRecord, RECORD, type ServerRecord } from "./record";
import { type Facts, parseReport } from "./report";
import type { Service } from "./service";

/** A folder as it stands. */
export interface FolderState {
  /** Octal; undefined where nothing is at that path. */
  readonly mode?: string;
  readonly owner: string;
  /** By number: UID:GID. */
  readonly ids: string;
  readonly isFolder: boolean;
  /** Where it is when every link is followed. */
  readonly real: string;
  /** The package that it belongs to. */
  readonly package?: string;
  /** The names of the first five things in it. */
  readonly entries: readonly string[];
  /** Of the file system that holds it, or would. */
  readonly freeKilobytes: number;
}

/** What runs that were cut off left. */
export interface Journal {
  /** Folders that a run had made. */
  readonly made: readonly string[];
  /** Tells whether another run was at work since. */
  readonly hash: string;
}

export interface Base {
  /** "" for the server itself, else the folder that holds its files; no service is touched then. */
  readonly root: string;
  readonly user: { readonly id: number; readonly name: string };
  readonly machineId: string;
  /** The id of its last boot, and its own name: they tell clones of one machine-id apart. */
  readonly boot: string;
  readonly nodeName: string;
  /**
   * Latin-1 text by path, as the server names it. Of a file that holds secrets every comment and every value that is not
   * ours is masked, byte for byte.
   */
  readonly files: ReadonlyMap<string, string>;
  /** The SHA-256 of each file's bytes on the server. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Files that are there and say nothing of what is managed, by their names alone. */
  readonly names: readonly string[];
  /** Of the files that were read below a folder `*.d` of /etc, those that no package has: the administrator's own. */
  readonly own: ReadonlySet<string>;
  /** Files that were not read, each with the service that asked for it, and why. */
  readonly unread: readonly { readonly service: string; readonly path: string; readonly why: string }[];
  /** Where something is to be written. */
  readonly disks: readonly { readonly path: string; readonly freeKilobytes: number; readonly writable: boolean }[];
  /** The folders that were asked for. */
  readonly folders: Readonly<Record<string, FolderState>>;
  readonly record: ServerRecord;
  readonly journal: Journal;
}

/** The state of each service, by name. */
export type States<S extends Readonly<Record<string, Service<unknown>>>> = {
  readonly [N in keyof S]: ReturnType<S[N]["parse"]>;
};

/**
 * The server that a report describes. A service that was not asked has no state: reading it throws.
 *
 * @throws Error when the report is not whole.
 */
export function serverOf<S extends Readonly<Record<string, Service<unknown>>>>(
  report: string,
  root: string,
  services: S,
  asked: ReadonlySet<string>,
): Base & States<S> {
  const { files, hashes, facts } = parseReport(report);
  const server = baseOf(facts("base"), { files, hashes }, root);
  for (const [name, service] of Object.entries(services)) {
    const state = asked.has(name)
      ? { value: service.parse(facts(name), files, root), enumerable: true }
      : { get: () => unknownState(name), enumerable: false };
    Object.defineProperty(server, name, state);
  }
  return server as Base & States<S>;
}

function unknownState(name: string): never {
  throw new Error(`${name} was not asked: name its probe where the resource says what it observes`);
}

function baseOf(facts: Facts, { files, hashes }: Pick<Base, "files" | "hashes">, root: string): Base {
  const packages = new Map(facts.named("package").map(([path = "", name]) => [path, name || undefined]));
  const [id, name] = facts.named("user")[0] ?? [];
  return {
    root,
    user: { id: Number(id), name: name ?? "" },
    machineId: facts.one("machine-id")?.trim() ?? "",
    boot: facts.one("boot")?.trim() ?? "",
    nodeName: harmless(facts.one("node") ?? "", 100),
    files,
    hashes,
    names: (facts.one("names") ?? "").split("\n").filter(Boolean),
    own: new Set((facts.one("own") ?? "").split("\n").filter(Boolean)),
    unread: facts.named("unread").map(([service = "", path = "", why = ""]) => ({ service, path, why })),
    disks: facts.named("disk").map(([path = "", free, access]) => ({
      path,
      freeKilobytes: Number(free),
      writable: access === "writable",
    })),
    folders: Object.fromEntries(
      facts.named("folder").map((fields) => {
        const [path = "", mode, owner = "", type = "", free, ids = "", real = "", entries = ""] = fields;
        const isFolder = type.includes("directory");
        const what = { mode: mode || undefined, owner, ids, isFolder, real, package: packages.get(real) };
        return [path, { ...what, entries: entries.split("\n").filter(Boolean), freeKilobytes: Number(free) }];
      }),
    ),
    record: parseRecord(files.get(RECORD)),
    journal: journalOf(facts.one("journal") ?? "", root),
  };
}

function journalOf(text: string, root: string): Journal {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("temporary "));
  const made = lines.filter((line) => line.startsWith("made ")).map((line) => line.slice("made ".length));
  return {
    made: [...new Set(made)].map((path) => path.slice(root.length)),
    hash: createHash("sha256")
      .update(Buffer.from(lines.join("\n"), "latin1"))
      .digest("hex"),
  };
}

/** What forbids a change beside files that some services need and that were not read. */
export function unreadProblems({ unread }: Base, services: ReadonlySet<string>): Problem[] {
  const reasons = unread
    .filter(({ service }) => services.has(service))
    .map(({ path, why }) => `${harmless(path)} ${harmless(why)}`);
  return [...new Set(reasons)].map((reason) => ({
    property: "connection",
    reason: `preflight, files: ${reason}: put it right on the server; nothing was touched`,
  }));
}

/** Space for a file's candidate, its backup and the journal. */
const DISK_KILOBYTES = 2048;

/** What forbids writing into some folders: a disk that is full or mounted read-only. */
export function diskProblems({ disks }: Base, folders: readonly string[], property: string): Problem[] {
  return disks
    .filter((disk) => folders.some((folder) => folder === disk.path || folder.startsWith(`${disk.path}/`)))
    .flatMap(({ path, writable, freeKilobytes }) => {
      const full = `${path} has ${freeKilobytes} kB free, a safe change needs ${DISK_KILOBYTES} kB: free some`;
      const reason = writable ? full : `${path} is on a file system mounted read-only: remount it`;
      return writable && freeKilobytes >= DISK_KILOBYTES ? [] : [{ property, reason: `preflight, disk: ${reason}` }];
    });
}

/** @throws RefusedError where the login is not root's, who alone may change the server itself. */
export function demandRoot({ root, user }: Base): void {
  if (root !== "" || user.id === 0) return;
  const reason = `logged in as ${user.name}, who is not root: give connection.sudo: true, or connect as root`;
  throw new RefusedError([{ property: "connection", reason }]);
}
