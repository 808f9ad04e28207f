/** Plausible drop-ins, and such with arbitrary bytes in them. */
import fc from "fast-check";
import type { Tree } from "../../provider/text/format";

export const KEY = "Service.LimitNOFILE";
const FOLDER = "/etc/systemd/system/nginx.service.d";
export const ROOT = `${FOLDER}/wapt.conf`;
const AFTER = `${FOLDER}/zz.conf`;

export const value = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 99_999 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom("infinity", "1024:4096", "5:infinity") },
);

/** Values that systemd takes in ways of its own, or ignores. */
const odd = fc.constantFrom(
  ...["", "1K", "0x10", "010", "+5", "-5", "5:", "9:5", "5: 6", "many", "5 # x", "0b11", "08", "5:6:7", "t\xe9l"],
);

const blanks = fc.constantFrom("", "", "", " ", "  ", "\t");
const header = fc.constantFrom(
  ...["[Service]", "[Service]", "[Service]", "[Service]", "[Service] ", " [Service]", "[Unit]", "[X-Other]", "[Other]"],
  ...["[Service", "[ Service]", '[Ser"vice]', "[]", "[", "[S\xc3\xa9]", "[S\xe9]"],
);
const name = fc.constantFrom("LimitNOFILE", "LimitNOFILE", "LimitNOFILE", "LimitNPROC", "limitnofile", "Nice");
const split = fc.constantFrom("", "", "", "", "", "\\\n", "\\\n# between\n", "\\\r\n", "\\");

const assignment = fc
  .tuple(blanks, name, blanks, split, fc.oneof({ weight: 3, arbitrary: value }, odd), blanks, split)
  .map(([indent, key, left, right, text, end, last]) => `${indent}${key}${left}=${right}${text}${end}${last}`);

const other = fc.constantFrom(
  ...[
    "# a remark",
    "; a remark \\",
    "",
    " ",
    "LimitNOFILE",
    "=",
    "=5",
    "Environment=A=b \\",
    "#LimitNOFILE=5",
    "\xef\xbb\xbf",
    "\xff",
    "\\",
  ],
);

export const line = fc.oneof(
  { weight: 5, arbitrary: assignment },
  { weight: 3, arbitrary: header },
  { weight: 2, arbitrary: other },
);

const plausible = (maxLength: number) =>
  fc
    .tuple(
      fc.constantFrom("", "", "\xef\xbb\xbf"),
      fc.array(line, { maxLength }),
      fc.constantFrom("\n", "\n", "\n", "\r\n"),
      fc.boolean(),
    )
    .map(([mark, lines, feed, isEnded]) => mark + lines.join(feed) + (isEnded && lines.length > 0 ? feed : ""));

/** The usual drop-in: one section, and sound lines in it. */
const sound = fc
  .array(fc.oneof(assignment, fc.constantFrom("# a remark", "", "Nice=5")), { maxLength: 4 })
  .map((lines) => ["[Service]", ...lines, ""].join("\n"));

const bytes = fc.uint8Array({ maxLength: 12 }).map((array) => Buffer.from(array).toString("latin1"));

const damaged = fc
  .array(fc.oneof(line, bytes, fc.constantFrom("\n", "\n", "\r", "\0", "\v", "\\", "[Service]\n")), { maxLength: 14 })
  .map((parts) => parts.join(""));

const text = fc.oneof(
  { weight: 2, arbitrary: plausible(8) },
  { weight: 2, arbitrary: sound },
  { weight: 1, arbitrary: damaged },
);

export const anyTree: fc.Arbitrary<Tree> = fc
  .tuple(text, fc.option(fc.oneof(plausible(3), sound), { freq: 3 }))
  .map((parts) => treeOf(...parts));

export function treeOf(text: string, later: string | null = null): Tree {
  const files = new Map([[ROOT, text], ...(later === null ? [] : [[AFTER, later] as [string, string]])]);
  return { root: ROOT, files, after: later === null ? [] : [AFTER] };
}
