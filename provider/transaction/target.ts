/**
 * What a resource asks of a server: values at places in files, the steps that make them effective, and a folder.
 * Resources say it, the plan compares it with what was observed, the transaction carries it out.
 */
import type { Problem } from "../problem";
import type { Format, Tree } from "../text/format";
import type { Before } from "./ownership";
import type { Step } from "./service";

/** One managed value in one file. */
export interface Place {
  /** The setting whose value it holds, a key of `settings`. */
  readonly setting: string;
  /** Its name in the server's record: unique on a server. */
  readonly id: string;
  /** The part of the safe order in which its file is put in place: the service's name. */
  readonly stage: string;
  readonly format: Format;
  readonly tree: Tree;
  /** The format's key. */
  readonly key: string;
  readonly value: string;
  /** Whether a file that has no bytes left goes. */
  readonly removesEmptyFile?: boolean;
  /** What the running service or the kernel has now; undefined where it can't be asked or does not run. */
  readonly running?: string;
  /** Whether its file must be in place before those of all other services, beside the values that the transaction gives. */
  comesFirst?(planned: Planned): boolean;
  /** Whether a service has a default of its own where no file sets a value: what it is then is not known. */
  readonly inherits?: boolean;
  /** What the service takes where no file sets a value and nothing runs that could be asked. */
  readonly default?: string;
  /** Whether the running value is set by itself, beside what the file says. */
  readonly isTold?: boolean;
  /** What makes a value effective: when the file was changed, or only when the running value is another. */
  readonly effective: "by file" | "by running value" | "by either";
  /** The steps for a value; undefined when it is not known (a default that comes back). */
  steps(value: string | undefined): readonly Step[];
  /** The checks of a candidate file and of a value before anything is changed, likewise. */
  checks?(value: string | undefined): readonly Step[];
}

/** A folder that must be there. */
export interface Folder {
  readonly path: string;
  /** Octal. */
  readonly mode: string;
  /** A user's name. */
  readonly owner: string;
  /** SELinux's type, where SELinux is on. */
  readonly selinuxType: string;
  /** Space that its partition must have free before the folder is first used. */
  readonly minFree: { readonly kilobytes: number; readonly text: string };
}

/** A difference that is in no file: something that runs with an old value. */
export interface Need {
  readonly what: string;
  readonly steps: readonly Step[];
}

/** The value that a transaction gives to a place, by its id; undefined where it gives none. */
export type Planned = (id: string) => string | undefined;

/** A problem that another resource's change, made before, would remove. */
export interface Conflict extends Problem {
  /** The id of the place whose value would have to be another. */
  readonly beside: string;
  /** Whether a restart alone brings it: it is none where nothing may be restarted. */
  readonly needsRestart?: boolean;
}

/** A place that keeps its value in a run that restarts nothing, and what it waits for. */
export interface HeldBack {
  readonly id: string;
  readonly why: string;
}

/** A place whose value stays although nobody wants it any more, since what stood before would break a link. */
export interface Kept extends HeldBack {
  /** The id of the place with whose value it comes back: who owns that has it from then on. */
  readonly beside: string;
}

export interface Target {
  /** Whether places are missing because what decides them can't be read; `problems` say why. */
  readonly isUnreadable?: boolean;
  readonly places: readonly Place[];
  /** Services beside those of the places, whose files decide as well. */
  readonly reads?: readonly string[];
  readonly folder?: Folder;
  readonly needs?: readonly Need[];
  /** What a run that was cut off left: it is done whatever else is. */
  readonly left?: readonly Need[];
  /** What forbids the change; nothing is touched. */
  readonly problems?: readonly Problem[];
  /** What forbids it beside the values that the same transaction gives to other places. */
  conflicts?(planned: Planned): readonly Conflict[];
  /** Places of another resource that must follow so that no link between values breaks, in the same transaction. */
  followers?(planned: Planned): readonly Place[];
  /** Those that may have to: one that nobody owned is put back by whom it followed. */
  readonly guests?: readonly Place[];
  /** Whether such a place, which its owner no longer wants, keeps its value, since what stood before would break a link. */
  holds?(id: string, before: Before): boolean;
  /** Places that must wait where nothing may be restarted, since a service that is restarted by itself would break a link. */
  heldBack?(planned: Planned): readonly HeldBack[];
  /** Of places that are given back, those that must stay as they are. */
  keeps?(planned: Planned): readonly Kept[];
  /** Places of what is no longer installed: they are given back. */
  readonly abandoned?: readonly Place[];
  /** Ids of places that are gone with what they were in, and why: there is nothing to give back. */
  readonly gone?: readonly { readonly ids: readonly string[]; readonly reason: string }[];
  /** What the administrator should know. */
  readonly warnings?: readonly string[];
}

/** A target of which nothing can be said but why. */
export const unreadable = (problems: readonly Problem[]): Target => ({ isUnreadable: true, places: [], problems });

/** A target of which nothing is there any more. */
export const gone = (ids: readonly string[], problems: readonly Problem[]): Target => ({
  places: [],
  problems,
  gone: problems.map(({ reason }) => ({ ids, reason })),
});

/** Several targets as one. */
export function merged(targets: readonly Target[]): Target {
  const all = <T>(of: (target: Target) => readonly T[] | undefined): T[] => targets.flatMap((one) => of(one) ?? []);
  const own = new Set(targets.flatMap((one) => one.places).map((place) => place.id));
  const byText = (needs: readonly Need[]) => [...new Map(needs.map((need) => [need.what, need])).values()];
  return {
    isUnreadable: targets.some((one) => one.isUnreadable),
    places: all((one) => one.places),
    reads: all((one) => one.reads),
    folder: targets.find((one) => one.folder)?.folder,
    needs: byText(all((one) => one.needs)),
    left: byText(all((one) => one.left)),
    problems: [...new Map(all((one) => one.problems).map((problem) => [problem.reason, problem])).values()],
    conflicts: (planned) => all((one) => one.conflicts?.(planned)),
    followers: (planned) => all((one) => one.followers?.(planned)),
    guests: all((one) => one.guests).filter((place) => !own.has(place.id)),
    holds: (id, before) => targets.some((one) => one.holds?.(id, before)),
    heldBack: (planned) => [...new Map(all((one) => one.heldBack?.(planned)).map((held) => [held.id, held])).values()],
    keeps: (planned) => [...new Map(all((one) => one.keeps?.(planned)).map((kept) => [kept.id, kept])).values()],
    abandoned: all((one) => one.abandoned),
    gone: all((one) => one.gone),
    warnings: [...new Set(all((one) => one.warnings))],
  };
}

/** What the file that decides a place says; null when none does. */
export function fileValue(place: Place): string | null {
  const known = fileValues.get(place);
  if (known !== undefined) return known;
  const value = place.format.read(place.tree, [place.key])[place.key]?.value ?? null;
  fileValues.set(place, value);
  return value;
}

/** A plan asks for a place's value many times, and its files never change. */
const fileValues = new WeakMap<Place, string | null>();

/** The value to show for a place: the file's, or the running one where the file is right and not yet effective. */
export function valueNow(place: Place): string | undefined {
  const file = fileValue(place);
  if (file === null) return undefined;
  return file === place.value && place.effective !== "by file" ? (place.running ?? file) : file;
}
