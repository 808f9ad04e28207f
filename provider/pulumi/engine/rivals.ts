/** Which resource of one program wants which setting of which server: two that want the same undo each other's at each run. */
import { createHash } from "node:crypto";
import type { Problem } from "../../problem";
import type { AnyDefinition, ServerArguments, Settings } from "../../resources/definition";
import type { Base } from "../../transaction/observation";
import type { Stored } from "./inputs";

export interface Wanting {
  /** The resource's type and name. */
  readonly resource: string;
  /** The host that its connection names. */
  readonly host: string;
  readonly root: string;
  readonly settings: readonly string[];
}

export function wantingOf(
  { type }: AnyDefinition,
  { connection, root }: ServerArguments,
  settings: Settings,
  { name }: Stored,
): Wanting {
  return { resource: `${type} ${name}`, host: connection.host, root: root ?? "/", settings: Object.keys(settings) };
}

/** What tells a machine from all others until its next boot; a machine-id is not to be shown, so it is hashed. */
export function machineOf({ machineId, boot, nodeName }: Base): string | undefined {
  if (machineId === "" || boot === "") return undefined;
  // Clones share their machine-id, containers of one host share its boot.
  return createHash("sha256").update([machineId, boot, nodeName].join(" ")).digest("hex").slice(0, 16);
}

export class Rivals {
  /** By where a connection leads, and by the machine that was found there. */
  private readonly first = new Map<string, Wanting>();

  /** Two that are reached in the same way: it is known before any server is asked. */
  byRoute(route: string, wanting: Wanting): Problem[] {
    return this.problems(route, wanting, "this server");
  }

  /** Two names, or two ways, that lead to one machine: it is known once both were read. */
  byMachine(base: Base, wanting: Wanting): Problem[] {
    const machine = machineOf(base);
    return machine === undefined ? [] : this.problems(machine, wanting, `the machine ${base.nodeName}`);
  }

  private problems(place: string, wanting: Wanting, where: string): Problem[] {
    const rivals = new Map<string, string[]>();
    for (const setting of wanting.settings) {
      const key = `${place} ${wanting.root} ${setting}`;
      const first = this.first.get(key) ?? wanting;
      this.first.set(key, first);
      if (first.resource === wanting.resource) continue;
      const known = `both ${named(first, wanting)} and ${named(wanting, first)}`;
      rivals.set(known, [...(rivals.get(known) ?? []), setting]);
    }
    return [...rivals].map(([both, settings]) => ({
      property: "connection",
      reason: `${settings.join(", ")}: ${both} want to set this on ${where}: one server has one owner; remove one of them`,
    }));
  }
}

/** With the host where the two have different ones. */
const named = ({ resource, host }: Wanting, other: Wanting): string =>
  host === other.host ? resource : `${resource} (${host})`;
