/** Compares what is wanted with what was observed: which bytes change, and what makes them effective. Pure. */
import type { Problem } from "../sizing";
import type { Server } from "./observation";
import { type Entry, formatRecord, type Owner, RECORD, type ServerRecord } from "./record";
import type { Action, Check, Folder, Place, Stage, Target } from "./target";

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
  /** For "restore" on a server that lost its record: what the state remembers, by place id. */
  readonly before?: Readonly<Record<string, Before>>;
}

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
  constructor(readonly problems: readonly Problem[]) {
    super(problems.map((problem) => problem.reason).join("\n"));
    this.name = "RefusedError";
  }
}

/** A place with the value that the transaction gives it; null where no file shall set it. */
interface Aim {
  readonly place: Place;
  readonly file: string | null;
  readonly running: string | undefined;
}

/** What the file that decides a place says; null when none does. */
export function fileValue(place: Place): string | null {
  return place.format.read(place.tree, [place.key])[place.key]?.value ?? null;
}

/** The value to show for a place: the file's, or the running one where the file is right and not yet effective. */
export function standing(place: Place): string | undefined {
  const file = fileValue(place);
  if (file === null) return undefined;
  return file === place.value && place.effective !== "by file" ? (place.running ?? file) : file;
}

/**
 * The plan that gives all claims what they want, or an empty one where it stands already.
 *
 * @throws RefusedError for an owner of another stack or a target's problem, FormatError for a file that can't be edited.
 */
export function planOf(server: Server, claims: readonly Claim[]): Plan {
  refuse(claims.flatMap((claim) => (claim.mode === "apply" ? problemsOf(server, claim) : [])));
  const notes: string[] = [];
  const own = claims.flatMap((claim) => claim.target.places.flatMap((place) => aimsOf(server, claim, place, notes)));
  const planned = (id: string) => own.find((aim) => aim.place.id === id)?.running;
  refuse(claims.flatMap((claim) => (claim.mode === "apply" ? (claim.target.conflicts?.(planned) ?? []) : [])));
  const followers = claims
    .flatMap((claim) => claim.target.followers?.(planned) ?? [])
    .filter((place) => own.every((aim) => aim.place.id !== place.id))
    .map((place) => ({ place, file: place.value, running: place.value }));
  const aims = [...own, ...followers];
  const { changes, changed } = edits(aims);
  const record = recordAfter(server, claims, followers);
  return {
    changes: [...changes, ...recordChange(server, record)],
    actions: actionsOf(server, claims, aims, changed),
    checks: unique(aims.filter((aim) => changed.has(aim.place)).flatMap((aim) => aim.place.check?.(aim.running) ?? [])),
    folders: claims.flatMap((claim) => (claim.mode === "apply" ? foldersToMake(server, claim.target) : [])),
    removedFolders: claims.flatMap((claim) => (claim.mode === "restore" ? foldersToRemove(server, claim) : [])),
    start: server.journal.stopped,
    notes,
  };
}

/** Whether nothing is to be done at all. */
export function isEmpty(plan: Plan): boolean {
  return (
    plan.changes.length + plan.actions.length + plan.folders.length + plan.removedFolders.length + plan.start.length ===
    0
  );
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new RefusedError(problems);
}

function problemsOf(server: Server, claim: Claim): Problem[] {
  return [...ownershipProblems(server.record, claim.owner, claim.target), ...(claim.target.problems ?? [])];
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

function idsOf(target: Target): string[] {
  return [...target.places.map((place) => place.id), ...(target.folder ? [target.folder.id] : [])];
}

function aimsOf(server: Server, claim: Claim, place: Place, notes: string[]): Aim[] {
  if (claim.mode === "apply") return [{ place, file: place.value, running: place.value }];
  const entry = server.record[place.id];
  const before = entry ? { file: entry.before, running: entry.running } : claim.before?.[place.id];
  if (!before || (entry && entry.id !== claim.owner.id)) return [];
  if (fileValue(place) !== (entry?.value ?? place.value)) {
    notes.push(`${place.id}: someone changed it since, so it is left as it is`);
    return [];
  }
  return [{ place, file: before.file, running: before.file ?? before.running }];
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

function actionsOf(
  server: Server,
  claims: readonly Claim[],
  aims: readonly Aim[],
  changed: ReadonlySet<Place>,
): readonly Action[] {
  const actions = aims.flatMap((aim) =>
    aim.place
      .actions(aim.running)
      .filter((action) => needsAction(aim, changed.has(aim.place)) || server.journal.pending.includes(action.name)),
  );
  const needs = claims.flatMap((claim) => (claim.mode === "apply" ? (claim.target.needs ?? []) : []));
  return merged([...actions, ...needs.flatMap((need) => need.actions)]);
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

function foldersToRemove(server: Server, claim: Claim): string[] {
  const folder = claim.target.folder;
  const entry = folder ? server.record[folder.id] : undefined;
  return folder && entry?.id === claim.owner.id && entry.before === null ? [folder.path] : [];
}

function recordAfter(server: Server, claims: readonly Claim[], followers: readonly Aim[]): ServerRecord {
  const record: Record<string, Entry> = { ...server.record };
  for (const claim of claims.filter((one) => one.mode === "restore")) {
    for (const id of Object.keys(record)) if (record[id]!.id === claim.owner.id) delete record[id];
  }
  for (const claim of claims.filter((one) => one.mode === "apply")) {
    for (const place of claim.target.places) record[place.id] = entryOf(server, claim.owner, place);
    const folder = claim.target.folder;
    if (folder) {
      const known = server.record[folder.id];
      const before = known ? known.before : server.folders[folder.path] ? "present" : null;
      record[folder.id] = { ...claim.owner, value: folder.path, before };
    }
    for (const { place } of followers.filter((aim) => !record[aim.place.id])) {
      record[place.id] = entryOf(server, claim.owner, place);
    }
  }
  return record;
}

function entryOf(server: Server, owner: Owner, place: Place): Entry {
  const known = server.record[place.id];
  const before = known
    ? { before: known.before, running: known.running }
    : { before: fileValue(place), running: place.running };
  return { ...owner, value: place.value, ...before };
}

function recordChange(server: Server, record: ServerRecord): FileChange[] {
  const from = server.files.get(RECORD);
  const to = formatRecord(record);
  return to === (from ?? "") ? [] : [{ path: RECORD, from, to, stage: "record" }];
}
