/** How plain arguments are checked, and what each refusal says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { definitions } from "../../provider/resources";
import {
  ACCEPTABLE,
  type AnyDefinition,
  argumentNames,
  checkArguments,
  type ServerArguments,
  type Settings,
  warningsOf,
} from "../../provider/resources/definition";
import { kernelLimits } from "../../provider/resources/kernel-limits";
import { nginxTuning } from "../../provider/resources/nginx-tuning";
import { postgresConnections } from "../../provider/resources/postgres-connections";
import { proxyTempPath } from "../../provider/resources/proxy-temp-path";
import { waptServer } from "../../provider/resources/wapt-server";
import { waptServerIni } from "../../provider/resources/waptserver-ini";
import { connectionFields } from "../../provider/ssh/connection";

const connection = { host: "paris" };

type Checkable = Parameters<typeof checkArguments<ServerArguments, Settings>>[0];

/** What is wrong, by argument. */
const problems = (definition: unknown, input: Record<string, unknown>, unknown?: ReadonlySet<string>): string[] =>
  (checkArguments(definition as Checkable, input, unknown).problems ?? []).map(
    ({ property, reason }) => `${property}: ${reason}`,
  );
const sized = (more: Record<string, unknown>): string[] => problems(waptServer, { connection, clients: 400, ...more });
const argsOf = (definition: unknown, input: Record<string, unknown>) => {
  const checked = checkArguments(definition as Checkable, { connection, ...input });
  assert.equal(checked.problems, undefined);
  return checked as unknown as { args: Record<string, unknown>; settings: Settings };
};

describe("an argument", () => {
  const COUNTS = ["workerConnections", "somaxconn", "backlog", "maxConnections", "dbMaxConnections", "maxClients"];
  for (const name of [
    ...COUNTS,
    "workerRlimitNofile",
    "tcpMaxSynBacklog",
    "nofile",
    "limitNofile",
    "loginsPerSecond",
  ]) {
    it(`${name} is a whole number of 1 or more that a C int holds`, () => {
      assert.deepEqual(sized({ [name]: "9" }), [`${name}: give a whole number`]);
      assert.deepEqual(sized({ [name]: 1.5 }), [`${name}: give a whole number`]);
      assert.deepEqual(sized({ [name]: 0 }), [`${name}: give a whole number of 1 or more`]);
      assert.deepEqual(sized({ [name]: 2 ** 31 }), [`${name}: give a whole number up to 2147483647`]);
    });
  }

  it("clients is a whole number of 1 or more, without which the sized resources are not", () => {
    const said = ["clients: give the number of WAPT clients, a whole number of 1 or more"];
    for (const clients of [undefined, "400", 1.5, 0, -1])
      assert.deepEqual(problems(waptServer, { connection, clients }), said);
    const path = "/srv/uploads";
    assert.deepEqual(problems(proxyTempPath, { connection, path }), []);
    assert.deepEqual(problems(proxyTempPath, { connection, path, clients: 0 }), said);
    for (const one of definitions) assert.equal(one.isSized, one.type !== "ProxyTempPath", one.type);
  });

  it("connection says which server, without which there is none", () => {
    const said = ["connection: give connection.host, the name or address of the server"];
    assert.deepEqual(problems(waptServer, { clients: 400 }), said);
    assert.deepEqual(problems(waptServer, { clients: 400, connection: "paris" }), said);
    assert.match(
      problems(waptServer, { clients: 400, connection: {} })[0]!,
      /^connection\.host: give connection\.host/,
    );
    assert.match(
      problems(waptServer, { clients: 400, connection: { host: "a", port: 0 } })[0]!,
      /^connection\.port: a port/,
    );
  });

  it("that does not exist is refused with the one that was meant, or all that there are", () => {
    assert.deepEqual(sized({ workerConnection: 9 }), [
      "workerConnection: no such argument of WaptServer: did you mean workerConnections?",
    ]);
    assert.deepEqual(problems(nginxTuning, { connection, clients: 1, xyz: 1, abcdef: 2 }), [
      `xyz, abcdef: no such argument of NginxTuning; there are ${argumentNames(nginxTuning as unknown as AnyDefinition).join(", ")}`,
    ]);
  });

  it("has these names in each resource", () => {
    const common = ["connection", "clients", "allowAbove5000", "root", "restart", "accept"];
    const files = ["nginxConf", "nginxUser", "postgresqlConf", "waptserverIni"];
    const names = (definition: unknown) => argumentNames(definition as AnyDefinition);
    assert.deepEqual(names(postgresConnections), [...common, ...files, "maxConnections", "pool"]);
    assert.deepEqual(names(proxyTempPath), [...common, ...files, "path", "minFree"]);
  });

  it("pool is guide or measured", () => {
    assert.deepEqual(sized({ pool: "measured" }), []);
    assert.deepEqual(sized({ pool: "mesured" }), ['pool: no such pool as "mesured": did you mean measured?']);
    assert.deepEqual(sized({ pool: 9 }), ["pool: no such pool as 9; there are guide, measured"]);
  });

  it("accept is a list of warnings that there are", () => {
    assert.deepEqual(sized({ accept: [...ACCEPTABLE] }), []);
    assert.deepEqual(sized({ accept: "ports" }), [
      "accept: give a list of backlog, hardware, lowered, memory, ports, sysctl, workers",
    ]);
    assert.deepEqual(sized({ accept: ["ports", "hardwear"] }), [
      'accept.1: no such warning as "hardwear": did you mean hardware?',
    ]);
  });

  it("allowAbove5000 is true or false", () => {
    assert.deepEqual(sized({ allowAbove5000: "yes" }), ["allowAbove5000: give true or false"]);
  });

  it("nginxUser is a name that useradd takes", () => {
    for (const nginxUser of ["www-data", "nginx", "_nginx", "web.site", "machine$", "W3"])
      assert.deepEqual(sized({ nginxUser }), []);
    for (const nginxUser of ["", "3w", "-nginx", "a b", "a;b", "a$b", "x\nroot", "a:b"])
      assert.deepEqual(sized({ nginxUser }), ["nginxUser: give a user's name"], nginxUser);
  });

  for (const name of ["root", "nginxConf", "postgresqlConf", "waptserverIni"]) {
    it(`${name} is an absolute path without what a shell or a configuration would take for more`, () => {
      const first = (path: unknown) => sized({ [name]: path })[0];
      assert.equal(first(9), `${name}: give an absolute path`);
      assert.equal(first("etc/x"), `${name}: give an absolute path: one that begins with /`);
      assert.equal(first("/é"), `${name}: give a path of ASCII characters: letters without accents, digits and signs`);
      assert.equal(
        first("/a\u0007"),
        `${name}: give a path of ASCII characters: letters without accents, digits and signs`,
      );
      for (const sign of [" ", '"', "'", "\\", ";", "{", "}", "$", "#"])
        assert.equal(
          first(`/a${sign}b`),
          `${name}: give a path without blanks, quotes, backslashes and any of ; { } $ #`,
        );
      for (const path of ["/..", "/a/../b", "/a/.."]) assert.equal(first(path), `${name}: give a path without ..`);
      for (const path of ["/", "/a/b.conf", "/a..b/...", "/a,b:c~"]) assert.equal(first(path), undefined, path);
    });
  }

  it("that is a path is the same path with one slash between its folders and none behind them", () => {
    const cleaned = (nginxConf: string) => argsOf(nginxTuning, { clients: 1, nginxConf }).args.nginxConf;
    assert.deepEqual(["/a//b/", "/a", "//", "/", "///a///b///"].map(cleaned), ["/a/b", "/a", "/", "/", "/a/b"]);
    const names = fc.array(fc.stringMatching(/^[a-z][a-z.]{0,5}$/), { minLength: 1, maxLength: 5 });
    const slashes = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(names, slashes, fc.boolean(), (folders, counts, ends) => {
        const typed = folders.map((folder, at) => "/".repeat(counts[at]!) + folder).join("") + (ends ? "/" : "");
        assert.equal(cleaned(typed), `/${folders.join("/")}`);
      }),
      { numRuns: 50 },
    );
  });

  it("path of the uploads is needed, and minFree is a size", () => {
    assert.deepEqual(problems(proxyTempPath, { connection }), ["path: give an absolute path"]);
    const free = (minFree: unknown) => problems(proxyTempPath, { connection, path: "/srv/u", minFree });
    assert.deepEqual(free(10), ['minFree: give a size such as "10GiB"']);
    assert.deepEqual(free("10"), ['minFree: give a size such as "10GiB" or "500MB"']);
    assert.deepEqual(free("500MB"), []);
  });
});

describe("a value of another type", () => {
  const values = [5, -1, 1.5, Number.NaN, "x", "", "a\nb", true, null, {}, { path: 5 }, [], [5], [null]];
  const parsers = /Invalid|expected|Too (small|big)|received|Unrecognized/;

  it("is refused in our words, for each argument and each field of a connection and its proxy", () => {
    const given = [
      ...argumentNames(waptServer).map((name) => (value: unknown) => ({ [name]: value })),
      ...connectionFields.map((field) => (value: unknown) => ({ connection: { ...connection, [field]: value } })),
      ...connectionFields.map((field) => (value: unknown) => ({
        connection: { ...connection, proxy: { host: "b", [field]: value } },
      })),
    ];
    const said = given.flatMap((wrong) => values.flatMap((value) => sized(wrong(value))));
    assert.ok(said.length > 400);
    assert.deepEqual(
      [...new Set(said)].filter((problem) => parsers.test(problem)),
      [],
    );
  });
});

describe("more clients than one server carries", () => {
  it("are refused with how many servers do, unless they are allowed", () => {
    assert.deepEqual(sized({ clients: 5000 }), []);
    assert.deepEqual(sized({ clients: 5001 }), [
      "clients: 5001 clients are more than the 5000 that one WAPT server carries: use 2 servers " +
        "of 2501 clients each, or give allowAbove5000: true to tune one for them all the same",
    ]);
    assert.match(sized({ clients: 12000, allowAbove5000: false })[0]!, /use 3 servers of 4000 clients each/);
    assert.deepEqual(sized({ clients: 5001, allowAbove5000: true }), []);
  });

  it("are not refused while it is not known whether they are allowed", () => {
    const input = { connection, clients: 5001, allowAbove5000: "an output" };
    assert.deepEqual(problems(waptServer, input, new Set(["allowAbove5000"])), []);
  });
});

describe("the settings", () => {
  it("of each resource are those of the sizes, or what is given instead", () => {
    const of = (definition: unknown, more: object = {}) => argsOf(definition, { clients: 4000, ...more }).settings;
    assert.deepEqual(of(kernelLimits), {
      "net.ipv4.tcp_max_syn_backlog": 6000,
      "net.core.somaxconn": 6000,
      nofile: 500000,
      LimitNOFILE: 32768,
    });
    const tcp = { tcpMaxSynBacklog: 1, somaxconn: 2, nofile: 3, limitNofile: 4 };
    assert.deepEqual(Object.values(of(kernelLimits, tcp)), [1, 2, 3, 4]);
    assert.deepEqual(of(nginxTuning), { worker_connections: 10000, worker_rlimit_nofile: 32768, backlog: 6000 });
    assert.deepEqual(
      of(nginxTuning, { workerConnections: 5, workerRlimitNofile: 10, backlog: 7, loginsPerSecond: 8 }),
      { worker_connections: 5, worker_rlimit_nofile: 10, backlog: 7, limit_req: 8 },
    );
    assert.equal(of(nginxTuning, { somaxconn: 5000 }).backlog, 5000);
    assert.deepEqual(of(postgresConnections), { max_connections: 1000 });
    assert.deepEqual(of(postgresConnections, { pool: "measured" }), { max_connections: 100 });
    assert.deepEqual(of(postgresConnections, { maxConnections: 300, pool: "measured" }), { max_connections: 300 });
    assert.deepEqual(of(waptServerIni), { db_max_connections: 990, max_clients: 4800 });
    assert.deepEqual(of(waptServerIni, { maxConnections: 300, maxClients: 9 }), {
      db_max_connections: 290,
      max_clients: 9,
    });
    assert.deepEqual(of(waptServerIni, { dbMaxConnections: 50 }).db_max_connections, 50);
    assert.deepEqual(of(proxyTempPath, { path: "/srv/u" }), { client_body_temp_path: "/srv/u" });
  });

  it("are refused where an override breaks a link between two of them", () => {
    assert.match(sized({ dbMaxConnections: 98 })[0]!, /^dbMaxConnections: the pool of 98 is above max_connections 100/);
    assert.match(sized({ backlog: 5000 })[0]!, /^backlog: a backlog of 5000 is above/);
  });

  it("are open while what decides them is not known yet, and what is not known is not checked", () => {
    const check = (input: object, ...unknown: string[]) =>
      checkArguments(nginxTuning, { connection, ...input }, new Set(unknown));
    assert.deepEqual(check({ clients: "?" }, "clients"), { args: { connection }, settings: undefined });
    const open = { args: { connection, clients: 400 }, settings: undefined };
    assert.deepEqual(check({ clients: 400, backlog: "?" }, "backlog"), open);
    const known = check({ clients: 400, root: "?" }, "root");
    assert.equal(known.problems ?? known.settings?.worker_connections, 4096);
    assert.equal(check({ clients: 400, root: "?" }).problems?.[0]?.property, "root");
  });

  it("are computed once, and only where they are asked for; another fault than a size's is not swallowed", () => {
    const own = (settings: Checkable["settings"], more: object = {}) =>
      ({
        type: "Own",
        isSized: false,
        schemas: {},
        probes: () => [],
        target: () => ({ places: [] }),
        settings,
        ...more,
      }) as Checkable;
    const twice = own((_args, sizes) => ({ same: String(new Set([sizes(), sizes()]).size) }));
    assert.deepEqual(checkArguments(twice, { connection, clients: 1 }), {
      args: { connection, clients: 1 },
      settings: { same: "1" },
    });
    assert.deepEqual(
      problems(
        own(() => ({})),
        { connection },
      ),
      [],
      "without clients there are no sizes",
    );
    const broken = own(() => {
      throw new TypeError("a bug");
    });
    assert.throws(() => checkArguments(broken, { connection }), /a bug/);
    const contradictions = () => [{ property: "a", reason: "has no effect" }];
    assert.deepEqual(
      problems(
        own(() => ({}), { contradictions }),
        { connection },
      ),
      ["a: has no effect"],
    );
  });
});

describe("a warning", () => {
  it("is shown unless it is accepted by the word behind preflight", () => {
    const warnings = ["preflight, ports: few", "preflight, hardware: little", "ports: of another kind"];
    assert.deepEqual(warningsOf({ warnings }, { connection }), warnings);
    assert.deepEqual(warningsOf({ warnings }, { connection, accept: ["ports"] }), warnings.slice(1));
    assert.deepEqual(warningsOf({ warnings }, { connection, accept: ["ports", "hardware"] }), warnings.slice(2));
    assert.deepEqual(warningsOf({}, { connection, accept: ["ports"] }), []);
  });
});
