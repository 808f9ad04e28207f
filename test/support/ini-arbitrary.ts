/** Files like waptserver.ini as administrators leave them behind, for property and differential tests. */
import fc from "fast-check";
import type { Tree } from "../../provider/text/format";

/** A line, or several for a value that is continued; the managed value stands between `before` and `behind`. */
export interface Line {
  readonly before: string;
  /** Undefined for a line that sets something else. */
  readonly value?: string;
  readonly behind: string;
}

export const ROOT = "/opt/wapt/conf/waptserver.ini";
export const KEY = "options.db_max_connections";

export const treeOf = (text: string): Tree => ({ root: ROOT, files: new Map([[ROOT, text]]) });

const integer = fc.integer({ min: 1, max: 9999 }).map(String);
const delimiter = fc.constantFrom(" = ", "=", " : ", ":", "= ", " =", "\t=\t", "   = ", "\xc2\xa0= ");
const key = fc.constantFrom("db_max_connections", "db_max_connections", "DB_Max_Connections");
const tail = fc.constantFrom("", "", "", " ", "\t ", "\xc2\xa0");

const managedLine = (indent: string): fc.Arbitrary<Line> =>
  fc.record({
    before: fc.tuple(fc.constant(indent), key, delimiter).map((parts) => parts.join("")),
    value: integer,
    behind: tail,
  });

const otherValue = fc.constantFrom(
  "x",
  "",
  "p;w",
  "a ; b",
  "s=c:t",
  "[x]",
  "%(y)s",
  "caf\xc3\xa9",
  "\xe9",
  "a\n   b",
  "\n\t\t\t1\n\n   2",
  "a\n    ; not read\n    c",
  "a\n   [options]",
  "a\n   db_max_connections = 3",
  "\xe2\x80\xa8x",
  "x\x1c",
);
const commentLine = fc.constantFrom(
  "",
  "  ",
  "# db_max_connections = 5",
  "; note",
  "  ; indented",
  "\t#",
  "\xc2\xa0",
  "\x0b",
);
const otherLine = (keys: readonly string[], indent: string): fc.Arbitrary<Line> =>
  fc
    .oneof(
      commentLine,
      fc
        .tuple(fc.constant(indent), fc.constantFrom(...keys), delimiter, otherValue, tail)
        .map((parts) => parts.join("")),
    )
    .map((before) => ({ before, behind: "" }));

/** A file that Python 3 reads, with at most one managed setting, in the form of its lines. */
export const plainFile = fc.constantFrom("", "", "  ").chain((indent) =>
  fc.record({
    head: fc.constantFrom(
      "[options]",
      "# WAPT\n[options]",
      "[a]\nb = c\n\n[options]",
      "[DEFAULT]\nz=1\n[options] ; all",
    ),
    above: fc.uniqueArray(otherLine(["user", "Server", "x.y"], indent), { selector: keyOf, maxLength: 5 }),
    managed: fc.option(managedLine(indent)),
    below: fc.uniqueArray(otherLine(["host", "secret key", "Name"], indent), { selector: keyOf, maxLength: 5 }),
    foot: fc.constantFrom("", "[other]\ndb_max_connections = 1", "\n# end\n[DEFAULT]\n[q]"),
    end: fc.constantFrom("\n", "\n", "\r\n"),
    isTerminated: fc.boolean(),
  }),
);
export type PlainFile = typeof plainFile extends fc.Arbitrary<infer File> ? File : never;

/** Comment lines differ from one another by nothing, so that only settings are unique. */
function keyOf({ before }: Line): string | symbol {
  const name = /^\s*([^\s=:#;][^=:]*?)\s*[=:]/.exec(before)?.[1];
  return name?.replace(/[\s\xc2]+$/, "").toLowerCase() ?? Symbol();
}

/** The text with the managed line as given, none for undefined. */
export function textOf(file: PlainFile, managed: Line | undefined): string {
  const lines = [...file.above, ...(managed ? [managed] : []), ...file.below];
  const texts = [file.head, ...lines.map((line) => line.before + (line.value ?? "") + line.behind), file.foot];
  const text = texts.filter((part, index) => part !== "" || index < texts.length - 1).join("\n");
  return text.replaceAll("\n", file.end) + (file.isTerminated ? file.end : "");
}

const anyValue = fc.oneof(
  integer,
  otherValue,
  fc.constantFrom("90 ; note", "90;note", "90 # note", "\n  90", "90\n  # c\n  1 ; n", "", "0x5", "9\n\n\n  0"),
);
const anySetting = (keys: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.constantFrom("", "", "", "", " ", "  ", "\t", "\xc2\xa0"), keys, delimiter, anyValue, tail)
    .map((parts) => parts.join(""));
const unmanagedKey = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 99 }).map((number) => `key ${number}`) },
  fc.constantFrom("user", "User", "db_host", "[k", "x.y"),
);
const anyLine = fc.oneof(
  { weight: 12, arbitrary: commentLine },
  { weight: 12, arbitrary: anySetting(fc.constantFrom("db_max_connections", "DB_MAX_CONNECTIONS", "max_clients")) },
  { weight: 12, arbitrary: anySetting(unmanagedKey) },
  {
    weight: 6,
    arbitrary: fc.constantFrom("[DEFAULT]", "[DEFAULT]", "[a]", " [b]", "[c]d]", "[e] ; f", "[Options]", "[options]"),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "user",
      "= x",
      ": y",
      "[]",
      "[",
      "]",
      "  continued",
      "[options",
      "options]",
      "[\xc2\xa0]",
    ),
  },
);

/** Any order of lines, many of which Python 3 refuses. */
export const anyFile: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(
      "[options]",
      "[options]",
      "[options]",
      "[DEFAULT]\ndb_max_connections = 5\nmax_clients = 5\n[options]",
      "[a]",
      "[options]x]",
      "; c",
      "",
    ),
    fc.array(anyLine, { maxLength: 9 }),
    fc.constantFrom("\n", "\n", "\r\n"),
    fc.boolean(),
  )
  .map(([head, lines, end, isTerminated]) => {
    return [head, ...lines].join("\n").replaceAll("\n", end) + (isTerminated ? end : "");
  });

export const wantedValue = integer;
