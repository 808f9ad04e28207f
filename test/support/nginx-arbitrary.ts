/** nginx configurations as administrators leave them behind, and others, for property and differential tests. */
import { posix } from "node:path";
import fc from "fast-check";
import type { Tree, Wanted } from "../../provider/text/format";

export const FOLDER = "/etc/nginx";
export const ROOT = `${FOLDER}/nginx.conf`;
export const CONNECTIONS = "events.worker_connections";
export const FILES = "worker_rlimit_nofile";
export const TEMP_PATH = "http.client_body_temp_path";
export const KEYS = [CONNECTIONS, FILES, TEMP_PATH] as const;

/** Text of a configuration, and the files that it includes by their paths below the folder. */
interface Part {
  readonly text: string;
  readonly files: Readonly<Record<string, string>>;
}

const part = (text: string): Part => ({ text, files: {} });

/** What may stand between two statements. */
const gap = fc.constantFrom(
  "\n",
  "\n",
  "\n    ",
  "\n\t",
  "\n\n  ",
  " ",
  "",
  "\r\n",
  "\n# worker_connections 1; { it's\n",
  "  #client_body_temp_path /x;\n\t",
  " # r\xe9gl\xe9 }\n",
);
/** What may stand between two words. */
const space = fc.constantFrom(" ", " ", " ", "  ", "\t", "\n        ", " # 'one\n ", "\r\n\t");
const end = fc.constantFrom(";", ";", ";", " ;", "\n;", " # {\n;");
const quote = fc.constantFrom("", "", "", '"', "'");

/** Words in any quotes with anything that may be between them. */
function statement(...words: (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> {
  const spelled = words.map((word) =>
    fc.tuple(typeof word === "string" ? fc.constant(word) : word, quote).map(([text, mark]) => mark + text + mark),
  );
  return fc
    .tuple(fc.tuple(...spelled), fc.array(space, { minLength: words.length, maxLength: words.length }), end)
    .map(([all, spaces, last]) => all.map((word, at) => (at === 0 ? word : spaces[at] + word)).join("") + last);
}

/** The parts in any order, with any gaps; those that are optional may be missing. */
function content(required: fc.Arbitrary<Part>[], optional: fc.Arbitrary<Part>[]): fc.Arbitrary<Part> {
  const all = [...required, ...optional.map((one) => fc.option(one))];
  const order = fc.shuffledSubarray([...all.keys()], { minLength: all.length });
  const gaps = fc.array(gap, { minLength: all.length + 1, maxLength: all.length + 1 });
  return fc.tuple(fc.tuple(...all), order, gaps).map(([parts, places, between]) => {
    const present = places.flatMap((place) => parts[place] ?? []);
    const text = between[0] + present.map((one, at) => one.text + between[at + 1]).join("");
    return { text, files: Object.assign({}, ...present.map(({ files }) => files)) };
  });
}

function block(head: fc.Arbitrary<string>, inside: fc.Arbitrary<Part>): fc.Arbitrary<Part> {
  return fc
    .tuple(head, fc.constantFrom("", " ", "\n", " # {\n"), inside)
    .map(([name, before, { text, files }]) => ({ text: `${name}${before}{${text}}`, files }));
}

/** The part itself, or an include of a file that holds it. */
function perhapsIncluded(folder: string, inner: fc.Arbitrary<Part>): fc.Arbitrary<Part> {
  const path = fc.constantFrom("x.conf", "*.conf", "[a-x].c?nf", ".//x.conf", `../${folder}/x.conf`);
  const prefix = fc.constantFrom("", "", `${FOLDER}/`);
  const included = fc
    .tuple(
      inner,
      gap,
      gap,
      prefix.chain((one) => path.chain((name) => statement("include", `${one}${folder}/${name}`))),
    )
    .map(([{ text, files }, before, behind, directive]) => ({
      text: directive,
      files: { ...files, [`${folder}/x.conf`]: before + text + behind },
    }));
  return fc.oneof({ weight: 3, arbitrary: inner }, { weight: 1, arbitrary: included });
}

const number = fc.integer({ min: 64, max: 9999 }).map(String);
const path = fc.constantFrom("body", "temporary-files", "body_2", "d\xe9p\xf4t");

const events = block(
  fc.constantFrom("events", "events", '"events"'),
  content(
    [],
    [
      perhapsIncluded("connections", statement("worker_connections", number).map(part)),
      statement("multi_accept", fc.constantFrom("on", "off")).map(part),
      statement("accept_mutex", "off").map(part),
      statement("include", "nothing/*.conf").map(part),
    ],
  ),
);

const server = fc.constantFrom(
  "server { listen unix:one.sock; location / { return 200 'a}b{'; } }",
  'server\n{ listen unix:two.sock; location ~ "^/a{2}" { client_body_temp_path other; } }',
  "server{listen unix:three.sock;location ~ /b\\{2\\}{return 204;}}",
  "upstream pool { server 127.0.0.1:1; }",
);
const freeWords = fc
  .constantFrom(
    "map $uri $one { default ${host}; ~\\{ 1; '~\\'{' \"\\\"}\"; client_body_temp_path 2; }",
    "types { text/html html htm; a/b\n worker_connections; }",
    "geo $two { default 0; 127.0.0.1 1; }",
    'split_clients "${remote_addr}x" $three { 50% a; * include; }',
    'log_format four \'$request ; {\' "$status \\" #"',
  )
  .map((text) => (text.startsWith("log_format") ? `${text};` : text));

const http = block(
  fc.constant("http"),
  content(
    [fc.constant(part("access_log off;"))],
    [
      perhapsIncluded("uploads", statement("client_body_temp_path", path).map(part)),
      perhapsIncluded("servers", server.map(part)),
      freeWords.map(part),
      statement("client_max_body_size", "4096m").map(part),
      statement("sendfile", "on").map(part),
      statement("server_names_hash_bucket_size", "128").map(part),
    ],
  ),
);

const main = content(
  [perhapsIncluded("events", events), perhapsIncluded("http", http)],
  [
    perhapsIncluded("limits", statement("worker_rlimit_nofile", number).map(part)),
    statement("worker_processes", fc.constantFrom("2", "auto")).map(part),
    statement("user", "root").map(part),
    statement("timer_resolution", "100ms").map(part),
    statement("env", "A=b").map(part),
  ],
);

/** What nginx refuses, one of each kind; behind a whole configuration. */
const faults = fc.constantFrom(
  "events { }",
  "http { }",
  "worker_rlimit_nofile 1; worker_rlimit_nofile 2;",
  "env",
  "env 'a",
  "env 'a'b;",
  "}",
  "{",
  ";",
  "env A {",
  "include lost.conf;",
  "include nginx.conf;",
  "include;",
  "include a b;",
  `# ${"x".repeat(5000)}\nenv C;`,
);

function treeOf({ text, files }: Part): Tree {
  const included = Object.entries(files).map(([name, one]): [string, string] => [posix.join(FOLDER, name), one]);
  return { root: ROOT, files: new Map([[ROOT, text], ...included]) };
}

/** A configuration that nginx accepts. */
export const soundTree: fc.Arbitrary<Tree> = main.map(treeOf);

/** One that it mostly refuses. */
export const faultyTree: fc.Arbitrary<Tree> = fc
  .tuple(main, faults)
  .map(([{ text, files }, fault]) => treeOf({ text: `${text}\n${fault}`, files }));

const wantedNumber = fc.integer({ min: 64, max: 200000 }).map(String);
/** One that needs no quotes. */
const plainPath = fc.constantFrom("uploads", "other_files", "x-1.2", "\xe9t\xe9", "a)b(");
const wantedPath = fc.oneof(plainPath, fc.constantFrom("a;b", "it's", 'say"{', "#one", "back\\slash", "$a{b"));

/** Values for some of the keys; null for those that shall go. */
export const wanted: fc.Arbitrary<Wanted> = fc
  .record({
    [CONNECTIONS]: fc.option(wantedNumber, { freq: 8 }),
    [FILES]: fc.option(wantedNumber, { freq: 8 }),
    [TEMP_PATH]: fc.option(wantedPath, { freq: 8 }),
  })
  .chain((values) =>
    fc.subarray([...KEYS], { minLength: 1 }).map((keys) => Object.fromEntries(keys.map((key) => [key, values[key]]))),
  );

const piece = fc.constantFrom(
  ..." \t\r\n;{}\"'#\\$)(a".split(""),
  ...["${", '"a"', "'b c'", "\\n", '\\"', "\\\\", "word", "# c\n", "a b;", " ", ";", "\xe9", "\v", "$x{y"],
);
/** Any words that nginx's reader takes or not, without the end of a block. */
export const wordSalad = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(""));

const wholePiece = fc.constantFrom(
  ...["worker_connections 5;", "worker_rlimit_nofile '6';", "\n", " ", "\t", "\r\n", "# x\n", "user a;", "types {}"],
  ...["client_body_temp_path /a  1;", "include [x];", "a_by_lua_block {'}'}", 'log_format "{";', "if ($x) { a b; }"],
  ...["http { client_body_temp_path\n/b; }", "http\n{\n\t\n}", "a b;", "c\n d ;", "e 'f';", "# g h;\n", "  ", "\n\n"],
);
const brokenPiece = fc.oneof(
  fc.constantFrom("events{", "http {", "}", "user", ";", "types {", "include x;", "a_by_lua_block {"),
  piece,
);
/** Statements in no sensible order, some of them broken. */
export const statementSalad = fc
  .array(fc.oneof({ weight: 20, arbitrary: wholePiece }, { weight: 1, arbitrary: brokenPiece }), { maxLength: 10 })
  .map((pieces) => pieces.join(""));
export const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1"));

const globPiece = fc.constantFrom(
  ..."*?[]!^-.ab0\\".split(""),
  ...[
    "*",
    "[a-c]",
    "[!a]",
    "[^.]",
    "[[:digit:]]",
    "[[:alpha:]_]",
    "[]a]",
    "[a",
    "\\*",
    "[\\]]",
    "[a-]",
    "b*",
    "/",
    "*/",
  ],
);
const anyPattern = fc.array(globPiece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(""));

const fileName = fc
  .array(fc.constantFrom(..."ab0.*?[]-_!\\".split("")), { minLength: 1, maxLength: 4 })
  .map((characters) => characters.join(""))
  .filter((name) => name !== "." && name !== "..");
const filePath = fc.oneof(
  fileName,
  fileName.map((name) => `d${name}/${name}`),
);

/** Some ways to write a character in a pattern. */
const SPELLINGS: readonly ((one: string) => string)[] = [
  (one) => one,
  (one) => `\\${one}`,
  (one) => `[${one}x]`,
  () => "?",
  () => "[!x]",
  () => "*",
];

function patternOf(paths: readonly string[]): fc.Arbitrary<string> {
  const spellings = fc.array(fc.constantFrom(...SPELLINGS), { minLength: 10, maxLength: 10 });
  return fc
    .tuple(fc.constantFrom(...paths), spellings)
    .map(([path, ways]) => [...path].map((one, at) => (one === "/" ? one : ways[at]!(one))).join(""));
}

/** Patterns that are read otherwise than by glob(3): with a collating symbol, or that find the folders `.` and `..`. */
const isOdd = (pattern: string): boolean => /\[[.=]|\/\.{1,2}$|\/\\?\.[^/]*\//.test(`/${pattern}`);

/** Paths of files below a folder, and patterns, most of them for one of these. */
export const filesAndPatterns: fc.Arbitrary<[string[], string[]]> = fc
  .uniqueArray(filePath, { minLength: 4, maxLength: 12 })
  .chain((paths) =>
    fc.tuple(
      fc.constant(paths),
      fc.array(
        fc.oneof({ weight: 3, arbitrary: patternOf(paths) }, anyPattern).filter((pattern) => !isOdd(pattern)),
        { minLength: 1, maxLength: 3 },
      ),
    ),
  );
