/** Plausible limits.conf files, and such with arbitrary bytes in them. */
import fc from "fast-check";
import type { Tree } from "../../provider/text/format";

/** The user of the tests; every system has it. */
export const USER = "nobody";
export const KEYS = [`${USER} hard nofile`, `${USER} soft nofile`] as const;
export const ROOT = "/etc/security/limits.conf";

/** Below the least hard limit that a machine of the tests has, above what a process needs. */
export const value = fc.integer({ min: 2000, max: 19_000 }).map(String);

const blanks = fc.constantFrom(" ", "  ", "\t", "      ", " \t");
const indent = fc.constantFrom("", "", "", " ", "\t");
const domain = fc.constantFrom(
  ...Array.from({ length: 8 }, () => USER),
  "Nobody",
  "nobody2",
  "root",
  "*",
  "@nobody",
  "1000:",
  "%",
);
const type = fc.constantFrom("hard", "soft", "hard", "soft", "-", "-", "HARD", "Soft", "both");
const item = fc.constantFrom("nofile", "nofile", "nofile", "nofile", "NoFile", "nproc", "core", "nofiles");
const number = fc.oneof(
  { weight: 8, arbitrary: value },
  { weight: 1, arbitrary: fc.constantFrom("x", "03000", "4000k", "+5000") },
);
const remark = fc.constantFrom("", "", "", "", " ", "#x", "  # raised", " more", "\t");

const limit = fc
  .tuple(indent, domain, blanks, type, blanks, item, blanks, number, remark)
  .map((parts) => parts.join(""));

const unlimited = fc
  .constantFrom("unlimited", "-1", "infinity", "Unlimited", "-")
  .map((word) => `${USER} soft nofile ${word}`);

const comment = fc.constantFrom(...["# End of file", "#", `#${USER} hard nofile 5`, "  # t\xe9l\xe9", "", " "]);

/** Lines that are incomplete, or free a domain from its limits. */
const oddity = fc.constantFrom(USER, `${USER} -`, `${USER} - nofile`, `${USER} -x # y`, `* -`, `${USER} hard`, "x y z");

/** A line about as long as Linux-PAM reads at once. */
const long = fc
  .tuple(fc.integer({ min: 1012, max: 1026 }), fc.constantFrom("#", "x", " "), limit)
  .map(([length, pad, line]) => {
    return pad === " " ? line + pad.repeat(length - line.length) : `#${pad.repeat(length)}${line}`;
  });

export const line = fc.oneof(
  { weight: 12, arbitrary: limit },
  { weight: 4, arbitrary: comment },
  { weight: 1, arbitrary: unlimited },
  { weight: 1, arbitrary: oddity },
  { weight: 1, arbitrary: long },
);

const plausible = (maxLength: number) =>
  fc
    .tuple(fc.array(line, { maxLength }), fc.constantFrom("\n", "\n", "\n", "\r\n"), fc.boolean())
    .map(([lines, feed, isEnded]) => {
      return lines.join(feed) + (isEnded && lines.length > 0 ? feed : "");
    });

const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array).toString("latin1"));

const damaged = fc
  .array(fc.oneof(line, bytes, fc.constantFrom("\n", "\n", "\r", "\0", "\v", "#", " ")), { maxLength: 14 })
  .map((parts) => parts.join(""));

/** Names that the C locale sorts, but many another locale does not. */
const names = ["limits.d/10-a.conf", "limits.d/B.conf", "limits.d/_.conf", "limits.d/a.conf"];
const OVERRIDE = "/etc/security/limits.d/zzz.conf";

/** Some of the later files are the administrator's own, and there may be one of ours behind them. */
export const anyTree: fc.Arbitrary<Tree> = fc
  .tuple(
    fc.oneof(plausible(8), damaged),
    fc.subarray(names, { maxLength: 2 }),
    fc.array(fc.oneof(plausible(2), damaged), { minLength: 2, maxLength: 2 }),
    fc.boolean(),
    fc.subarray(names),
    fc.boolean(),
  )
  .map(([text, later, texts, isAlone, own, isOverridden]) => {
    const tree = treeOf(text, isAlone ? [] : later.map((name, at) => [name, texts[at]!]));
    const more = isOverridden ? { after: [...(tree.after ?? []), OVERRIDE], override: OVERRIDE } : {};
    return { ...tree, own: new Set(own.map((name) => `/etc/security/${name}`)), ...more };
  });

export function treeOf(text: string, later: readonly (readonly [string, string])[] = []): Tree {
  const others = later.map(([name, other]): [string, string] => [`/etc/security/${name}`, other]);
  return { root: ROOT, files: new Map([[ROOT, text], ...others]), after: others.map(([file]) => file) };
}
