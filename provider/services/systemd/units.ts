/** systemd's units: what they run with, their drop-ins, and what is left of stopping and starting them. */
import { join } from "node:path";
import type { Problem } from "../../problem";
import type { Format } from "../../text/format";
import { harmless } from "../../text/harmless";
import type { Base } from "../../transaction/observation";
import { bound, type Facts, type OpenFiles, openFiles } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";
import type { Need, Place } from "../../transaction/target";
import { dropIn, limitTree } from "./drop-in";

export interface Unit {
  readonly installed: boolean;
  /** Its own file, where that names a limit; masked but for that. */
  readonly fragment?: string;
  readonly active: boolean;
  /** Whether it is started at boot. */
  readonly enabled: boolean;
  /** What systemd would give the service's next process. */
  readonly limitNofile?: OpenFiles;
  /** What its main process has. */
  readonly process?: OpenFiles & {
    /** When it began, in seconds since 1970. */
    readonly start: number;
  };
  /** When our drop-in was last changed, in seconds since 1970; undefined where there is none. */
  readonly changed?: number;
  /** What systemd finds in its files, where they were changed since it has loaded them. */
  readonly unloaded?: { readonly isGood: boolean; readonly found: string };
  /** Infinity where there is none. */
  readonly tasksMax: number;
}

export interface SystemdState {
  /** A unit by its name, without `.service`; none but those that were asked for. */
  (name: string): Unit;
  /** The names of all that are there. */
  readonly names: readonly string[];
  /** Units that runs which were cut off had stopped, that still are so, and that nobody has started since. */
  readonly left: readonly string[];
}

export const systemd: Service<SystemdState> = {
  program: join(__dirname, "systemd.sh"),
  parse(facts: Facts) {
    const loaded = loadedUnits(facts);
    const known = new Map<string, Unit>();
    const unit = (name: string) => {
      const found = known.get(name) ?? unitOf(facts, loaded.get(name), name);
      known.set(name, found);
      return found;
    };
    const files = facts.named("unit-file").map(([name = ""]) => name);
    const names = [...new Set([...loaded.keys(), ...files])].filter((name) => unit(name).installed);
    return Object.assign(unit, { names, left: facts.named("left").map(([name = ""]) => name) });
  },
};

type Properties = Readonly<Record<string, string>>;

/** What `systemctl show` says of each unit, by its name. */
function loadedUnits(facts: Facts): ReadonlyMap<string, Properties> {
  const blocks = (facts.one("units") ?? "").split("\n\n").map((block): Properties => {
    const lines = block.split("\n");
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  });
  return new Map(
    blocks.flatMap((block): [string, Properties][] => {
      const [, name] = /^(.*)\.service$/.exec(block.Id ?? "") ?? [];
      return name === undefined ? [] : [[name, block]];
    }),
  );
}

/** By their names, without `.service`; a name may be a pattern. The unit of the nginx that serves is among them. */
export const systemdProbe = (units: readonly string[]): Probe => ({ service: "systemd", words: units });

function unitOf(facts: Facts, block: Properties | undefined, name: string): Unit {
  const [, ...process] = facts.named("process").find(([pid]) => pid === block?.MainPID) ?? [];
  return {
    installed: block
      ? !/^(not-found|masked)$/.test(block.LoadState ?? "")
      : facts.named("unit-file").some(([unit]) => unit === name),
    fragment: facts.named("fragment").find(([unit]) => unit === name)?.[1],
    active: block?.ActiveState === "active",
    enabled: block?.UnitFileState?.startsWith("enabled") ?? false,
    limitNofile: block?.LimitNOFILE ? openFiles(block.LimitNOFILESoft, block.LimitNOFILE) : undefined,
    process: process.length > 0 ? { ...openFiles(process[0], process[1]), start: Number(process[2]) } : undefined,
    changed: Number(facts.named("changed").find(([unit]) => unit === name)?.[1]) || undefined,
    unloaded: unloadedOf(facts, name),
    tasksMax: bound(block?.TasksMax),
  };
}

function unloadedOf(facts: Facts, name: string): Unit["unloaded"] {
  const [, verdict, found = ""] = facts.named("verified").find(([unit]) => unit === name) ?? [];
  return verdict === undefined ? undefined : { isGood: verdict === "good", found };
}

/** What a daemon-reload would make effective beside our own change: a unit that systemd could not start again is refused. */
export function unloadedFindings(name: string, { unloaded }: Unit): { problems: Problem[]; warnings: string[] } {
  if (!unloaded) return { problems: [], warnings: [] };
  const changed = `the files of ${name}.service were changed since systemd has loaded them`;
  if (unloaded.isGood)
    return { problems: [], warnings: [`${changed}: a daemon-reload of this run makes that effective`] };
  const reason = `${changed}, and it finds: ${harmless(unloaded.found, 300)}. Repair them first (systemd-analyze verify ${name}.service)`;
  return { problems: [{ property: "connection", reason }], warnings: [] };
}

/** The name of a unit's limit in the server's record. */
const limitId = (unit: string): string => `${unit}.service LimitNOFILE`;

/** The unit whose limit a name in the record is; undefined for another name. */
export const unitOfLimit = (id: string): string | undefined => /^(\S+)\.service LimitNOFILE$/.exec(id)?.[1];

/** That of a unit that is gone: our limit goes, and not back to what the unit's own file had. */
const leftDropIn: Format = {
  read: dropIn.read,
  edit: (tree, wanted) => dropIn.edit(tree, Object.fromEntries(Object.keys(wanted).map((key) => [key, null]))),
};

/** The limit of open files of a unit's next process. */
export function limitPlace(server: Base, unit: Unit, name: string, value: number): Place {
  const limit = unit.limitNofile;
  return {
    setting: "LimitNOFILE",
    id: limitId(name),
    stage: "systemd",
    format: unit.installed ? dropIn : leftDropIn,
    tree: limitTree(server, name, unit.fragment),
    key: "Service.LimitNOFILE",
    value: String(value),
    removesEmptyFile: true,
    inherits: true,
    running: limit && (limit.soft === limit.hard ? String(limit.soft) : `${limit.soft}:${limit.hard}`),
    effective: "by either",
    steps: (text) => {
      if (server.root !== "") return [];
      const given: Step = { service: "systemd", verb: "limit", of: name, words: [name, text ?? "-"] };
      // What is gone is asked for nothing.
      return text === undefined || !unit.installed ? [reload] : [reload, given];
    },
  };
}

/** systemd reads its files again. */
export const reload: Step = { service: "systemd", verb: "reload", words: [] };

/** Units that a run which was cut off had stopped are started again, all together, whatever else is done. */
export function stoppedNeeds({ left }: SystemdState): Need[] {
  const steps: Step[] = [{ service: "systemd", verb: "start", words: left }];
  return left.map((unit) => ({ what: `start ${unit}`, steps }));
}
