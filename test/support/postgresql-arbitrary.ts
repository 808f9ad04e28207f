/** Files as administrators of PostgreSQL leave them behind, for property and differential tests. */
import fc from "fast-check";
import type { Tree } from "../../provider/text/format";

/** A line whose managed value stands between `before` and `behind`; other lines are all `before`. */
export interface Line {
  readonly before: string;
  /** As it is spelled, quotes included; undefined for a line that sets something else. */
  readonly spelling?: string;
  readonly behind: string;
}

export const ROOT = "/etc/postgresql/15/main/postgresql.conf";
export const AUTO = "/var/lib/postgresql/15/main/postgresql.auto.conf";
export const KEY = "max_connections";

const blanks = fc.constantFrom("", " ", "  ", "\t", " \t ");
const someBlanks = fc.constantFrom(" ", "  ", "\t", "\t\t");
const tail = fc.constantFrom("", "", " ", "\t# (change requires restart)", "#note", " # l'h\xf4te = 'x'", "\r");
const equals = fc.oneof(
  fc.tuple(blanks, fc.constant("="), blanks).map((parts) => parts.join("")),
  someBlanks,
);
const name = fc.constantFrom("max_connections", "max_connections", "MAX_CONNECTIONS", "Max_Connections");

const integer = fc.integer({ min: 1, max: 9999 }).map(String);
/** Values without escapes, whose spelling a restored value gets again. */
const plainSpelling = fc.oneof(
  integer,
  integer.map((digits) => `'${digits}'`),
  fc.constantFrom("+12", "0x64", "1.5e2", "''"),
);
const character = fc.constantFrom(
  "a",
  "5",
  " ",
  "#",
  "=",
  "''",
  "\\'",
  "\\\\",
  "\\n",
  "\\12",
  "\\1017",
  "\\x",
  "\xe9",
  "\t",
);
export const quotedSpelling = fc.array(character, { maxLength: 6 }).map((parts) => `'${parts.join("")}'`);
const bareSpelling = fc.constantFrom(
  "on",
  "128MB",
  "x-y",
  "conf.d/a",
  "-1",
  "1.5",
  ".5",
  "a1._-:/",
  "\xe9t\xe9",
  "0xfFkB",
  ".",
);

const managedLine = (spelling: fc.Arbitrary<string>): fc.Arbitrary<Line> =>
  fc.record({
    before: fc.tuple(blanks, name, equals).map((parts) => parts.join("")),
    spelling,
    behind: tail,
  });

const otherSetting = fc
  .tuple(
    blanks,
    fc.constantFrom("port", "shared_buffers", "External_Pid_File", "my.setting", "max_connections2", "n\xefve.x"),
    equals,
    fc.oneof(bareSpelling, quotedSpelling),
    tail,
  )
  .map((parts) => parts.join(""));
const commentLine = fc.constantFrom(
  "",
  "   ",
  "# -----",
  "#port = 5432",
  "\t\t\t\t\t# (change requires restart)",
  "#max_connections = 100",
  "  # MAX_Connections=50 # old",
  "# max_connections is for the postes",
  "\r",
);
const otherLine = fc.oneof(otherSetting, commentLine).map((before): Line => ({ before, behind: "" }));
const badLine = fc.constantFrom(
  "max_connections = 10 20",
  "max_connections",
  "max_connections = = 5",
  "max_connections = 'x",
  "max_connections = 'a'' #",
  "max_connections = 1e5",
  "port 12.5MB",
  "port = a.b",
  "a.b.c = 1",
  "a-b = 1",
  "= 5",
  "5 = 5",
  "'max_connections' = 5",
  "port = 5;",
  "\fport = 5",
  "include 'a' 'b'",
  "work_mem = 'a\\",
);

/** The text of lines; `lastEnd` stands behind the last one. */
export function textOf(lines: readonly Line[], end: string, lastEnd: string): string {
  const texts = lines.map((line) => line.before + (line.spelling ?? "") + line.behind);
  return texts.length === 0 ? "" : texts.join(end) + lastEnd;
}

/** One file without includes or errors, as its lines. */
export const plainFile = fc.record({
  lines: fc.array(fc.oneof({ weight: 3, arbitrary: otherLine }, managedLine(plainSpelling)), { maxLength: 12 }),
  end: fc.constantFrom("\n", "\n", "\r\n"),
  isTerminated: fc.boolean(),
});

const include = fc.tuple(
  fc.constantFrom("include", "INCLUDE", "include_if_exists", "include_dir"),
  equals,
  fc.constantFrom(
    "conf.d",
    "sub",
    "one.conf",
    "./one.conf",
    "sub/../one.conf",
    "sub/two.conf",
    "../main/conf.d",
    "lost.conf",
  ),
);
const includeLine = include
  .filter(([word, , path]) => (word === "include_dir") === !path.endsWith(".conf"))
  .map(([word, gap, path]): Line => ({ before: `${word}${gap}'${path}'`, behind: "" }));

const fileWith = (includes: number, bad: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.array(
        fc.oneof(
          { weight: 60, arbitrary: otherLine },
          { weight: 20, arbitrary: managedLine(fc.oneof(plainSpelling, quotedSpelling, bareSpelling)) },
          { weight: includes, arbitrary: includeLine },
          { weight: bad, arbitrary: badLine.map((before): Line => ({ before, behind: "" })) },
        ),
        { maxLength: 8 },
      ),
      fc.constantFrom("\n", "\r\n"),
      fc.boolean(),
    )
    .map(([lines, end, isTerminated]) => textOf(lines, end, isTerminated ? end : ""));

/** Where candidates for includes stand, relative to the root file's folder; `conf.d` and `sub` exist in any case. */
const PLACES = [
  "one.conf",
  "conf.d/10.conf",
  "conf.d/9.conf",
  "conf.d/.x.conf",
  "conf.d/y.conf~",
  "sub/two.conf",
  "sub/Z.conf",
];

/** A root file, candidates for its includes, and perhaps postgresql.auto.conf; some with errors. */
export const wholeTree: fc.Arbitrary<Tree> = fc
  .record({
    root: fileWith(20, 2),
    others: fc
      .subarray(PLACES)
      .chain((places) => fc.tuple(...places.map((place) => fc.tuple(fc.constant(place), fileWith(4, 1))))),
    auto: fc.option(fc.constantFrom("", "max_connections = '1000'\n", "port = 5433\n"), { freq: 4 }),
  })
  .map(({ root, others, auto }) => {
    const folder = ROOT.slice(0, ROOT.lastIndexOf("/"));
    const files = new Map([
      [ROOT, root],
      ...others.map(([place, text]): [string, string] => [`${folder}/${place}`, text]),
    ]);
    if (auto !== null) files.set(AUTO, auto);
    return { root: ROOT, files, after: [AUTO] };
  });

const piece = fc.oneof(
  fc.constantFrom(
    "=",
    " ",
    "\t",
    "\r",
    "#",
    "'",
    "''",
    "\\",
    "\\'",
    "max_connections",
    "\xe9",
    "\f",
    "\v",
    ";",
    "\x01",
  ),
  fc.constantFrom("0x", "1", "12kB", "-", "+", ".", "e5", "1.5", "x", "_", ":", "/", '"', "\\7", "\\412", "\\8"),
);
const pieces = fc.array(piece, { maxLength: 4 }).map((parts) => parts.join(""));
const saladLine = fc
  .tuple(
    fc.constantFrom("max_connections", "max_connections=", "a.b ", ""),
    fc.oneof(
      pieces,
      pieces.map((text) => `'${text}'`),
    ),
  )
  .map((parts) => parts.join(""));

/** Lines of tokens and pieces of tokens in any order. */
export const tokenSalad: fc.Arbitrary<Tree> = fc
  .tuple(saladLine, fc.constantFrom("", "\n"), saladLine)
  .map((parts) => ({ root: ROOT, files: new Map([[ROOT, parts.join("")]]), after: [AUTO] }));

export const wantedValue = integer;
