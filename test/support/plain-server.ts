/** A server of no service, whose files have a line `NAME VALUE` for each setting: for tests of what every transaction does. */
import { type Format, readEach, textOf } from "../../provider/text/format";
import type { Base } from "../../provider/transaction/observation";
import type { Claim } from "../../provider/transaction/ownership";
import { type Entry, formatRecord, type Owner, parseRecord, RECORD } from "../../provider/transaction/record";
import { hashOf } from "../../provider/transaction/report";
import type { Step } from "../../provider/transaction/service";
import type { Place, Target } from "../../provider/transaction/target";

export const FILE = "/etc/plain.conf";
export const OWNER: Owner = { stack: "o/p/paris", resource: "Plain paris", id: "mine" };

const linesOf = (text: string): string[] => text.split("\n").filter(Boolean);

/** Its edit gives the whole file another text. */
export const plainFormat: Format = {
  read: (tree, keys) =>
    readEach(keys, (key) => {
      const lines = linesOf(textOf(tree, tree.root));
      const at = lines.findIndex((line) => line.startsWith(`${key} `));
      return at === -1 ? undefined : { value: lines[at]!.slice(key.length + 1), file: tree.root, line: at + 1 };
    }),
  edit: (tree, wanted) => {
    const old = textOf(tree, tree.root);
    const others = linesOf(old).filter((line) => !Object.keys(wanted).some((key) => line.startsWith(`${key} `)));
    const lines = Object.entries(wanted).flatMap(([key, value]) => (value === null ? [] : [`${key} ${value}`]));
    const text = [...others, ...lines]
      .sort()
      .map((line) => `${line}\n`)
      .join("");
    return new Map(text === old ? [] : [[tree.root, [{ start: 0, end: old.length, text }]]]);
  },
};

/** A server with such a file, its lines in order, and what else is said of it. */
export function plainServer(settings: Readonly<Record<string, string>> = {}, more: Partial<Base> = {}): Base {
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
  const files = new Map(lines.length > 0 ? [[FILE, lines.sort().join("")]] : []);
  // As it would be read from its file: there the parts of an entry have one order.
  const record = parseRecord(formatRecord(more.record ?? {}) || undefined);
  if (Object.keys(record).length > 0) files.set(RECORD, formatRecord(record));
  return {
    root: "",
    user: { id: 0, name: "root" },
    machineId: "m",
    boot: "b",
    nodeName: "n",
    files,
    hashes: new Map([...files].map(([path, text]) => [path, hashOf(text)])),
    names: [],
    own: new Set(),
    unread: [],
    disks: [],
    folders: {},
    journal: { made: [], hash: hashOf("") },
    ...more,
    record,
  };
}

export const reloadOf = (value: string): Step => ({ service: "plain", verb: "reload", words: [value] });

/** A setting of that file. */
export const plainPlace = (server: Base, id: string, value: string, more: Partial<Place> = {}): Place => ({
  setting: id,
  id,
  stage: "plain",
  format: plainFormat,
  tree: { root: FILE, files: server.files },
  key: id,
  value,
  effective: "by file",
  steps: (text) => [reloadOf(text ?? "-")],
  ...more,
});

/** What {@link OWNER} wants, by places or a whole target. */
export function plainClaim(target: readonly Place[] | Target, more: Partial<Claim> = {}): Claim {
  return { owner: OWNER, target: "places" in target ? target : { places: target }, mode: "apply", ...more };
}

/** An entry of the owner's. */
export const entryOf = (value: string, before: string | null, more: Partial<Entry> = {}): Entry => ({
  ...OWNER,
  value,
  before,
  ...more,
});
