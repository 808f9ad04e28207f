/** Which resource owns which setting of a server, and what the record says after a change. Pure. */
import type { Problem } from "../sizing";
import type { Server } from "./observation";
import { type Entry, type Owner, RECORD, type ServerRecord } from "./record";
import { fileValue, type Place, type Target } from "./target";

/** What stood at a place before the first change. */
export interface Before {
  /** null when no file set it. */
  readonly file: string | null;
  readonly running?: string;
}

/** One resource's part in a transaction. */
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

/** A setting that another stack owns. */
export function ownershipProblems(record: ServerRecord, owner: Pick<Owner, "stack" | "id">, target: Target): Problem[] {
  const foreign = idsOf(target).filter(
    (id) => record[id] && record[id].id !== owner.id && record[id].stack !== owner.stack,
  );
  const first = foreign[0] ? record[foreign[0]] : undefined;
  if (!first) return [];
  const reason =
    `${foreign.join(", ")}: the stack ${first.stack} owns this on the server (${first.resource}); one server has one owner. ` +
    `Destroy it there first, or if that stack is gone remove ${RECORD} on the server`;
  return [{ property: "connection", reason }];
}

/** The names under which a target's parts are recorded. */
export function idsOf(target: Target): string[] {
  return [...target.places.map((place) => place.id), ...(target.folder ? [target.folder.id] : [])];
}

/** The record once the claims have what they want; `followers` are places that follow one of them. */
export function recordAfter(server: Server, claims: readonly Claim[], followers: readonly Place[]): ServerRecord {
  const record: Record<string, Entry> = { ...server.record };
  // What a resource no longer has goes too: another path has another folder.
  for (const { owner } of claims) {
    for (const id of Object.keys(record)) if (record[id]!.id === owner.id) delete record[id];
  }
  for (const claim of claims.filter((one) => one.mode === "apply")) {
    for (const place of claim.target.places) record[place.id] = entryOf(server, claim.owner, place);
    const folder = claim.target.folder;
    if (folder) {
      const known = server.record[folder.id];
      const before = known ? known.before : server.folders[folder.path] ? "present" : null;
      record[folder.id] = { ...claim.owner, value: folder.path, before };
    }
    for (const place of followers)
      record[place.id] = { ...entryOf(server, claim.owner, place), ...ownerIn(server.record, place) };
  }
  return record;
}

/** Two resources of this stack that want the same setting would undo each other's at each run. */
export function rivals(claims: readonly Claim[]): Problem[] {
  const owners = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { owner, target } of claims.filter((claim) => claim.mode === "apply")) {
    for (const id of idsOf(target)) {
      const first = owners.get(id);
      const reason = `${id}: both ${first} and ${owner.resource} want to set it on this server; remove one of them`;
      if (first !== undefined) problems.push({ property: "connection", reason });
      owners.set(id, owner.resource);
    }
  }
  return problems.slice(0, 1);
}

/** A place that follows another one stays its owner's. */
function ownerIn(record: ServerRecord, place: Place): Owner | undefined {
  const entry = record[place.id];
  return entry && { stack: entry.stack, resource: entry.resource, id: entry.id };
}

function entryOf(server: Server, owner: Owner, place: Place): Entry {
  const known = server.record[place.id];
  const before = known
    ? { before: known.before, running: known.running }
    : { before: fileValue(place), running: place.running };
  return { ...owner, value: place.value, ...before };
}
