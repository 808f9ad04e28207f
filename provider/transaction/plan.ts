/** Compares what is wanted with what was observed: which bytes change, and what makes them effective. Pure. */

import type { Problem } from "../sizing";
import { FormatError } from "../text/format";
import type { Server } from "./observation";
import { type Claim, ownershipProblems, recordAfter, rivals } from "./ownership";
import { formatRecord, RECORD, type RecordFile } from "./record";
import { type Action, type Check, type Folder, fileValue, type Place, type Stage, type Target } from "./target";

export interface FileChange {
  readonly path: string;
  /** undefined where there was no file. */
  readonly from: string | undefined;
  /** "" removes the file. */
  readonly to: string;
  readonly stage: Stage | "record";
}

export interface Plan {
  readonly changes: readonly FileChange[];
  readonly actions: readonly Action[];
  readonly checks: readonly Check[];
  readonly folders: readonly Folder[];
  readonly removedFolders: readonly string[];
  /** Services that a run which was cut off had stopped. */
  readonly start: readonly string[];
  readonly notes: readonly string[];
}

/** A change that must not be made. */
export class RefusedError extends Error {
  constructor(
    readonly problems: readonly Problem[],
    /** Whether another resource's change, made first or at the same time, would allow it. */
    readonly mayPass = false,
  ) {
    super(problems.map((problem) => problem.reason).join("\n"));
    this.name = "RefusedError";
  }
}

/** A place with the value that the transaction gives it; null where no file shall set it. */
interface Aim {
  readonly place: Place;
  readonly file: string | null;
  readonly running: string | undefined;
  readonly mayRestart: boolean;
}

/**
 * The plan that gives all claims what they want, or an empty one where it stands already.
 *
 * @throws RefusedError for an owner of another stack or a target's problem, FormatError for a file that can't be edited.
 */
export function planOf(server: Server, claims: readonly Claim[]): Plan {
  const applied = claims.filter((claim) => claim.mode === "apply");
  refuse([...rivals(claims), ...applied.flatMap((claim) => problemsOf(server, claim))]);
  const notes: string[] = [];
  const own = claims.flatMap((claim) =>
    claim.target.places.flatMap((place) => aimsOf(server, claims, claim, place, notes)),
  );
  const planned = (id: string) => own.find((aim) => aim.place.id === id)?.running;
  refuse(
    applied.filter(mayRestart).flatMap((claim) => claim.target.conflicts?.(planned) ?? []),
    true,
  );
  const followers = followersOf(claims, own, planned);
  const aims = [...own, ...followers];
  const { changes, changed } = edits(aims);
  const { now, later, deferred } = actionsOf(server, applied, aims, changed);
  const settings = recordAfter(
    server,
    claims,
    followers.map((aim) => aim.place),
  );
  return {
    changes: [...changes, ...recordChange(server, { settings, pending: later })],
    actions: now,
    checks: unique(aims.filter((aim) => changed.has(aim.place)).flatMap((aim) => aim.place.check?.(aim.running) ?? [])),
    folders: applied.flatMap((claim) => foldersToMake(server, claim.target)),
    removedFolders: claims.flatMap((claim) => foldersToRemove(server, claim)),
    start: server.stopped,
    notes: [...notes, ...deferred.map((name) => `${name}: needed, and left for later since restart is "never"`)],
  };
}

/** What would be refused of a claim alone, without asking the server again. */
export function foreseen(server: Server, claim: Claim): Problem[] {
  const problems = problemsOf(server, claim);
  if (problems.length > 0) return problems;
  try {
    edits(claim.target.places.flatMap((place) => aimsOf(server, [claim], claim, place, [])));
    return [];
  } catch (error) {
    if (error instanceof FormatError) return [{ property: "connection", reason: error.message }];
    throw error;
  }
}

/** Whether nothing is to be done at all. */
export function isEmpty(plan: Plan): boolean {
  return (
    plan.changes.length + plan.actions.length + plan.folders.length + plan.removedFolders.length + plan.start.length ===
    0
  );
}

function refuse(problems: readonly Problem[], mayPass = false): void {
  if (problems.length > 0) throw new RefusedError(problems, mayPass);
}

const mayRestart = (claim: Claim): boolean => claim.mayRestart !== false;

function problemsOf(server: Server, claim: Claim): Problem[] {
  return [...ownershipProblems(server.record, claim.owner, claim.target), ...(claim.target.problems ?? [])];
}

function aimsOf(server: Server, claims: readonly Claim[], claim: Claim, place: Place, notes: string[]): Aim[] {
  const restart = { mayRestart: mayRestart(claim) };
  if (claim.mode === "apply") return [{ place, file: place.value, running: place.value, ...restart }];
  const entry = server.record[place.id];
  const before = entry ? { file: entry.before, running: entry.running } : claim.before?.[place.id];
  const taken = claims.some((one) => one.mode === "apply" && one.target.places.some(({ id }) => id === place.id));
  if (!before || taken || (entry && entry.id !== claim.owner.id)) return [];
  if (fileValue(place) !== (entry?.value ?? place.value)) {
    notes.push(`${place.id}: someone changed it since, so it is left as it is`);
    return [];
  }
  return [{ place, file: before.file, running: before.file ?? before.running, ...restart }];
}

function followersOf(
  claims: readonly Claim[],
  own: readonly Aim[],
  planned: (id: string) => string | undefined,
): readonly Aim[] {
  return claims.flatMap((claim) =>
    (claim.target.followers?.(planned) ?? [])
      .filter((place) => own.every((aim) => aim.place.id !== place.id))
      .map((place) => ({ place, file: place.value, running: place.value, mayRestart: mayRestart(claim) })),
  );
}

function edits(aims: readonly Aim[]): { changes: FileChange[]; changed: ReadonlySet<Place> } {
  const changes: FileChange[] = [];
  const changed = new Set<Place>();
  for (const group of groupsOf(aims)) {
    const { format, tree, stage } = group[0]!.place;
    const wanted = Object.fromEntries(group.map((aim) => [aim.place.key, aim.file]));
    const files = format.edit(tree, wanted);
    for (const [path, to] of files) changes.push({ path, from: tree.files.get(path), to, stage });
    const differing = group.filter((aim) => fileValue(aim.place) !== aim.file);
    // A file may be repaired without a value changing (a duplicate key): then all of its values count as changed.
    if (files.size > 0) for (const aim of differing.length > 0 ? differing : group) changed.add(aim.place);
  }
  return { changes, changed };
}

/** Places of one format and root are edited together. */
function groupsOf(aims: readonly Aim[]): Aim[][] {
  const groups = new Map<string, Aim[]>();
  for (const aim of aims) {
    const root = aim.place.tree.root;
    groups.set(root, [...(groups.get(root) ?? []), aim]);
  }
  return [...groups.values()];
}

function needsAction(aim: Aim, changed: boolean): boolean {
  const { effective, running } = aim.place;
  const runsOther = running !== undefined && aim.running !== undefined && running !== aim.running;
  if (effective === "by file") return changed;
  return effective === "by running value" ? runsOther : changed || runsOther;
}

/** Whether an action interrupts a service. */
export const isRestart = (action: Action): boolean =>
  action.name === "postgresql restart" || action.name === "wapt restart";

/** What the changes need: now, and by name what is left for later. */
function actionsOf(
  server: Server,
  applied: readonly Claim[],
  aims: readonly Aim[],
  changed: ReadonlySet<Place>,
): { now: readonly Action[]; later: readonly string[]; deferred: readonly string[] } {
  const needed = aims.flatMap((aim) =>
    aim.place
      .actions(aim.running)
      .filter((action) => needsAction(aim, changed.has(aim.place)) || server.pending.includes(action.name))
      .map((action) => ({ action, allowed: aim.mayRestart || !isRestart(action) })),
  );
  for (const claim of applied) {
    const actions = (claim.target.needs ?? []).flatMap((need) => need.actions);
    needed.push(...actions.map((action) => ({ action, allowed: mayRestart(claim) || !isRestart(action) })));
  }
  const now = merged(needed.filter((one) => one.allowed).map((one) => one.action));
  const notDone = (name: string) => now.every((action) => action.name !== name);
  const deferred = [...new Set(needed.map((one) => one.action.name).filter(notDone))];
  // What another resource left for later is still pending where this transaction does not do it.
  const later = [...new Set([...deferred, ...server.pending.filter(notDone)])].sort();
  return { now, later, deferred };
}

const identity = (action: Action): string => (action.name === "sysctl" ? `sysctl ${action.key}` : action.name);

/** One action of each kind, with what any of them says. */
function merged(actions: readonly Action[]): Action[] {
  const byIdentity = new Map<string, Action>();
  for (const action of actions) {
    const known = Object.entries(action).filter(([, value]) => value !== undefined);
    byIdentity.set(identity(action), { ...byIdentity.get(identity(action)), ...Object.fromEntries(known) } as Action);
  }
  return [...byIdentity.values()];
}

function unique(checks: readonly Check[]): Check[] {
  return [...new Map(checks.map((check) => [check.name, check])).values()];
}

/** Whether a folder is there, of the right mode and owner. */
export function folderStands(server: Server, folder: Folder): boolean {
  const found = server.folders[folder.path];
  // Below a root without services the owner is by number in that root, not by this machine's names.
  return found?.isFolder === true && found.mode === folder.mode && (server.root !== "" || found.owner === folder.owner);
}

function foldersToMake(server: Server, target: Target): Folder[] {
  return target.folder && !folderStands(server, target.folder) ? [target.folder] : [];
}

/** Folders that the resource made and no longer has. */
function foldersToRemove(server: Server, claim: Claim): string[] {
  const kept = claim.mode === "apply" ? claim.target.folder?.id : undefined;
  return Object.entries(server.record)
    .filter(
      ([id, entry]) => id.startsWith("folder ") && id !== kept && entry.id === claim.owner.id && entry.before === null,
    )
    .map(([id]) => id.slice("folder ".length));
}

function recordChange(server: Server, record: RecordFile): FileChange[] {
  const from = server.files.get(RECORD);
  const to = formatRecord(record);
  return to === (from ?? "") ? [] : [{ path: RECORD, from, to, stage: "record" }];
}
