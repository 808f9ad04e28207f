/** The link between waptserver's pools and PostgreSQL's connections, for servers that are made of what it reads alone. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  downConflicts,
  heldBack,
  holdsPool,
  keptPool,
  poolComesFirst,
  poolConflicts,
  poolOfEach,
  poolPlace,
  smallerPool,
} from "../../provider/resources/pool";
import type { Server } from "../../provider/services";
import { fileValue } from "../../provider/transaction/target";

const CONF = "/etc/postgresql/15/main/postgresql.conf";
const OTHER = "/etc/postgresql/13/old/postgresql.conf";
const INI = "/opt/wapt/conf/waptserver.ini";
/** When waptserver.ini was last changed. */
const CHANGED = 5000;

interface Given {
  readonly root?: string;
  /** What waptserver.ini has; null where there is no waptserver.ini. */
  readonly pool?: number | null;
  readonly isHere?: boolean;
  readonly processes?: number;
  /** What PostgreSQL runs with; undefined where it does not run, or does not answer. */
  readonly running?: Readonly<Record<string, string>>;
  readonly online?: boolean;
  readonly error?: string;
  /** The text of postgresql.conf; null where it was not read. */
  readonly conf?: string | null;
  readonly command?: readonly string[];
  /** A second cluster of the same port. */
  readonly isDouble?: boolean;
  /** Whether WAPT's units run, and when they were started. */
  readonly isUp?: boolean;
  readonly start?: number;
  /** One that is not as the others. */
  readonly other?: { readonly name: string; readonly isUp?: boolean; readonly start?: number };
  readonly left?: readonly string[];
}

const runs = (max: number, more: object = {}) => ({ max_connections: String(max), ...more });

function serverOf(given: Given = {}): Server {
  const { root = "", pool = 90, isHere = true, processes = 1, running, online = running !== undefined, error } = given;
  const { conf = "", command = [], isDouble, isUp = false, start = CHANGED, left = [] } = given;
  const files = new Map([[INI, `[options]\ndb_max_connections = ${pool}\n`]]);
  if (conf !== null) files.set(CONF, conf);
  const unit = "postgresql@15-main";
  const data = "/var/lib/postgresql/15/main";
  const common = { named: new Map(), command, error, unit, data, port: "5432" };
  const cluster = { ...common, configuration: CONF, online, settings: running };
  const old = { ...common, configuration: OTHER, online: false };
  const unitOf = (name: string) => {
    const own = { isUp, start, ...(name === given.other?.name && given.other) };
    const process = own.isUp ? { soft: 1, hard: 1, start: own.start } : undefined;
    return { installed: true, active: own.isUp, enabled: true, process };
  };
  return {
    root,
    files,
    hashes: new Map([[INI, "hash"]]),
    postgresql: isDouble ? [cluster, old] : [cluster],
    systemd: Object.assign(unitOf, { names: ["waptserver", "wapttasks"], left }),
    wapt: {
      units: [],
      pools: { count: processes },
      tree: { root: INI, files },
      database: pool === null ? undefined : { host: "", isHere, port: "5432", pool },
      changed: CHANGED,
      read: new Map(),
    },
  } as unknown as Server;
}

/** What a transaction gives max_connections and the pool. */
const plans =
  ({ limit, pool }: { limit?: number; pool?: number }) =>
  (id: string): string | undefined => {
    const value = { max_connections: limit, db_max_connections: pool }[id];
    return value === undefined ? undefined : String(value);
  };
const NOTHING = plans({});

const clusterOf = (server: Server) => server.postgresql[0]!;

describe("the pool of each process", () => {
  it("is the largest that all together may have, and never none", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: -10, max: 5000 }), (processes, all) => {
        const each = poolOfEach(serverOf({ processes }), all);
        assert.ok(each >= 1);
        assert.ok(each === 1 || each * processes <= all);
        assert.ok((each + 1) * processes > all);
      }),
    );
  });
});

describe("a pool that is wanted", () => {
  const reasons = (given: Given, pool: number, planned = NOTHING, path?: string) =>
    poolConflicts(serverOf(given), pool, planned, path).map(({ reason }) => reason);
  const isFree = (given: Given, pool: number, planned = NOTHING, path?: string) =>
    reasons(given, pool, planned, path).length === 0;

  it("is refused exactly where all processes together hold more than PostgreSQL gives, as it runs and as it would start", () => {
    const limits = fc.integer({ min: 1, max: 3000 });
    const reserves = fc.integer({ min: 0, max: 50 });
    fc.assert(
      fc.property(
        fc.record({ running: limits, next: limits, reserved: reserves, processes: fc.integer({ min: 1, max: 8 }) }),
        fc.integer({ min: 1, max: 1000 }),
        fc.option(limits, { nil: undefined }),
        ({ running, next, reserved, processes }, pool, limit) => {
          const own = runs(running, { superuser_reserved_connections: String(reserved) });
          const given = { running: own, conf: `max_connections = ${next}\n`, processes };
          const most = limit ?? Math.min(running, next);
          assert.equal(isFree(given, pool, plans({ limit })), pool * processes <= most - reserved);
        },
      ),
    );
  });

  it("is refused with what PostgreSQL gives and what to do", () => {
    const [conflict, ...others] = poolConflicts(serverOf({ running: runs(100) }), 98, NOTHING);
    assert.deepEqual(others, []);
    assert.deepEqual(conflict, {
      property: "dbMaxConnections",
      beside: "max_connections",
      reason:
        "a pool of 98 is above what PostgreSQL gives it: max_connections 100 less 3 reserved. " +
        "Raise max_connections first: add dependsOn: [the PostgresConnections of this server] to this resource, " +
        "or use WaptServer without omitting it, which changes both in one transaction. A smaller dbMaxConnections goes without",
    });
    assert.match(
      reasons({ running: runs(100), processes: 4 }, 25)[0]!,
      /^a pool of 25 in each of 4 processes of waptserver, 100 together, is above what PostgreSQL gives it: max_connections 100 less 3/,
    );
  });

  it("has what the files give where PostgreSQL does not run: the command line's value before the file's, 100 without both", () => {
    assert.deepEqual(
      [97, 98].map((pool) => isFree({}, pool)),
      [true, false],
    );
    const conf = "max_connections = 200\n";
    assert.deepEqual(
      [197, 198].map((pool) => isFree({ conf }, pool)),
      [true, false],
    );
    const command = ["postgres", "-c", "max_connections=50"];
    assert.deepEqual(
      [47, 48].map((pool) => isFree({ conf, command }, pool)),
      [true, false],
    );
  });

  it("has what is left by both kinds of reserved connections, those that run before those of the file", () => {
    const conf = "max_connections = 100\nsuperuser_reserved_connections = 10\nreserved_connections = 5\n";
    assert.deepEqual(
      [85, 86].map((pool) => isFree({ conf }, pool)),
      [true, false],
    );
    const running = runs(100, { superuser_reserved_connections: "20" });
    assert.deepEqual(
      [75, 76].map((pool) => isFree({ conf, running }, pool)),
      [true, false],
    );
  });

  it("is not compared where WAPT's database is another machine's, or no waptserver.ini names one", () => {
    assert.ok(isFree({ isHere: false }, 5000));
    assert.ok(isFree({ pool: null }, 5000));
  });

  const unknown: [string, Given, RegExp][] = [
    ["does not answer", { online: true, error: "timeout" }, /: PostgreSQL runs and does not answer: timeout$/],
    ["does not answer, without a reason", { online: true }, /does not answer: no reason was given$/],
    ["has a file that was not read", { conf: null }, new RegExp(`: ${CONF} was not read$`)],
    [
      "has a limit that is no number",
      { conf: "max_connections = 'many'\n" },
      /would be started with max_connections = many$/,
    ],
    ["is one of two", { isDouble: true }, /: 2 clusters with waptserver\.ini's db_port 5432 were found/],
  ];
  for (const [what, given, why] of unknown) {
    it(`that is more is refused beside a PostgreSQL that ${what}, and less than now is not`, () => {
      const now = { ...given, pool: 50 };
      const [reason, ...others] = reasons(now, 51);
      assert.deepEqual(others, []);
      assert.match(reason!, /^a pool of 51 can't be compared with what PostgreSQL gives it: /);
      assert.match(reason!, why);
      assert.ok(isFree(now, 49));
      assert.ok(isFree(now, 50));
      assert.ok(isFree(now, 51, plans({ limit: 100 })), "the same transaction decides it, which has its own checks");
    });
  }

  it("that is what the file has is refused beside an unknown PostgreSQL only where WAPT runs with another one", () => {
    const now = { conf: null, pool: 50, isUp: true };
    assert.ok(isFree({ ...now, start: CHANGED }, 50));
    assert.equal(reasons({ ...now, start: CHANGED - 2 }, 50).length, 1);
    const other = { name: "waptserver", start: CHANGED - 2 };
    assert.equal(reasons({ ...now, other }, 50).length, 1, "one of its units is enough");
    assert.ok(isFree({ ...now, start: CHANGED - 2 }, 49));
  });

  it("is compared with the cluster that is given, where there are two", () => {
    const two = { isDouble: true, conf: "max_connections = 300\n" };
    assert.deepEqual(
      [297, 298].map((pool) => isFree(two, pool, NOTHING, CONF)),
      [true, false],
    );
    assert.match(reasons(two, 91, NOTHING, OTHER)[0]!, new RegExp(`${OTHER} was not read`));
  });
});

describe("a restart of WAPT", () => {
  it("is refused where WAPT runs and its PostgreSQL does not", () => {
    assert.deepEqual(downConflicts(serverOf({ isUp: true, online: false })), [
      {
        property: "connection",
        reason:
          "WAPT runs and PostgreSQL (postgresql@15-main) does not: a WAPT that is restarted would not come up. " +
          "Start PostgreSQL first (systemctl start postgresql@15-main), or stop WAPT",
        beside: "db_max_connections",
        needsRestart: true,
      },
    ]);
  });

  it("is refused where one of its units runs alone", () => {
    const other = { name: "waptserver", isUp: true };
    assert.equal(downConflicts(serverOf({ isUp: false, online: false, other })).length, 1);
  });

  it("is free where PostgreSQL runs or this run starts it, WAPT is down, no service is touched, or nothing is known", () => {
    const down = { isUp: true, online: false };
    const free: Given[] = [
      { ...down, online: true },
      { ...down, left: ["postgresql@15-main"] },
      { ...down, isUp: false },
      { ...down, root: "/srv/image" },
      { ...down, isHere: false },
      { ...down, pool: null },
      { ...down, isDouble: true },
    ];
    for (const given of free) assert.deepEqual(downConflicts(serverOf(given)), [], JSON.stringify(given));
    assert.equal(downConflicts(serverOf({ ...down, left: ["waptserver"] })).length, 1);
    assert.equal(downConflicts(serverOf({ ...down, isDouble: true }), OTHER).length, 1);
  });
});

describe("where nothing may be restarted", () => {
  const held = (given: Given, planned: Parameters<typeof plans>[0], path?: string) =>
    heldBack(serverOf(given), plans(planned), path).map(({ id, why }) => `${id}: ${why}`);
  const POOL_WAITS =
    "db_max_connections: db_max_connections stays 90 until PostgreSQL, which runs with 100, was restarted";
  const LIMIT_WAITS = "max_connections: max_connections stays 100 until WAPT, which may hold more, was restarted";

  it("a pool above what PostgreSQL runs with waits for its restart", () => {
    const running = runs(100);
    assert.deepEqual(held({ running }, { pool: 98, limit: 200 }), [POOL_WAITS]);
    assert.deepEqual(held({ running }, { pool: 98 }), [POOL_WAITS]);
    assert.deepEqual(held({ running, processes: 2 }, { pool: 91 }), [POOL_WAITS]);
  });

  it("a pool that PostgreSQL gives already, that is not raised, or that nobody plans does not wait", () => {
    const running = runs(100);
    assert.deepEqual(held({ running }, { pool: 97 }), []);
    assert.deepEqual(held({ running: runs(50) }, { pool: 90 }), []);
    assert.deepEqual(held({ running: runs(50) }, { pool: 80 }), []);
    assert.deepEqual(held({ running: runs(50) }, {}), []);
    assert.deepEqual(held({}, { pool: 500 }), [], "it does not run, and starts with its file");
  });

  it("a lower max_connections waits for WAPT, whose pools hold more than that", () => {
    const conf = "max_connections = 100\n";
    const up = { running: runs(100), conf, isUp: true };
    assert.deepEqual(held(up, { limit: 92 }), [LIMIT_WAITS]);
    assert.deepEqual(held(up, { limit: 93 }), [], "90 and 3 reserved");
    assert.deepEqual(held({ ...up, processes: 2, pool: 45 }, { limit: 93 }), []);
    assert.deepEqual(held({ ...up, processes: 2, pool: 46 }, { limit: 93 }), [LIMIT_WAITS]);
    assert.deepEqual(held({ ...up, isUp: false }, { limit: 92 }), [], "WAPT is down: it starts with the smaller pool");
  });

  it("a lower max_connections waits for a WAPT that runs with what an older file had, however little that is now", () => {
    const old = { running: runs(100), pool: 5, isUp: true, start: CHANGED - 2 };
    assert.deepEqual(held(old, { limit: 93 }), [LIMIT_WAITS]);
    const other = { name: "waptserver", isUp: false };
    assert.deepEqual(held({ ...old, other }, { limit: 93 }), [LIMIT_WAITS], "one of its units is enough");
    assert.deepEqual(held({ ...old, start: CHANGED }, { limit: 93 }), []);
  });

  it("a max_connections that is lower than neither what runs nor what the file has does not wait", () => {
    const over = { pool: 500, isUp: true };
    assert.deepEqual(held({ ...over, running: runs(100) }, { limit: 100 }), []);
    assert.deepEqual(held({ ...over, running: runs(100), conf: "max_connections = 50\n" }, { limit: 50 }), []);
    assert.deepEqual(held({ ...over, running: runs(50) }, { limit: 50 }), []);
    assert.equal(held({ ...over, running: runs(50) }, { limit: 49 }).length, 1);
    assert.equal(held({ ...over }, { limit: 99 }).length, 1, "it does not run: the file's alone counts");
    assert.deepEqual(held({ ...over }, { limit: 100 }), []);
    assert.deepEqual(held(over, {}), []);
  });

  it("nothing waits for a PostgreSQL that is another machine's or unknown", () => {
    const both = { pool: 98, limit: 50 };
    assert.deepEqual(held({ running: runs(100), isHere: false }, both), []);
    assert.deepEqual(held({ running: runs(100), isDouble: true, isUp: true }, both), []);
    assert.equal(held({ running: runs(100), isDouble: true, isUp: true }, both, CONF).length, 2);
  });
});

describe("the pool's file", () => {
  const isFirst = (given: Given, limit: number | undefined, path?: string) =>
    poolPlace(serverOf(given), 10, path).comesFirst?.(plans({ limit }));

  it("goes before PostgreSQL's where the pools that stand are above what PostgreSQL will give, else behind its restart", () => {
    const running = runs(100);
    assert.deepEqual(
      [92, 93].map((limit) => isFirst({ running }, limit)),
      [true, false],
    );
    assert.deepEqual(
      [182, 183].map((limit) => isFirst({ running, processes: 2 }, limit)),
      [true, false],
    );
    assert.equal(isFirst({ running, pool: 5000 }, undefined), false, "PostgreSQL stays as it is");
    assert.equal(isFirst({ running, isDouble: true }, 10), false, "it is not known which one");
    assert.equal(isFirst({ running, isDouble: true }, 10, CONF), true);
    assert.equal(poolComesFirst(serverOf({ running, isHere: false }), plans({ limit: 10 })), false);
  });

  it("says 90 where no file sets it, which is WAPT's own default", () => {
    const place = poolPlace(serverOf({ pool: 55 }), 77);
    assert.equal(place.default, "90");
    assert.equal(place.id, "db_max_connections");
    assert.deepEqual([fileValue(place), place.value], ["55", "77"]);
  });

  it("is remembered with its hash before the restart of WAPT, and where no service is touched there is no restart", () => {
    const place = poolPlace(serverOf(), 77);
    const words = [INI, "hash", "wapttasks", "waptserver"];
    assert.deepEqual(place.checks?.("77"), [{ service: "wapt", verb: "remember", words }]);
    assert.deepEqual(
      place.steps("77").map(({ verb }) => verb),
      ["restart"],
    );
    assert.deepEqual(poolPlace(serverOf({ root: "/srv" }), 77).steps("77"), []);
  });
});

describe("a lower max_connections", () => {
  const follows = (given: Given, wanted: string | undefined, path?: string) => {
    const server = serverOf(given);
    return smallerPool(server, clusterOf(server), wanted, path).map(({ value }) => value);
  };

  it("takes the pools along where they are above it, ten below it all together", () => {
    const running = runs(100);
    assert.deepEqual(follows({ running }, "92"), ["82"]);
    assert.deepEqual(follows({ running }, "93"), []);
    assert.deepEqual(follows({ running, processes: 4 }, "92"), ["20"]);
    assert.deepEqual(follows({ running: runs(100, { superuser_reserved_connections: "4" }) }, "93"), ["83"]);
    assert.deepEqual(follows({ running }, "5"), ["1"]);
  });

  it("takes nothing along where no waptserver.ini is known, or the value stays", () => {
    assert.deepEqual(follows({ pool: null }, "5"), []);
    assert.deepEqual(follows({ pool: 5000 }, undefined), []);
  });

  it("sends the pool that follows in advance, beside the cluster that is given", () => {
    const server = serverOf({ running: runs(100), isDouble: true });
    const [place] = smallerPool(server, clusterOf(server), "50", CONF);
    assert.equal(place?.comesFirst?.(plans({ limit: 50 })), true);
  });

  it("leaves the pool that stood before where it was held by a higher one", () => {
    const holds = (id: string, wanted: number, file: string | null, processes = 1) => {
      const server = serverOf({ running: runs(100), processes });
      return holdsPool(server, clusterOf(server), wanted, id, { file });
    };
    assert.deepEqual(
      [92, 93].map((wanted) => holds("db_max_connections", wanted, "90")),
      [true, false],
    );
    assert.deepEqual(
      [92, 93].map((wanted) => holds("db_max_connections", wanted, null)),
      [true, false],
      "90 by default",
    );
    assert.deepEqual(
      [182, 183].map((wanted) => holds("db_max_connections", wanted, "90", 2)),
      [true, false],
    );
    assert.equal(holds("max_clients", 1, "90"), false);
  });
});

describe("a pool that is given back", () => {
  const kept = (given: Given, planned: Parameters<typeof plans>[0], path?: string) =>
    keptPool(serverOf({ pool: 50, ...given }), plans(planned), path);

  it("stays where what stood before is above what PostgreSQL gives by now", () => {
    assert.deepEqual(kept({ running: runs(100) }, { pool: 98 }), [
      {
        id: "db_max_connections",
        why: "db_max_connections stays 50: what stood before, 98, is above what PostgreSQL gives it, 97",
        beside: "max_connections",
      },
    ]);
    assert.deepEqual(kept({ running: runs(100) }, { pool: 97 }), []);
    assert.equal(kept({ running: runs(100), processes: 2 }, { pool: 51 }).length, 1);
  });

  it("is compared with what PostgreSQL is given in the same run, and else with the lower of its file and what runs", () => {
    const running = runs(300);
    const conf = "max_connections = 200\n";
    assert.deepEqual(
      [197, 198].map((pool) => kept({ running, conf }, { pool }).length),
      [0, 1],
    );
    assert.deepEqual(
      [397, 398].map((pool) => kept({ running, conf }, { pool, limit: 400 }).length),
      [0, 1],
    );
    assert.deepEqual(
      [97, 98].map((pool) => kept({ running, conf }, { pool, limit: 100 }).length),
      [0, 1],
    );
  });

  it("goes back where it is no more than now, is not put back, or PostgreSQL is another machine's", () => {
    const small = { running: runs(20) };
    for (const pool of [50, 49, undefined]) assert.deepEqual(kept(small, { pool }), []);
    assert.equal(kept(small, { pool: 51 }).length, 1);
    assert.deepEqual(kept({ ...small, isHere: false }, { pool: 51 }), []);
  });

  it("stays beside a PostgreSQL that is not known, unless the same run gives that a value", () => {
    assert.deepEqual(kept({ conf: null }, { pool: 51 }), [
      {
        id: "db_max_connections",
        why: `db_max_connections stays 50: what stood before, 51, can't be compared with what PostgreSQL gives it: ${CONF} was not read`,
        beside: "max_connections",
      },
    ]);
    assert.deepEqual(kept({ conf: null }, { pool: 51, limit: 100 }), []);
    assert.deepEqual(kept({ conf: null, pool: 50 }, { pool: 49 }), []);
    assert.deepEqual(kept({ running: runs(100), isDouble: true }, { pool: 60 }, CONF), []);
  });
});
