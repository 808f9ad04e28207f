/** An overview in words, for every format that people read: the counts, then a section for each kind of news. Pure. */
import type { Overview, Row, SettingChanges, Transition } from "./overview";

export interface Line {
  /** The setting, where the line is about one. */
  readonly setting?: string;
  readonly text: string;
  readonly servers: readonly string[];
  /** Whether it differs from what most servers do. */
  readonly differs?: boolean;
}

export interface Section {
  readonly title: string;
  readonly lines: readonly Line[];
}

export function headline({ counts, others, conflicts }: Overview): string {
  const { stacks, servers, changing, right, unread, failed } = counts;
  const parts = [
    changing === 0 ? "nothing to change" : `${changing} to change`,
    ...(right > 0 ? [`${right} as wanted`] : []),
    ...(unread > 0 ? [`${unread} not read`] : []),
  ];
  const more = [
    ...(failed > 0 ? [`${plural(failed, "stack")} failed`] : []),
    ...(conflicts.length > 0 ? [`${plural(conflicts.length, "conflict")}`] : []),
    ...(others.length > 0 ? [`${plural(others.length, "other change")}`] : []),
  ];
  return `${plural(stacks, "stack")}, ${plural(servers, "server")}: ${[...parts, ...more].join(", ")}`;
}

export function sectionsOf(overview: Overview): Section[] {
  const rows = (all: readonly Row[], of = (what: string) => what): Line[] =>
    all.map(({ what, servers }) => ({ text: of(what), servers }));
  const all: Section[] = [
    { title: "Failed", lines: rows(overview.failed) },
    { title: "One server in several stacks", lines: rows(overview.conflicts) },
    { title: "Not read", lines: rows(overview.unread) },
    { title: "Servers", lines: rows(overview.operations, (what) => OPERATIONS[what] ?? what) },
    { title: "Changes of the program: present → wanted", lines: overview.program.flatMap(settingLines) },
    { title: "Drift: someone changed it on the server; present → wanted", lines: overview.drift.flatMap(settingLines) },
    { title: "Other arguments that change", lines: rows(overview.arguments) },
    { title: "Restarts", lines: rows(overview.restarts) },
    { title: "Restarts that wait", lines: rows(overview.waits) },
    { title: "Due: it runs with an old value", lines: rows(overview.due) },
    { title: "Other resources", lines: rows(overview.others) },
    { title: "Warnings", lines: rows(overview.warnings) },
  ];
  return all.filter(({ lines }) => lines.length > 0);
}

const OPERATIONS: Readonly<Record<string, string>> = {
  create: "tuned for the first time",
  delete: "no longer tuned: what stood there before is put back",
  replace: "replaced: what stood there before is put back, then it is tuned anew",
};

function settingLines({ setting, transitions }: SettingChanges): Line[] {
  return transitions.map((one, at) => ({ setting, text: arrow(one), servers: one.servers, differs: at > 0 }));
}

export function arrow({ present, wanted, drifted }: Pick<Transition, "present" | "wanted" | "drifted">): string {
  const text = `${present ?? "?"} → ${wanted ?? "known only in the run"}`;
  return drifted === undefined || drifted === wanted ? text : `${text} (the last run set ${drifted})`;
}

export const plural = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`;
