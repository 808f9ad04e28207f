/** Which resource owns which setting of a server, and what the record says after a change. Pure. */
import type { Problem } from "../problem";
import { harmless } from "../text/harmless";
import type { Base } from "./observation";
import { type Entry, type Owner, RECORD, type ServerRecord } from "./record";
import { fileValue, type Place, type Target } from "./target";

/** What stood at a place before the first change. */
export interface Before {
  /** null when no file set it. */
  readonly file: string | null;
  readonly running?: string;
}

/** What one resource wants of a server: a transaction. */
export interface Claim {
  readonly owner: Owner;
  readonly target: Target;
  /** "apply" wants the target's values, "restore" what stood there before. */
  readonly mode: "apply" | "restore";
  /** False leaves a restart that a change needs for later; it stays a difference. Default: true. */
  readonly mayRestart?: boolean;
  /** For "restore" on a server that lost its record: what the state remembers, by place id. */
  readonly before?: Readonly<Record<string, Before>>;
}

/** A folder's name in the record. */
const folderId = (path: string): string => `folder ${path}`;

/** The names under which a target's parts are recorded. */
export function idsOf({ places, folder }: Target): string[] {
  return [...places.map((place) => place.id), ...(folder ? [folderId(folder.path)] : [])];
}

/** Whether a resource has this folder on record. */
export const ownsFolder = ({ record }: Base, path: string): boolean => record.settings[folderId(path)] !== undefined;

/** A setting that another stack owns. */
export function ownershipProblems(server: Base, owner: Pick<Owner, "stack" | "id">, target: Target): Problem[] {
  const record = server.record.settings;
  const foreign = idsOf(target).filter(
    (id) => record[id] && record[id].id !== owner.id && record[id].stack !== owner.stack,
  );
  const first = foreign[0] ? record[foreign[0]] : undefined;
  if (!first) return [];
  const reason =
    `${foreign.join(", ")}: the stack ${harmless(first.stack, 200)} owns this on the server (${harmless(first.resource, 200)}); ` +
    `one server has one owner. ` +
    `Destroy it there first, or if that stack is gone remove ${RECORD} on the server`;
  return [{ property: "connection", reason }];
}

/** The record once the claim has what it wants; `followers` are places that follow one of its own. */
export function recordAfter(server: Base, claim: Claim, followers: readonly Place[]): ServerRecord {
  const known = server.record.settings;
  // What a resource no longer has goes too: another path has another folder.
  const record = Object.fromEntries(Object.entries(known).filter(([, entry]) => entry.id !== claim.owner.id));
  if (claim.mode === "restore") return record;
  const { places, folder } = claim.target;
  for (const place of places) record[place.id] = entryOf(server, claim.owner, place);
  if (folder) {
    const id = folderId(folder.path);
    const stood = server.folders[folder.path]?.mode === undefined ? null : "present";
    record[id] = { ...claim.owner, value: folder.path, before: known[id] ? known[id].before : stood };
  }
  for (const place of followers) {
    const { stack, resource, id } = known[place.id] ?? claim.owner;
    record[place.id] = { ...entryOf(server, { stack, resource, id }, place) };
  }
  return record;
}

/** Folders that a resource made and no longer has, and those that a run made which was cut off before it had recorded them. */
export function foldersToRemove(server: Base, claim: Claim): string[] {
  const kept = claim.mode === "apply" ? claim.target.folder?.path : undefined;
  const own = Object.entries(server.record.settings)
    .filter(([id, entry]) => id === folderId(entry.value) && entry.id === claim.owner.id && entry.before === null)
    .map(([, entry]) => entry.value);
  const orphans = server.journal.made.filter((path) => !ownsFolder(server, path));
  return [...new Set([...own, ...orphans])].filter((path) => path !== kept);
}

function entryOf(server: Base, owner: Owner, place: Place): Entry {
  const known = server.record.settings[place.id];
  const before = known
    ? { before: known.before, running: known.running }
    : { before: fileValue(place), running: place.running };
  return { ...owner, value: place.value, ...before };
}
