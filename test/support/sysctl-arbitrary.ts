/** Plausible sysctl files, and such with arbitrary bytes in them. */
import fc from "fast-check";
import type { Tree } from "../../provider/text/format";

export const KEYS = ["net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"] as const;

export const ROOT = "/etc/sysctl.d/wapt.conf";
const BEFORE = "/etc/sysctl.d/50-site.conf";
const AFTER = "/etc/sysctl.conf";

/** Values that the kernel takes for both keys and that tests tell apart. */
export const value = fc.integer({ min: 20, max: 60_000 }).map(String);

const blanks = fc.constantFrom("", "", " ", "  ", "\t", " \t ");
const spelledKey = fc.constantFrom(
  ...["net.core.somaxconn", "net.core.somaxconn", "net/core/somaxconn", "net.core/somaxconn", "net/core.somaxconn"],
  ...["net.ipv4.tcp_max_syn_backlog", "net/ipv4/tcp_max_syn_backlog", "net.core.somaxconn2", "vm.swappiness0"],
);
const pattern = fc.constantFrom(
  ...["net.core.somax*", "net/core/soma[x-z]conn", "net.*.somaxconn", "net.core.somaxcon?", "net.core.zz*"],
  ...["net.core.[!a]omaxconn", "net.core.somaxconn*", "*/ipv4/tcp_max_syn_back*", "net.core.somaxcon[n", "*.somaxconn"],
);
const remark = fc.constantFrom("", "", "", "", " # raised", "\t; raised", " #");
const dash = fc.constantFrom("", "", "", "", "-");

const assignment = (name: fc.Arbitrary<string>) =>
  fc
    .tuple(blanks, dash, name, blanks, blanks, value, remark, blanks)
    .map(([indent, minus, key, left, right, number, note, end]) => {
      return `${indent}${minus}${key}${left}=${right}${number}${note}${end}`;
    });

const comment = fc
  .tuple(blanks, fc.constantFrom("#", ";"), fc.constantFrom(" kernel", "net.core.somaxconn = 5", "", " t\xe9l\xe9"))
  .map((parts) => parts.join(""));

const exclusion = fc.tuple(blanks, spelledKey, blanks).map(([indent, key, end]) => `${indent}-${key}${end}`);

/** Two spellings in which the two readers differ, and lines that are no statements. */
const oddity = fc.constantFrom(
  "- net.core.somaxconn = 77",
  "net..core.somaxconn=78",
  "net.core.somaxconn",
  "=",
  "-",
  "x=\\",
);

export const line = fc.oneof(
  { weight: 6, arbitrary: assignment(spelledKey) },
  { weight: 2, arbitrary: assignment(pattern) },
  { weight: 3, arbitrary: comment },
  { weight: 2, arbitrary: fc.constantFrom("", " ", "vm.swappiness0=1") },
  { weight: 1, arbitrary: exclusion },
  { weight: 1, arbitrary: oddity },
);

const joined = (lines: readonly string[], feed: string, isTerminated: boolean) =>
  lines.join(feed) + (isTerminated && lines.length > 0 ? feed : "");

const plausible = (maxLength: number) =>
  fc
    .tuple(fc.array(line, { maxLength }), fc.constantFrom("\n", "\n", "\n", "\r\n"), fc.boolean())
    .map((parts) => joined(...parts));

const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array).toString("latin1"));

/** Lines with bytes of any value between and within them. */
const damaged = fc
  .array(fc.oneof(line, bytes, fc.constantFrom("\n", "\r", "\0", "\v", "=", "-")), { maxLength: 14 })
  .map((parts) => parts.join(""));

export const plausibleFile = plausible(8);

export const anyTree: fc.Arbitrary<Tree> = fc
  .tuple(fc.oneof(plausibleFile, damaged), fc.option(fc.oneof(plausible(2), damaged)), fc.boolean())
  .map(([text, later, isOwn]) => ({ ...treeOf(text, later), own: new Set(isOwn ? [AFTER] : []) }));

/** With a file that is read before the others, which may be the administrator's own. */
export const treeWithEarlier: fc.Arbitrary<Tree> = fc
  .tuple(anyTree, plausible(3), fc.boolean())
  .map(([tree, text, isOwn]) => ({
    ...tree,
    files: new Map([[BEFORE, text], ...tree.files]),
    before: [BEFORE],
    own: new Set([...(tree.own ?? []), ...(isOwn ? [BEFORE] : [])]),
  }));

export function treeOf(text: string, later: string | null = null): Tree {
  const files = new Map([[ROOT, text], ...(later === null ? [] : [[AFTER, later] as [string, string]])]);
  return { root: ROOT, files, after: later === null ? [] : [AFTER] };
}
