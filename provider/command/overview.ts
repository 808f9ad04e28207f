/** The previews of many stacks as one: what is equal is said once, with its servers. Pure. */
import { harmless } from "../text/harmless";
import type { Claim, Preview } from "./preview";
import type { Change, ServerPreview } from "./server-preview";

/** Something that is so on some servers. */
export interface Row {
  readonly what: string;
  readonly servers: readonly string[];
}

export interface Transition {
  readonly present: string | null;
  readonly wanted: string | null;
  readonly drifted?: string | null;
  readonly servers: readonly string[];
}

/** The changes of one setting, the most frequent one first. */
export interface SettingChanges {
  readonly setting: string;
  readonly transitions: readonly Transition[];
}

export interface Counts {
  readonly stacks: number;
  readonly servers: number;
  readonly changing: number;
  readonly right: number;
  readonly unread: number;
  /** Stacks that could not be previewed. */
  readonly failed: number;
}

export interface Overview {
  readonly counts: Counts;
  /** Servers that come, go, or are treated in a way that is not known here. */
  readonly operations: readonly Row[];
  readonly program: readonly SettingChanges[];
  readonly drift: readonly SettingChanges[];
  readonly arguments: readonly Row[];
  readonly restarts: readonly Row[];
  readonly waits: readonly Row[];
  readonly due: readonly Row[];
  readonly others: readonly Row[];
  readonly warnings: readonly Row[];
  readonly unread: readonly Row[];
  readonly failed: readonly Row[];
  /** Settings of one server that several stacks want to own. */
  readonly conflicts: readonly Row[];
  readonly servers: readonly ServerPreview[];
}

/** A stack of which there is no preview, and why. */
export interface Failed {
  readonly stack: string;
  readonly reason: string;
}

const isChanging = ({ operation, unread }: ServerPreview): boolean => unread === undefined && operation !== "same";

export function overviewOf(previews: readonly Preview[], failures: readonly Failed[] = []): Overview {
  const servers = previews.flatMap((preview) => preview.servers).sort((a, b) => inOrder(a.name, b.name));
  const failed = [
    ...failures.map(({ stack, reason }) => ({ what: reason, server: stack })),
    ...previews.flatMap(({ stack, errors }) => errors.map((what) => ({ what, server: stack }))),
  ];
  const each = (of: (server: ServerPreview) => readonly string[]) =>
    rowsOf(servers.flatMap((server) => of(server).map((what) => ({ what, server: server.name }))));
  const changes = servers.flatMap((server) => server.changes.map((change) => ({ ...change, server: server.name })));
  const stacks = new Set([...previews.map(({ stack }) => stack), ...failures.map(({ stack }) => stack)]);
  const [changing, unread] = [
    servers.filter(isChanging).length,
    servers.filter((one) => one.unread !== undefined).length,
  ];
  return {
    counts: {
      stacks: stacks.size,
      servers: servers.length,
      changing,
      right: servers.length - changing - unread,
      unread,
      failed: new Set(failed.map(({ server }) => server)).size,
    },
    operations: each((one) => (isChanging(one) && one.operation !== "update" ? [one.operation] : [])),
    program: groupsOf(changes.filter(({ drifted }) => drifted === undefined)),
    drift: groupsOf(changes.filter(({ drifted }) => drifted !== undefined)),
    arguments: each((one) => one.arguments),
    restarts: each((one) => (one.restarts.length > 0 ? [one.restarts.join(" and ")] : [])),
    waits: each((one) => one.waits),
    due: each((one) => one.due),
    others: rowsOf(previews.flatMap(({ stack, others }) => others.map((what) => ({ what, server: stack })))),
    warnings: rowsOf(previews.flatMap(({ warnings }) => warnings.map(({ server, text }) => ({ what: text, server })))),
    unread: each((one) => (one.unread === undefined ? [] : [one.unread])),
    failed: rowsOf(failed),
    conflicts: conflictsOf(previews.flatMap(({ claims }) => claims)),
    servers,
  };
}

/** 0 nothing, 2 changes, 1 something is not known: it may be a change. */
export function statusOf({ counts, others, conflicts }: Overview): 0 | 1 | 2 {
  if (counts.failed + counts.unread + conflicts.length > 0) return 1;
  return counts.changing > 0 || others.length > 0 ? 2 : 0;
}

function conflictsOf(claims: readonly Claim[]): Row[] {
  // Two names, or two ways, may lead to one machine.
  const wanted = claims.flatMap(({ server, route, machine, settings }) =>
    [route, ...(machine ? [machine] : [])].flatMap((place) => settings.map((setting) => ({ server, place, setting }))),
  );
  const rows = [...Map.groupBy(wanted, ({ place, setting }) => JSON.stringify([place, setting])).values()]
    .filter((same) => same.length > 1)
    .map((same) => ({
      setting: harmless(same[0]!.setting),
      servers: same.map(({ server }) => harmless(server)).sort(inOrder),
    }));
  return [...Map.groupBy(rows, ({ servers }) => JSON.stringify(servers)).values()].map((same) => ({
    what: `they are one server, and all want to own ${[...new Set(same.map(({ setting }) => setting))].join(", ")}: one server has one owner`,
    servers: same[0]!.servers,
  }));
}

/** Names as people sort them: paris-2 before paris-10. */
const { compare: inOrder } = new Intl.Collator("en", { numeric: true });

function rowsOf(all: readonly { readonly what: string; readonly server: string }[]): Row[] {
  return [...Map.groupBy(all, ({ what }) => what)]
    .map(([what, rows]) => ({ what, servers: [...new Set(rows.map(({ server }) => server))].sort(inOrder) }))
    .sort((a, b) => b.servers.length - a.servers.length || inOrder(a.what, b.what));
}

function groupsOf(changes: readonly (Change & { readonly server: string })[]): SettingChanges[] {
  return [...Map.groupBy(changes, ({ setting }) => setting)]
    .map(([setting, all]) => {
      const equal = Map.groupBy(all, ({ present, wanted, drifted }) => JSON.stringify([present, wanted, drifted]));
      const transitions = [...equal.values()].map((same) => {
        const { present, wanted, drifted } = same[0]!;
        const servers = same.map(({ server }) => server).sort(inOrder);
        return { present, wanted, ...(drifted !== undefined && { drifted }), servers };
      });
      return { setting, transitions: transitions.sort((a, b) => b.servers.length - a.servers.length) };
    })
    .sort((a, b) => inOrder(a.setting, b.setting));
}
