/** Which folder may become that of nginx's uploads: it is given to nginx's user, so it must be nobody else's. Pure. */
import type { Problem } from "../../problem";
import type { FolderState } from "../../transaction/observation";
import type { NginxState } from "./nginx";
import { directives } from "./nginx-conf";

/** Folders of the system with all below them; the Filesystem Hierarchy Standard 3.0 names them. */
const SYSTEM = /^\/(bin|boot|dev|etc|lib[^/]*|proc|run|sbin|sys|usr)(\/|$)/;

/** Folders that hold others of many owners; what is below them may be taken. */
const SHARED = new Set([
  ...["/", "/home", "/media", "/mnt", "/opt", "/root", "/srv", "/var"],
  ...["backups", "cache", "lib", "local", "log", "mail", "opt", "spool", "www"].map((name) => `/var/${name}`),
]);

/** What is in them is removed at a boot or after some days. */
const TEMPORARY = /^\/(var\/)?(tmp|lock|run)(\/|$)/;

/** What does not count as held: a file system's own folder. */
const OWN = new Set(["lost+found"]);

/** What forbids a folder, in one sentence: what it is, and what to do. */
export function uploadsProblems(path: string, state: FolderState | undefined, isInUse: boolean): Problem[] {
  const what = reasonAgainst(state?.real || path, state, isInUse);
  if (what === undefined) return [];
  const through = state?.real && state.real !== path ? ` (${state.real})` : "";
  const reason = `${path}${through} ${what}: give a folder that is new or empty, such as /srv/wapt-uploads`;
  return [{ property: "path", reason }];
}

function reasonAgainst(real: string, state: FolderState | undefined, isInUse: boolean): string | undefined {
  if (isInUse) return undefined;
  if (SYSTEM.test(real) || SHARED.has(real)) return "is a folder of the system";
  if (TEMPORARY.test(real)) return "is emptied by the system from time to time";
  if (state?.mode === undefined) return undefined;
  if (!state.isFolder) return "is there and is no folder";
  if (state.package) return `belongs to the package ${state.package}`;
  const held = state.entries.filter((name) => !OWN.has(name));
  if (held.length === 0) return undefined;
  return `is not empty, it holds ${held.slice(0, 3).join(", ")}${held.length > 3 ? " and more" : ""}`;
}

/** Where nginx's uploads lie now: as configured, else as it was built. */
export function uploadsNow({ tree, version }: NginxState): string | undefined {
  if (!tree.files.has(tree.root)) return undefined;
  const [configured] = directives(tree, "client_body_temp_path").filter(({ context }) => context.length === 1);
  return configured?.value.split(" ")[0] ?? /--http-client-body-temp-path=(\S+)/.exec(version)?.[1];
}
