import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { directives, nginxConf } from "../../../provider/services/nginx/nginx-conf";
import { FormatError, type Found, type Tree } from "../../../provider/text/format";
import { edit } from "../../support/lossless";
import { FOLDER } from "../../support/nginx-arbitrary";
import { type Case, type Change, casesOf, names, treeOf } from "../../support/nginx-corpus";

function changed(tree: Tree, changes: readonly Change[]): Map<string, string> {
  const lines = new Map<string, string[]>();
  // From the last line up, so that the numbers hold.
  for (const { file, line, old, new: replacement } of [...changes].sort((a, b) => b.line - a.line)) {
    const path = `${FOLDER}/${file}`;
    const all = lines.get(path) ?? tree.files.get(path)?.split("\n") ?? [];
    assert.deepEqual(all.splice(line - 1, old.length, ...replacement), old, `${file}:${line} of the case`);
    lines.set(path, all);
  }
  return new Map([...lines].map(([path, all]) => [path, all.join("\n")]));
}

function withFiles(tree: Tree, files: ReadonlyMap<string, string>): Tree {
  return { ...tree, files: new Map([...tree.files, ...files]) };
}

function valuesOf(found: Readonly<Record<string, Found>>): Record<string, string> {
  return Object.fromEntries(Object.entries(found).map(([key, { value }]) => [key, value]));
}

function check(tree: Tree, { wanted, read, change, error }: Case): void {
  const keys = Object.keys(wanted);
  if (read) {
    const found = Object.entries(nginxConf.read(tree, keys)).map(([key, one]) => [
      key,
      one.value,
      `${one.file}:${one.line}`,
    ]);
    const expected = Object.entries(read).map(([key, { value, at }]) => [key, value, `${FOLDER}/${at}`]);
    assert.deepEqual(found.sort(), expected.sort());
  }
  if (error !== undefined) {
    assert.throws(
      () => edit(nginxConf, tree, wanted),
      (thrown) => {
        assert(thrown instanceof FormatError);
        assert.equal(thrown.message, `${FOLDER}/${error}`);
        return true;
      },
    );
    return;
  }
  const result = edit(nginxConf, tree, wanted);
  assert.deepEqual(result, changed(tree, change ?? []));
  const after = withFiles(tree, result);
  const kept = Object.entries(wanted).filter(([, value]) => value !== null);
  assert.deepEqual(valuesOf(nginxConf.read(after, keys)), Object.fromEntries(kept));
  assert.equal(edit(nginxConf, after, wanted).size, 0, "a second edit changes nothing");
  const before = valuesOf(nginxConf.read(tree, keys));
  assert.equal(edit(nginxConf, tree, before).size, 0, "the values that stand change nothing");
}

describe("the corpus of nginx files", () => {
  assert(names.length > 50, "the corpus is missing");
  for (const name of names) {
    assert(casesOf(name).length > 0);
    for (const [at, one] of casesOf(name).entries()) test(`${name} ${at + 1}`, () => check(treeOf(name), one));
  }
});

describe("directives", () => {
  test("finds those at any depth, with the blocks around them", () => {
    const tree = treeOf("debian-stock");
    assert.deepEqual(directives(tree, "listen"), [
      { value: "80 default_server", file: "/etc/nginx/sites-enabled/default", line: 2, context: ["http", "server"] },
      {
        value: "[::]:80 default_server",
        file: "/etc/nginx/sites-enabled/default",
        line: 3,
        context: ["http", "server"],
      },
    ]);
    assert.deepEqual(directives(tree, "user"), [
      { value: "www-data", file: "/etc/nginx/nginx.conf", line: 1, context: [] },
    ]);
    assert.deepEqual(directives(tree, "try_files")[0]?.context, ["http", "server", "location"]);
  });

  test("finds one in a file that is included twice twice", () => {
    const found = directives(treeOf("snippet-included-twice"), "client_body_temp_path");
    assert.deepEqual(
      found.map(({ context }) => context.join()),
      ["http", "http,server"],
    );
  });

  test("takes no word of a types, map, geo or split_clients block for a directive", () => {
    assert.deepEqual(directives(treeOf("free-words-like-settings"), "client_body_temp_path"), []);
  });

  test("takes nothing of a Lua block for a directive", () => {
    assert.deepEqual(
      directives(treeOf("lua-blocks"), "worker_connections").map(({ line }) => line),
      [1],
    );
  });
});

test("a name that no directive has is refused, and one that stands among others, too", () => {
  const tree: Tree = { root: "/n/nginx.conf", files: new Map([["/n/nginx.conf", "events {}\nuser x;\n"]]) };
  for (const key of ["", "User", "1user", "events.worker-connections", "events.", "user;x", "x user"]) {
    const message = `/n/nginx.conf:1: "${key}" names no directive; ask for block.directive`;
    assert.throws(() => nginxConf.read(tree, ["user", key]), { name: "FormatError", message });
    assert.throws(() => edit(nginxConf, tree, { [key]: "1" }), { name: "FormatError", message });
  }
});

describe("where a missing directive goes", () => {
  const RLIMIT = { worker_rlimit_nofile: "9" };
  const CONNECTIONS = { "events.worker_connections": "9" };
  const edited = (text: string, wanted: Readonly<Record<string, string>>) =>
    edit(nginxConf, { root: "/n/nginx.conf", files: new Map([["/n/nginx.conf", text]]) }, wanted).get("/n/nginx.conf");

  for (const [where, text, after] of [
    [
      "before the events block, not another one",
      "http {\n}\nevents {\n}\n",
      "http {\n}\nworker_rlimit_nofile 9;\nevents {\n}\n",
    ],
    [
      "above the comments on it",
      "http {\n}\n# a\n# b\nevents {\n}\n",
      "http {\n}\nworker_rlimit_nofile 9;\n# a\n# b\nevents {\n}\n",
    ],
    [
      "not above a comment within another block",
      "http { # a\n}\nevents {\n}\n",
      "http { # a\n}\nworker_rlimit_nofile 9;\nevents {\n}\n",
    ],
    ["below the file's head", "# head\nevents {\n}\n", "# head\nworker_rlimit_nofile 9;\nevents {\n}\n"],
    [
      "behind blocks within blocks",
      "http {\nserver {\n}\n}\nevents {\n}\n",
      "http {\nserver {\n}\n}\nworker_rlimit_nofile 9;\nevents {\n}\n",
    ],
    [
      "before the first statement where the block has no line of its own",
      "http {} events {}\n",
      "worker_rlimit_nofile 9;\nhttp {} events {}\n",
    ],
    ["with the events block's indentation", "  events {\n  }\n", "  worker_rlimit_nofile 9;\n  events {\n  }\n"],
    ["behind user", "user x;\npid y;\nevents {\n}\n", "user x;\nworker_rlimit_nofile 9;\npid y;\nevents {\n}\n"],
  ] as const)
    test(`${where}`, () => assert.equal(edited(text, RLIMIT), after));

  for (const [how, text, after] of [
    ["by four blanks where nothing is indented", "events {\n}\n", "events {\n    worker_connections 9;\n}\n"],
    [
      "as the file's first indented directive is",
      "http {\n\tsendfile on;\n}\nevents {\n}\n",
      "http {\n\tsendfile on;\n}\nevents {\n\tworker_connections 9;\n}\n",
    ],
    [
      "not as a closing brace is",
      "http {\n      }\nevents {\n}\n",
      "http {\n      }\nevents {\n    worker_connections 9;\n}\n",
    ],
    [
      "not as one deeper down is",
      "http { server {\n        listen 80;\n}}\nevents {\n}\n",
      "http { server {\n        listen 80;\n}}\nevents {\n    worker_connections 9;\n}\n",
    ],
    [
      "behind one of its kind, on its line",
      "events { worker_aio_requests 5; use epoll; }\n",
      "events { worker_aio_requests 5; worker_connections 9; use epoll; }\n",
    ],
    [
      "there without a blank where none is",
      "events {worker_aio_requests 5;}\n",
      "events {worker_aio_requests 5;worker_connections 9;}\n",
    ],
    ["first where none is of its kind", "events { use epoll; }\n", "events { worker_connections 9; use epoll; }\n"],
    [
      "with the blank behind its kind where none is before it",
      "events {worker_aio_requests 5; }\n",
      "events {worker_aio_requests 5; worker_connections 9; }\n",
    ],
    [
      "with the blank before its kind where none is behind it",
      "events { worker_aio_requests 5;}\n",
      "events { worker_aio_requests 5; worker_connections 9;}\n",
    ],
    [
      "as the block's own directives are",
      "http {\n\ta b;\n}\nevents {\n  use epoll;\n}\n",
      "http {\n\ta b;\n}\nevents {\n  worker_connections 9;\n  use epoll;\n}\n",
    ],
    [
      "not behind one of its kind in another block",
      "events {\n}\nhttp {\n  worker_a b;\n}\n",
      "events {\n  worker_connections 9;\n}\nhttp {\n  worker_a b;\n}\n",
    ],
    [
      "also behind a block that is empty",
      "types {\n}\nhttp {\n\ta b;\n}\nevents {\n}\n",
      "types {\n}\nhttp {\n\ta b;\n}\nevents {\n\tworker_connections 9;\n}\n",
    ],
    [
      "not as the brace of an inner block is",
      "http {\nserver {\n\t}\n  a b;\n}\nevents {\n}\n",
      "http {\nserver {\n\t}\n  a b;\n}\nevents {\n  worker_connections 9;\n}\n",
    ],
  ] as const)
    test(`indented, ${how}`, () => assert.equal(edited(text, CONNECTIONS), after));
});

describe("a directive's arguments", () => {
  const PATH = "http.client_body_temp_path";
  const edited = (directive: string, value: string | null) => {
    const files = new Map([["/n/nginx.conf", `events {}\nhttp {\n${directive}\n}\n`]]);
    const after = edit(nginxConf, { root: "/n/nginx.conf", files }, { [PATH]: value }).get("/n/nginx.conf");
    return after?.split("\n").slice(2, -2).join("\n");
  };
  const refused = (directive: string, value: string | null, problem: string) =>
    assert.throws(() => edited(directive, value), { name: "FormatError", message: `/n/nginx.conf:3: ${problem}` });

  for (const [what, text, value, after] of [
    [
      "keep their spelling where they stay",
      `client_body_temp_path "/a"  1 2;`,
      "/a 1 3",
      `client_body_temp_path "/a"  1 3;`,
    ],
    [
      "keep their quotes where they change",
      `client_body_temp_path "/a"  '1';`,
      "/b 2",
      `client_body_temp_path "/b"  '2';`,
    ],
    ["are added behind the last", "client_body_temp_path /a ;", "/a 1 2", "client_body_temp_path /a 1 2 ;"],
    [
      "are taken out with the blanks before them",
      "client_body_temp_path /a  1\t2 ;",
      "/a",
      "client_body_temp_path /a ;",
    ],
  ] as const)
    test(what, () => assert.equal(edited(text, value), after));

  test("are refused where one is longer than 2000 bytes, or empty", () => {
    const [long, longer] = ["a".repeat(2000), "a".repeat(2001)];
    assert.equal(edited("client_body_temp_path /a;", `${long} ${long}`), `client_body_temp_path ${long} ${long};`);
    const wanted = 'the wanted value of "client_body_temp_path"';
    refused("client_body_temp_path /a;", `/a ${longer}`, `${wanted} is longer than 2000 bytes; shorten it`);
    const empty = "has an empty argument; put one space between arguments and none around them";
    for (const value of ["", " /a", "/a ", "/a  1"]) refused("client_body_temp_path /a;", value, `${wanted} ${empty}`);
  });

  test("are left to the reader where one is empty or has a blank, or a comment is among them", () => {
    const problem = '"client_body_temp_path" has an empty argument or one with a blank; change it by hand';
    for (const word of ['""', '"a b"']) refused(`client_body_temp_path /a ${word};`, "/b", problem);
    const comment = 'a comment within "client_body_temp_path"; move it before the line';
    for (const directive of [
      "client_body_temp_path # c\n/a;",
      "client_body_temp_path /a # c\n;",
      "client_body_temp_path /a # c\n1;",
    ])
      refused(directive, null, comment);
  });

  test("stand in a block that is named as a whole where it is missing", () => {
    const tree: Tree = { root: "/n/nginx.conf", files: new Map([["/n/nginx.conf", "events {}\nhttp {\n}\n"]]) };
    const message = '/n/nginx.conf:1: no "http.server" block in this file or those it includes; add one';
    assert.throws(() => edit(nginxConf, tree, { "http.server.root": "/a" }), { name: "FormatError", message });
  });

  test("are left as they are in a file that is included twice", () => {
    const files = new Map([
      ["/n/nginx.conf", "events {}\nhttp {\ninclude a;\nserver { include a; }\n}\n"],
      ["/n/a", "client_body_temp_path /a;\n"],
    ]);
    const message = "/n/a:1: this file is included in more than one place; give the setting a file of its own";
    assert.throws(() => edit(nginxConf, { root: "/n/nginx.conf", files }, { [PATH]: null }), { message });
  });
});

describe("a configuration without a root file", () => {
  const tree: Tree = { root: "/etc/nginx/nginx.conf", files: new Map() };

  test("has no settings", () => {
    assert.deepEqual(nginxConf.read(tree, ["worker_rlimit_nofile"]), {});
    assert.equal(edit(nginxConf, tree, { worker_rlimit_nofile: null }).size, 0);
  });

  test("takes none", () => {
    assert.throws(() => edit(nginxConf, tree, { worker_rlimit_nofile: "1" }), /nginx.conf:1: no "events" block/);
  });
});

describe("what would take too long", () => {
  const main = "events { worker_connections 768; }\nhttp {\n";

  test("files that include others twice, without end, are refused", () => {
    const files = new Map([["/n/nginx.conf", "include 0;"]]);
    for (let at = 0; at < 40; at++) files.set(`/n/${at}`, `include ${at + 1}; include ${at + 1};`);
    files.set("/n/40", "");
    assert.throws(
      () => nginxConf.read({ root: "/n/nginx.conf", files }, ["user"]),
      /more than 100000 includes; reduce them/,
    );
  });

  const hostile: Record<string, string> = {
    "a million open blocks": `${"a {".repeat(1e6)}${"}".repeat(1e6)}`,
    "a file of quotes": `log_format x ${"'\"' ".repeat(1e6)};`,
    "a file of backslashes": `x ${"\\\\\n".repeat(1e6)};`,
    "a file of comments": "#\n".repeat(2e6),
    "Lua strings that no line closes": `init_by_lua_block { ${`"${"\\'\\\"".repeat(2e5)}`} \n }`,
    "Lua brackets": `init_by_lua_block { ${"[= ".repeat(1e6)} }`,
    directives: `${"sendfile on;".repeat(4e5)}`,
  };
  for (const [what, content] of Object.entries(hostile)) {
    test(`${what}, ${(content.length / 1e6).toFixed(1)} MB, is edited`, () => {
      const tree: Tree = { root: "/n/nginx.conf", files: new Map([["/n/nginx.conf", `${main}${content}\n}\n`]]) };
      assert.equal(edit(nginxConf, tree, { "events.worker_connections": "4096" }).size, 1);
    });
  }
});
