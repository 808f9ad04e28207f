/** Compares what is wanted with what was observed: which bytes change, and what makes them effective. Pure. */
import { harmlessProblem, type Problem, RefusedError } from "../problem";
import { FormatError } from "../text/format";
import { harmless } from "../text/harmless";
import { type Splice, spliced } from "../text/splices";
import { type Base, unreadProblems } from "./observation";
import {
  type Before,
  beforeOf,
  type Claim,
  droppedPlaces,
  foldersToGiveBack,
  foldersToRemove,
  guestsOf,
  isOf,
  ownershipProblems,
  recordAfter,
} from "./ownership";
import { type Entry, formatRecord, RECORD, type ServerRecord } from "./record";
import { hashOf } from "./report";
import { type Step, stepName } from "./service";
import {
  type Conflict,
  type Folder,
  fileValue,
  type HeldBack,
  type Kept,
  type Place,
  type Planned,
  type Target,
} from "./target";

export interface FileChange {
  readonly path: string;
  /** The SHA-256 of the bytes that it was planned on; undefined where there was no file. */
  readonly hash: string | undefined;
  /** What changes in those bytes; undefined removes the file. */
  readonly splices: readonly Splice[] | undefined;
  /** The service whose file it is. */
  readonly stage: string;
  /** Whether it is put in place before all others. */
  readonly isFirst?: boolean;
}

/** The text of the server's record before and after; undefined where there is none. */
export interface RecordChange {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export interface Plan {
  readonly changes: readonly FileChange[];
  /** undefined where it stays as it is. */
  readonly record: RecordChange | undefined;
  readonly steps: readonly Step[];
  readonly checks: readonly Step[];
  readonly folders: readonly Folder[];
  readonly removedFolders: readonly string[];
  /** Folders that have again the mode (octal) and owner (UID:GID) that they had. */
  readonly returnedFolders: readonly { readonly path: string; readonly mode: string; readonly owner: string }[];
  /** The hash of what earlier runs had left to do, as it was planned on. */
  readonly journal: string;
  readonly notes: readonly string[];
  /** What it leaves as it is until something was restarted. */
  readonly waits?: readonly string[];
  /** The restarts that it leaves for later, and why: a sentence each. */
  readonly deferred?: readonly string[];
}

/** A place with the value that the transaction gives it. */
interface Change {
  readonly place: Place;
  /** null where no file shall set it. */
  readonly file: string | null;
  readonly running: string | undefined;
}

/**
 * The plan that gives a claim what it wants, or an empty one where it stands already.
 *
 * @throws RefusedError for an owner of another stack or a target's problem, FormatError for a file that can't be edited.
 */
export function planOf(server: Base, claim: Claim): Plan {
  const isApplied = claim.mode === "apply";
  if (isApplied) refuse(problemsOf(server, claim));
  const notes: string[] = [];
  const wanted = changesOf(server, claim, notes);
  const planned = plannedBy(wanted);
  if (isApplied) refuse(conflictsOf(claim, planned));
  const following = (claim.target.followers?.(planned) ?? [])
    .filter((place) => wanted.every((change) => change.place.id !== place.id))
    .map((place) => ({ place, file: place.value, running: place.value }));
  const kept = keptBy(claim, wanted);
  const held = new Map(heldBackBy(claim, [...wanted, ...following]).map(({ id, why }) => [id, why]));
  const isTaken = ({ place }: Change) => !held.has(place.id) && kept.every(({ id }) => id !== place.id);
  const [own, followers] = [wanted.filter(isTaken), following.filter(isTaken)];
  const all = [...own, ...followers];
  const { changes, changed } = edits(server, all);
  const needed = neededSteps(claim, all, changed);
  const { now, left } = allowed(claim, needed);
  const deferred = left.map((name) => `${name}: needed, and left for later since ${claim.later ?? NEVER}`);
  const record = recordAfter(
    server,
    claim,
    followers.map((change) => change.place),
    new Set(held.keys()),
    kept,
  );
  return {
    changes,
    record: recordChange(server, record),
    steps: now,
    checks: merged(
      all
        .filter(({ place, running }) => changed.has(place) || place.steps(running).some(isIn(now)))
        .flatMap(({ place, running }) => place.checks?.(running) ?? []),
    ),
    folders:
      isApplied && claim.target.folder && !folderStands(server, claim.target.folder) ? [claim.target.folder] : [],
    removedFolders: foldersToRemove(server, claim),
    returnedFolders: foldersToGiveBack(server, claim),
    journal: server.journal.hash,
    notes: [...notes, ...held.values(), ...kept.map(({ why }) => why), ...deferred],
    waits: [...held.values()],
    deferred,
  };
}

const NEVER = 'restart is "never"';

/** What a plan restarts, by name; the users lose it meanwhile. */
export const restartsOf = ({ steps }: Plan): string[] =>
  [...new Set(steps.flatMap(({ restarts }) => (restarts === undefined ? [] : [restarts])))].sort();

/** What waits where this run may not restart anything. */
const heldBackBy = ({ mayRestart, target }: Claim, all: readonly Change[]): readonly HeldBack[] =>
  mayRestart === false ? (target.heldBack?.(plannedBy(all)) ?? []) : [];

/** What stays of that which is given back. */
function keptBy({ mode, target, former }: Claim, wanted: readonly Change[]): readonly Kept[] {
  const isGivenBack = (id: string) =>
    wanted.some(({ place }) => place.id === id) &&
    (mode === "restore" || target.places.every((place) => place.id !== id));
  const from = mode === "restore" ? target : former;
  return (from?.keeps?.(plannedBy(wanted)) ?? []).filter(({ id }) => isGivenBack(id));
}

/** What would be refused of a claim, without asking the server again; a conflict only where another place decides it. */
export function precheck(server: Base, claim: Claim): Problem[] {
  const problems = problemsOf(server, claim);
  if (problems.length > 0) return problems.map(harmlessProblem);
  try {
    const own = changesOf(server, claim, []);
    edits(server, own);
    const planned = plannedBy(own);
    // Another resource of the same program may come before it.
    const isOwn = ({ beside }: Conflict) => planned(beside) !== undefined;
    return conflictsOf(claim, planned).filter(isOwn).map(harmlessProblem);
  } catch (error) {
    if (error instanceof FormatError) return [{ property: "connection", reason: error.message }];
    throw error;
  }
}

/** The hash of an empty journal. */
const NOTHING_LEFT = hashOf("");

/** Whether nothing is to be done at all. */
export function isEmpty(plan: Plan): boolean {
  const { changes, steps, folders, removedFolders, returnedFolders, record, journal } = plan;
  const parts = [changes, steps, folders, removedFolders, returnedFolders];
  // What a run that was cut off left is tidied up, though nothing of it may be due any more.
  return record === undefined && journal === NOTHING_LEFT && parts.every((one) => one.length === 0);
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new RefusedError(problems);
}

function conflictsOf({ target, mayRestart }: Claim, planned: Planned): Conflict[] {
  const all = target.conflicts?.(planned) ?? [];
  return all.filter(({ needsRestart }) => mayRestart !== false || !needsRestart);
}

function problemsOf(server: Base, claim: Claim): Problem[] {
  const { target } = claim;
  const problems = [
    ...unreadProblems(server, servicesOf(server, target)),
    ...ownershipProblems(server, claim),
    ...(target.problems ?? []),
  ];
  // A file of which something else is wrong may not be readable at all.
  return problems.length > 0 ? problems : target.places.flatMap(oddValue);
}

/** A value that can't be shown as it is can't be put back with the administrator's knowledge either. */
function oddValue(place: Place): Problem[] {
  const value = fileValue(place);
  if (value === null || value === harmless(value)) return [];
  const reason = `${place.id} is ${harmless(value, 100)}: it has control characters, or is no value; correct it in ${place.tree.root}`;
  return [{ property: "connection", reason }];
}

/** The services whose files a target is made of, and what every plan is; of one that can't be read, any may be. */
function servicesOf({ unread }: Base, { isUnreadable, places, reads = [] }: Target): ReadonlySet<string> {
  if (isUnreadable) return new Set(unread.map(({ service }) => service));
  return new Set(["base", ...places.map(({ stage }) => stage), ...reads]);
}

const plannedBy =
  (changes: readonly Change[]): Planned =>
  (id) => {
    const { file, running } = changes.find((change) => change.place.id === id) ?? {};
    return file ?? running;
  };

/** What becomes of each of the owner's places: of those that it wants, and of those that it wanted until now. */
function changesOf(server: Base, claim: Claim, notes: string[]): Change[] {
  const { places } = claim.target;
  const back = (all: readonly Place[]) => all.flatMap((place) => restored(server, claim, place, notes));
  for (const { reason } of (claim.mode === "restore" ? claim.target : claim.former)?.gone ?? [])
    notes.push(`nothing was put back there: ${reason}`);
  if (claim.mode === "restore") return back([...places, ...guestsOf(server, claim), ...(claim.target.abandoned ?? [])]);
  const { isUnreadable, problems = [] } = claim.former ?? {};
  for (const { reason } of isUnreadable ? problems : [])
    notes.push(`what is no longer wanted and can't be read is left as it is: ${reason}`);
  for (const place of places) {
    const entry = server.record[place.id];
    if (entry?.id === claim.owner.id && !isOf(entry, place)) notes.push(elsewhere(place, entry));
  }
  const wanted = places.map((place) => ({ place, file: place.value, running: place.value }));
  return [...wanted, ...back(droppedPlaces(server, claim))];
}

const elsewhere = ({ id }: Place, { file = "" }: Entry): string =>
  `${id}: it was set in ${harmless(file)}, which is no longer read: what stands there is left as it is`;

function restored(server: Base, claim: Claim, place: Place, notes: string[]): Change[] {
  const entry = server.record[place.id];
  const before = beforeOf(server, claim, place.id);
  if (!before || (entry && entry.id !== claim.owner.id)) return [];
  if (entry && !isOf(entry, place)) {
    notes.push(elsewhere(place, entry));
    return [];
  }
  // It was put back already, or never changed.
  if (!entry && fileValue(place) === before.file) return [];
  if (fileValue(place) !== (entry?.value ?? place.value)) {
    notes.push(`${place.id}: someone changed it since, so it is left as it is`);
    return [];
  }
  return [{ place, file: before.file, running: runningBefore(place, before) }];
}

/** What runs again when a place has its old value; undefined where that can't be known. */
function runningBefore(place: Place, { file, running }: Before): string | undefined {
  if (file === null) return place.inherits ? undefined : (running ?? place.default);
  if (running === undefined || running === file) return file;
  // No more is asked of what stood before than it gave before.
  return place.isTold ? running : undefined;
}

function edits(server: Base, all: readonly Change[]): { changes: FileChange[]; changed: ReadonlySet<Place> } {
  const changes: FileChange[] = [];
  const changed = new Set<Place>();
  const planned = plannedBy(all);
  // Places of one file and what it includes are edited together.
  for (const group of Map.groupBy(all, ({ place }) => place.tree.root).values()) {
    const { format, tree, stage, removesEmptyFile } = group[0]!.place;
    const wanted = Object.fromEntries(group.map(({ place, file }) => [place.key, file]));
    const files = format.edit(tree, wanted);
    for (const [path, splices] of files) {
      const isEmptied = spliced(tree.files.get(path) ?? "", splices) === "";
      const isGone = isEmptied && (path === tree.root ? removesEmptyFile : path === tree.override);
      const isFirst = group.some(({ place }) => place.comesFirst?.(planned)) || undefined;
      changes.push({ path, hash: server.hashes.get(path), splices: isGone ? undefined : splices, stage, isFirst });
    }
    const differing = group.filter(({ place, file }) => fileValue(place) !== file);
    // A file may be repaired without a value changing (a duplicate key): then all of its values count as changed.
    if (files.size > 0) for (const { place } of differing.length > 0 ? differing : group) changed.add(place);
  }
  return { changes, changed };
}

function needsSteps({ place, running: wanted }: Change, changed: boolean): boolean {
  const { effective, running } = place;
  const runsOther = running !== undefined && wanted !== undefined && running !== wanted;
  if (effective === "by file") return changed;
  return effective === "by running value" ? runsOther : changed || runsOther;
}

/** The steps that the changes need, and what else the target does. */
function neededSteps(claim: Claim, all: readonly Change[], changed: ReadonlySet<Place>): Step[] {
  const { needs = [], left = [] } = claim.target;
  return [
    ...all.flatMap((change) =>
      needsSteps(change, changed.has(change.place)) ? change.place.steps(change.running) : [],
    ),
    ...(claim.mode === "apply" ? needs : []).flatMap((need) => need.steps),
    ...left.flatMap((need) => need.steps),
  ];
}

/** Which steps are taken now, and by name what is left for later. */
function allowed(claim: Claim, needed: readonly Step[]) {
  const now = merged(needed.filter((step) => claim.mayRestart !== false || !step.interrupts));
  const isLeft = (name: string) => now.every((step) => stepName(step) !== name);
  return { now, left: [...new Set(needed.map(stepName).filter(isLeft))] };
}

const isIn = (steps: readonly Step[]) => (one: Step) => steps.some((step) => identity(step) === identity(one));

const identity = (step: Step): string => `${stepName(step)} ${step.of ?? ""}`;

/** One step of each kind, with what any of them says. */
function merged(steps: readonly Step[]): Step[] {
  const byIdentity = new Map<string, Step>();
  for (const step of steps) {
    const known = byIdentity.get(identity(step));
    const words = step.words.map((word, at) => (word === "-" ? (known?.words[at] ?? word) : word));
    byIdentity.set(identity(step), { ...step, words });
  }
  return [...byIdentity.values()];
}

/** Whether a folder is there, of the right mode and owner. */
export function folderStands(server: Base, folder: Folder): boolean {
  const found = server.folders[folder.path];
  // Below a root without services the owner is by number in that root, not by this machine's names.
  return found?.isFolder === true && found.mode === folder.mode && (server.root !== "" || found.owner === folder.owner);
}

function recordChange(server: Base, record: ServerRecord): RecordChange | undefined {
  const from = server.files.get(RECORD);
  const to = formatRecord(record) || undefined;
  return to === from ? undefined : { from, to };
}

/** What a server still runs with an old value, or has still to be made. */
export function pendingOf(target: Target, server: Base): string[] {
  const pending = new Set([...(target.needs ?? []), ...(target.left ?? [])].map((need) => harmless(need.what)));
  if (target.folder && !folderStands(server, target.folder)) {
    pending.add(`the folder ${target.folder.path} (mode ${target.folder.mode}, owner ${target.folder.owner})`);
  }
  return [...pending];
}
