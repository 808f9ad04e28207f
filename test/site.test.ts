/** The configuration of a site's program: what it becomes, and that each wrong key is named before anything is contacted. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SiteError, siteOf } from "../provider/site";

const PARIS = { host: "wapt.paris.example", clients: 3000 };

function config(keys: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts = Object.entries(keys).map(([key, value]) => [
    key.includes(":") ? key : `paris:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return Object.fromEntries(texts);
}

function problems(keys: Readonly<Record<string, unknown>>): readonly string[] {
  try {
    siteOf("paris", config(keys));
  } catch (error) {
    assert.ok(error instanceof SiteError, String(error));
    return error.problems;
  }
  return [];
}

describe("a site", () => {
  it("has each server with what it shares and what is its own", () => {
    const keys = {
      servers: [
        { ...PARIS, name: "paris", workerConnections: 8000 },
        { host: "b", clients: 400, uploads: "/data", connection: { user: "root" } },
      ],
      connection: { user: "admin", sudo: true },
      uploads: "/srv/uploads",
      minFree: "20GiB",
      "pulumi-wapt:adopt": "b",
      "other:key": "x",
    };
    assert.deepEqual(siteOf("paris", config(keys)), [
      {
        name: "paris",
        args: {
          connection: { user: "admin", sudo: true, host: PARIS.host },
          uploads: { path: "/srv/uploads", minFree: "20GiB" },
          clients: 3000,
          workerConnections: 8000,
        },
      },
      {
        name: "b",
        args: {
          connection: { user: "root", sudo: true, host: "b" },
          uploads: { path: "/data", minFree: "20GiB" },
          clients: 400,
        },
      },
    ]);
  });

  it("splits its clients evenly among the servers that have none of their own", () => {
    const hosts = ["a", "b", "c"].map((host) => ({ host }));
    const clients = (keys: object) => siteOf("paris", config({ ...keys })).map(({ args }) => args.clients);
    assert.deepEqual(clients({ clients: 12000, servers: hosts }), [4000, 4000, 4000]);
    assert.deepEqual(
      clients({ clients: 10001, servers: [{ host: "a", clients: 2000 }, hosts[1], hosts[2]] }),
      [2000, 4001, 4001],
    );
    assert.deepEqual(clients({ clients: 0, servers: [PARIS] }), [3000]);
    assert.deepEqual(clients({ clients: 9000, servers: [{ host: "a", allowAbove5000: true }] }), [9000]);
  });

  const refused: (readonly [string, Record<string, unknown>, readonly RegExp[]])[] = [
    [
      "no servers",
      {},
      [/^paris:servers: is no list of servers: pulumi config set --path 'paris:servers\[0\]\.host' HOST$/],
    ],
    ["servers that are no JSON", { servers: "wapt.example secret" }, [/^paris:servers: is no list of servers: pulumi/]],
    ["a server that is a text", { servers: ["a"] }, [/^paris:servers\[0\]: is no object/]],
    ["a misspelt key", { servers: [PARIS], uplods: "/x" }, [/^paris:uplods: no such key: did you mean uploads\?/]],
    [
      "a misspelt key of the provider",
      { servers: [PARIS], "pulumi-wapt:adpot": "a" },
      [/^pulumi-wapt:adpot: no such key: did you mean adopt\?/],
    ],
    [
      "misspelt arguments of two servers at once",
      {
        servers: [
          { ...PARIS, workerConections: 5 },
          { ...PARIS, host: "b", alowAbove5000: true },
        ],
      },
      [
        /^paris:servers\[0\]\.workerConections: no such argument of a server: did you mean workerConnections\?/,
        /^paris:servers\[1\]\.alowAbove5000: no such argument of a server: did you mean allowAbove5000\?/,
      ],
    ],
    [
      "a misspelt argument beside a wrong value",
      { servers: [{ ...PARIS, workerConections: 5, omit: ["Postgres"] }] },
      [
        /^paris:servers\[0\]\.workerConections: .*did you mean workerConnections\?/,
        /^paris:servers\[0\]\.omit\.0: no such part as "Postgres"/,
      ],
    ],
    [
      "several wrong values beside a missing host",
      { servers: [{ clients: "x", omit: ["Postgres"], connection: "x" }] },
      [
        /^paris:servers\[0\]\.host: /,
        /\.connection: is no object/,
        /\.clients: give the number/,
        /\.omit\.0: no such part/,
      ],
    ],
    [
      "a name that is none",
      { servers: [{ ...PARIS, name: 5 }] },
      [/^paris:servers\[0\]\.name: give the resource's name/],
    ],
    ...[
      { clients: 9000, alowAbove5000: true },
      { clients: 3000, workerConections: 2000, workerRlimitNofile: 10000 },
      { clients: 3000, somaxcon: 9000, backlog: 8000 },
    ].map(
      (given) =>
        [
          `a misspelt argument that another one leans on: ${Object.keys(given)[1]}`,
          { servers: [{ host: "a", ...given }] },
          [/no such argument of a server: did you mean \w+\?/],
        ] as const,
    ),
    [
      "misspelt clients of one of two servers, whose share is not known then",
      {
        clients: 9500,
        servers: [
          { host: "a", clents: 4500 },
          { host: "b", clients: 4000 },
        ],
      },
      [/servers\[0\]\.clents: .*did you mean clients\?/],
    ],
    ["misspelt clients", { servers: [{ host: "a", clents: 1 }] }, [/servers\[0\]\.clents: .*did you mean clients\?/]],
    ["a misspelt host", { servers: [{ hots: "a", clients: 1 }] }, [/servers\[0\]\.hots: .*did you mean host\?/]],
    ["no host", { servers: [{ clients: 1 }] }, [/^paris:servers\[0\]\.host: give the name or address of the server$/]],
    ["no clients", { servers: [{ host: "a" }] }, [/^paris:servers\[0\]\.clients: give the number of WAPT clients/]],
    [
      "a part that does not exist",
      { servers: [{ ...PARIS, omit: ["Postgres"] }] },
      [/^paris:servers\[0\]\.omit\.0: no such part as "Postgres": did you mean PostgresConnections\?/],
    ],
    [
      "a misspelt field of the connection, once",
      { servers: [PARIS, { ...PARIS, host: "b" }], connection: { usr: "admin" } },
      [/^paris:connection\.usr: no such field of a connection: did you mean user\?/],
    ],
    ["a connection that is a text", { servers: [PARIS], connection: "admin" }, [/^paris:connection: is no object/]],
    [
      "a server twice",
      { servers: [{ ...PARIS, name: "a" }, PARIS, { ...PARIS, host: "WAPT.paris.example", name: "c" }] },
      [
        /^paris:servers\[1\]: wapt\.paris\.example is servers\[0\] too: one server has one owner; remove one of them$/,
        /^paris:servers\[2\]: WAPT\.paris\.example is servers\[0\] too/,
      ],
    ],
    [
      "a name twice",
      {
        servers: [
          { ...PARIS, name: "a" },
          { host: "b", clients: 1, name: "a" },
        ],
      },
      [/^paris:servers\[1\]: the name a is that of servers\[0\] too: give it another name$/],
    ],
    [
      "more clients than its servers carry",
      { clients: 12000, servers: [{ host: "a" }, { host: "b" }] },
      [/^paris:clients: 12000 clients on 2 servers are 6000 each, more than the 5000 .*: list 3 servers$/],
    ],
    [
      "clients that no server is left for",
      { clients: 12000, servers: [PARIS] },
      [/^paris:clients: each server has clients of its own/],
    ],
    [
      "fewer clients than its servers have",
      { clients: 2000, servers: [PARIS, { host: "b" }] },
      [/^paris:clients: 2000 leave -1000 for 1 servers/],
    ],
    [
      "clients that are no number",
      { clients: "many", servers: [{ host: "a" }] },
      [/^paris:clients: give the number of WAPT clients of all servers/],
    ],
    [
      "more clients than one server carries",
      { servers: [{ host: "a", clients: 9000 }] },
      [/^paris:servers\[0\]\.clients: 9000 clients are more than the 5000 .*use 2 servers of 4500 clients each/],
    ],
  ];
  for (const [what, keys, reasons] of refused) {
    it(`is refused with ${what}, and nothing else is said`, () => {
      const found = problems(keys);
      assert.equal(found.length, reasons.length, found.join("\n"));
      for (const [at, reason] of reasons.entries()) assert.match(found[at]!, reason);
      assert.doesNotMatch(found.join("\n"), /secret/);
    });
  }

  it("may name one private address behind two jump hosts, and behind two ports of one", () => {
    const behind = (name: string, proxy?: object) => ({
      ...PARIS,
      name,
      host: "192.168.1.10",
      connection: proxy ? { proxy } : {},
    });
    const servers = [
      behind("near"),
      behind("paris", { host: "jump.paris.example" }),
      behind("lyon", { host: "jump.lyon.example" }),
      behind("lyon-2", { host: "jump.lyon.example", port: 2222 }),
    ];
    assert.deepEqual(problems({ servers }), []);
    const [twice = "", ...others] = problems({ servers: [...servers, behind("x", { host: "Jump.Lyon.example" })] });
    assert.match(twice, /^paris:servers\[4\]: 192\.168\.1\.10 is servers\[2\] too: one server has one owner/);
    assert.deepEqual(others, []);
  });

  it("may name one host by two ports, and two images of one host", () => {
    const ports = [
      { ...PARIS, name: "a", connection: { port: 22 } },
      { ...PARIS, name: "b", connection: { port: 23 } },
    ];
    assert.deepEqual(problems({ servers: ports }), []);
    const roots = [
      { ...PARIS, name: "a", root: "/srv/a" },
      { ...PARIS, name: "b", root: "/srv/b" },
    ];
    assert.deepEqual(problems({ servers: roots }), []);
  });
});
