/**
 * What a resource asks of a server: values at places in files, the actions that make them effective, and a folder.
 * Resources say it, the plan compares it with what was observed, the transaction carries it out.
 */

import type { Problem } from "../sizing";
import type { Format, Tree } from "../text/format";

/** A named command that the transaction knows; it makes a changed file effective, or a running value. */
export type Action =
  | { readonly name: "sysctl"; readonly key: string; readonly value: string }
  | { readonly name: "daemon-reload" }
  | { readonly name: "nginx reload"; readonly configuration: string; readonly workerNofile?: string }
  | {
      readonly name: "postgresql restart";
      readonly unit: string;
      readonly owner: string;
      readonly port: string;
      readonly data: string;
      readonly maxConnections?: string;
    }
  | { readonly name: "wapt restart"; readonly units: readonly string[] };

/** A test of the candidate files before any of them is in place. */
export type Check =
  | { readonly name: "nginx"; readonly configuration: string }
  | {
      readonly name: "postgresql";
      readonly owner: string;
      readonly binary: string;
      readonly data: string;
      readonly configuration: string;
      readonly maxConnections?: string;
    };

/** The part of the safe order in which a file is put in place: each stage's actions come before the next stage. */
export type Stage = "kernel" | "nginx" | "postgresql" | "wapt";

/** One managed value in one file. */
export interface Place {
  /** The setting whose value it holds, a key of `settings`. */
  readonly setting: string;
  /** Its name in `before` and in the server's record: unique on a server. */
  readonly id: string;
  readonly stage: Stage;
  readonly format: Format;
  readonly tree: Tree;
  /** The format's key. */
  readonly key: string;
  readonly value: string;
  /** What the running service or the kernel has now; undefined where it can't be asked or does not run. */
  readonly running?: string;
  /** What makes a value effective: when the file was changed, or only when the running value is another. */
  readonly effective: "by file" | "by running value" | "by either";
  /** The actions for a value; undefined when it is not known (a default that comes back). */
  actions(value: string | undefined): readonly Action[];
  /** The test of its changed file, likewise. */
  check?(value: string | undefined): Check;
}

/** A folder that must be there. */
export interface Folder {
  readonly id: string;
  readonly path: string;
  /** Octal. */
  readonly mode: string;
  /** A user's name. */
  readonly owner: string;
  /** Space that its partition must have free before the folder is first used. */
  readonly minFree: { readonly kilobytes: number; readonly text: string };
}

/** A difference that is in no file: something that runs with an old value. */
export interface Need {
  readonly what: string;
  readonly actions: readonly Action[];
}

export interface Target {
  readonly places: readonly Place[];
  readonly folder?: Folder;
  readonly needs?: readonly Need[];
  /** What forbids the change; nothing is touched. */
  readonly problems?: readonly Problem[];
  /** What forbids it beside the values that the same transaction gives to other places; undefined where it gives none. */
  conflicts?(planned: (id: string) => string | undefined): readonly Problem[];
  /** Places of another resource that must follow so that no link between values breaks, in the same transaction. */
  followers?(planned: (id: string) => string | undefined): readonly Place[];
  /** What the administrator should know. */
  readonly warnings?: readonly string[];
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
