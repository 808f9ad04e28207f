/** Which resource owns which setting of a server, and what the record says after a change. Pure. */
import type { Problem } from "../problem";
import { harmless } from "../text/harmless";
import type { Base } from "./observation";
import type { Entry, Owner, ServerRecord } from "./record";
import { fileValue, type Kept, type Place, type Target } from "./target";

/** What stood at a place before the first change. */
export interface Before {
  /** null when no file set it. */
  readonly file: string | null;
  readonly running?: string;
}

/** What one resource wants of a server: a transaction. */
export interface Claim {
  readonly owner: Owner;
  /** What the state of this stack is known to hold of proofs, beside the owner's own. */
  readonly proofs?: ReadonlySet<string>;
  /** Take over what another owner has, with what it remembers. */
  readonly adopts?: boolean;
  readonly target: Target;
  /** For "apply": what it wanted the last time. What it no longer wants gets back what stood there before. */
  readonly former?: Target;
  /** "apply" wants the target's values, "restore" what stood there before. */
  readonly mode: "apply" | "restore";
  /** False leaves a restart that a change needs for later; it stays a difference. Default: true. */
  readonly mayRestart?: boolean;
  /** Why a restart is left for later, where it is. Default: `restart` is "never". */
  readonly later?: string;
  /** What the state remembers of before, by place id, for a server that lost its record. */
  readonly before?: Readonly<Record<string, Before>>;
}

/** A folder's name in the record. */
const folderId = (path: string): string => `folder ${path}`;

/** The names under which a target's parts are recorded. */
export function idsOf({ places, folder }: Target): string[] {
  return [...places.map((place) => place.id), ...(folder ? [folderId(folder.path)] : [])];
}

/** Whether a resource has this folder on record. */
export const ownsFolder = ({ record }: Base, path: string): boolean => record[folderId(path)] !== undefined;

/** Places of other resources that had to follow the owner's and were nobody's before. */
export const guestsOf = ({ record }: Base, { owner, target }: Claim): Place[] =>
  (target.guests ?? []).filter(({ id }) => record[id]?.id === owner.id);

/** Places that the owner no longer wants, and those of what is no longer there. */
export function droppedPlaces(server: Base, claim: Claim): Place[] {
  const { target, former } = claim;
  const kept = new Set([...idsOf(target), ...heldGuests(server, claim)]);
  const all = [
    ...(former?.places ?? []),
    ...(former ? guestsOf(server, { ...claim, target: former }) : []),
    ...(target.abandoned ?? []),
  ];
  return [...new Map(all.map((place) => [place.id, place])).values()].filter(({ id }) => !kept.has(id));
}

/** The ids of guests whose value must stay. */
function heldGuests(server: Base, claim: Claim): string[] {
  const ids = guestsOf(server, claim).map(({ id }) => id);
  // A guest is on record: that is how it is known for one.
  return ids.filter((id) => claim.target.holds?.(id, beforeOf(server, claim, id)!));
}

/** What stood at a place: as the record has it, else as the state does; undefined where neither knows it. */
export function beforeOf({ record }: Base, { before }: Claim, id: string): Before | undefined {
  const entry = record[id];
  return entry ? { file: entry.before, running: entry.running } : before?.[id];
}

/** A setting that another stack owns, or one of the same name that is not this one. */
export function ownershipProblems({ record }: Base, claim: Claim): Problem[] {
  const foreign = idsOf(claim.target).filter((id) => record[id] && !isOwn(record[id], claim));
  const first = foreign[0] ? record[foreign[0]] : undefined;
  if (!first || claim.adopts) return [];
  const sameName =
    "one of this name, but not of this state. Give a resource that was renamed aliases: " +
    '[{ name: "its former name" }]; destroy that of another backend there first; and if its state was lost, or its first up was cut off';
  const otherName = "one server has one owner. Destroy it there first; and if that stack is gone";
  const reason =
    `${foreign.join(", ")}: the stack ${harmless(first.stack, 200)} owns this on the server (${harmless(first.resource, 200)}): ` +
    `${first.stack === claim.owner.stack ? sameName : otherName}, take it over: pulumi config set pulumi-wapt:adopt HOST`;
  return [{ property: "connection", reason }];
}

/** Whether an entry is this resource's, or its state's: one that 0.1.0 wrote has no proof but the stack's name. */
function isOwn({ id, stack, proof }: Entry, { owner, proofs }: Claim): boolean {
  if (id === owner.id) return true;
  return proof === undefined ? stack === owner.stack : proof === owner.proof || proofs?.has(proof) === true;
}

/**
 * Which entries stay: those of others, and of the owner's own those of which this run knows nothing, since the state of
 * the run that made them was lost; with the folder that such a place names.
 */
function staying(server: Base, claim: Claim): (id: string) => boolean {
  const known = server.record;
  const all = [claim.target, ...(claim.former ? [claim.former] : [])];
  const ids = (places: readonly Place[] = []) => places.map(({ id }) => id);
  const gone = ({ gone = [] }: Target) => gone.flatMap((part) => part.ids);
  const handled = new Set(
    all.flatMap((one) => [...idsOf(one), ...ids(one.guests), ...ids(one.abandoned), ...gone(one)]),
  );
  const isFolder = (id: string) => id === folderId(known[id]!.value);
  const isForeign = (id: string) => known[id]!.id !== claim.owner.id;
  const unknown = Object.keys(known).filter((id) => !isForeign(id) && !isFolder(id) && !handled.has(id));
  const named = new Set(unknown.map((id) => folderId(known[id]!.value)));
  return (id) => isForeign(id) || unknown.includes(id) || named.has(id);
}

/**
 * The record once the claim has what it wants; `followers` are places that follow one of its own, `held` the ids of those
 * that are left as they are, `kept` those that pass to another owner.
 */
export function recordAfter(
  server: Base,
  claim: Claim,
  followers: readonly Place[],
  held: ReadonlySet<string>,
  kept: readonly Kept[] = [],
): ServerRecord {
  const known = server.record;
  const stays = staying(server, claim);
  // What a resource no longer has goes too: another path has another folder.
  const record = Object.fromEntries(Object.entries(known).filter(([id]) => stays(id) || held.has(id)));
  if (claim.mode === "restore") {
    // Whoever owns what had to follow still knows it for his.
    for (const { id, value } of followers) if (record[id]) record[id] = { ...record[id], value };
    return { ...record, ...passedOn(record, known, kept) };
  }
  const { places, folder } = claim.target;
  for (const place of places) if (!held.has(place.id)) record[place.id] = entryOf(server, claim, place);
  if (folder) {
    const id = folderId(folder.path);
    const { mode, ids } = server.folders[folder.path] ?? {};
    const stood = mode === undefined ? null : `${mode} ${ids}`;
    record[id] = { ...claim.owner, value: folder.path, before: known[id] ? known[id].before : stood };
  }
  for (const id of heldGuests(server, claim)) record[id] = known[id]!;
  for (const place of followers) {
    const { stack, resource, id, proof } = known[place.id] ?? claim.owner;
    record[place.id] = entryOf(server, { ...claim, owner: { stack, resource, id, proof } }, place);
  }
  return { ...record, ...passedOn(record, known, kept) };
}

/** What is kept belongs to the owner of what it waits for, if there is one. */
function passedOn(record: ServerRecord, known: ServerRecord, kept: readonly Kept[]): ServerRecord {
  return Object.fromEntries(
    kept.flatMap(({ id, beside }) => {
      const [entry, heir] = [known[id], record[beside]];
      if (!entry || !heir) return [];
      const { stack, resource, id: owner, proof } = heir;
      return [[id, { ...entry, stack, resource, id: owner, proof }]];
    }),
  );
}

/** Folders that stood there before and that a resource no longer has, with the mode and owner that they had. */
export function foldersToGiveBack(server: Base, claim: Claim): { path: string; mode: string; owner: string }[] {
  const kept = claim.mode === "apply" ? claim.target.folder?.path : undefined;
  return Object.entries(server.record).flatMap(([id, entry]) => {
    // 0.1.0 recorded only that one was there.
    const [, mode = "", owner = ""] = /^(\d+) (\d+:\d+)$/.exec(entry.before ?? "") ?? [];
    const isOurs = id === folderId(entry.value) && entry.id === claim.owner.id && entry.value !== kept;
    return isOurs && mode ? [{ path: entry.value, mode, owner }] : [];
  });
}

/** Folders that a resource made and no longer has, and those that a run made which was cut off before it had recorded them. */
export function foldersToRemove(server: Base, claim: Claim): string[] {
  const kept = claim.mode === "apply" ? claim.target.folder?.path : undefined;
  const stays = staying(server, claim);
  const own = Object.entries(server.record)
    .filter(([id, entry]) => id === folderId(entry.value) && !stays(id) && entry.before === null)
    .map(([, entry]) => entry.value);
  const orphans = server.journal.made.filter((path) => !ownsFolder(server, path));
  return [...new Set([...own, ...orphans])].filter((path) => path !== kept);
}

function entryOf(server: Base, claim: Claim, place: Place): Entry {
  const { record } = server;
  const found = { file: fileValue(place), running: place.running };
  const entry = record[place.id];
  const isKnown = entry ? isOf(entry, place) : isWritten(claim, place);
  const { file, running } = (isKnown ? beforeOf(server, claim, place.id) : undefined) ?? found;
  return { ...claim.owner, value: place.value, file: place.tree.root, before: file, running };
}

/** Whether an entry is about a place in this very file: a service may read another one by now, which has its own values. */
export const isOf = ({ file }: Entry, { tree }: Place): boolean => file === undefined || file === tree.root;

/** Where the server lost its record, what stands there is no value from before when it is the one that the state wrote. */
const isWritten = ({ former }: Claim, place: Place): boolean =>
  former?.places.find(({ id }) => id === place.id)?.value === fileValue(place);
