import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SizingError, sizing } from "../provider/sizing";

const problemsOf = (run: () => unknown): { property: string; reason: string }[] => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof SizingError);
    return [...error.problems];
  }
  return assert.fail("nothing was refused");
};

// The guide's ratios alone, by number of clients; the floors stand over them.
const table = [
  { clients: 400, connections: 1000, backlog: 600, maxConnections: 100, pool: 90, maxClients: 480 },
  { clients: 1000, connections: 2500, backlog: 1500, maxConnections: 250, pool: 240, maxClients: 1200 },
  { clients: 2500, connections: 6250, backlog: 3750, maxConnections: 625, pool: 615, maxClients: 3000 },
  { clients: 5000, connections: 12500, backlog: 7500, maxConnections: 1250, pool: 1240, maxClients: 6000 },
];

describe("sizing", () => {
  it("takes a measured pool for any number of clients, and what is given wins over it", () => {
    for (const clients of [1, 400, 2500, 5000]) {
      const { maxConnections, dbMaxConnections, ...others } = sizing(clients, {}, "measured");
      assert.deepEqual([maxConnections, dbMaxConnections], [100, 90]);
      const { maxConnections: _, dbMaxConnections: __, ...guide } = sizing(clients);
      assert.deepEqual(others, guide, "nothing else changes");
    }
    const { maxConnections, dbMaxConnections } = sizing(2500, { maxConnections: 200 }, "measured");
    assert.deepEqual([maxConnections, dbMaxConnections], [200, 190]);
  });

  for (const row of table) {
    it(`gives ${row.clients} clients the guide's ratios, and never less than stock`, () => {
      assert.deepEqual(sizing(row.clients), {
        workerConnections: Math.max(4096, row.connections),
        workerRlimitNofile: 32768,
        tcpMaxSynBacklog: Math.max(4096, row.backlog),
        somaxconn: Math.max(4096, row.backlog),
        backlog: Math.max(4096, row.backlog),
        nofile: 500000,
        limitNofile: 32768,
        maxConnections: row.maxConnections,
        dbMaxConnections: row.pool,
        maxClients: Math.max(4096, row.maxClients),
      });
    });
  }

  it("rounds up: 2,001 clients need 5,003 connections and 501 of PostgreSQL's", () => {
    const sizes = sizing(2001);
    assert.equal(sizes.workerConnections, 5003);
    assert.equal(sizes.maxConnections, 501);
  });

  it("takes 1.2 exactly, where binary fractions would round up once too often", () => {
    for (let clients = 3500; clients <= 5000; clients += 5) {
      assert.equal(sizing(clients).maxClients, Math.max(4096, (clients / 5) * 6));
    }
  });

  it("keeps two descriptors a connection: 32768 hold up to 6,553 clients", () => {
    assert.equal(sizing(6553).workerRlimitNofile, 32768);
    assert.equal(sizing(6554).workerRlimitNofile, 32770);
  });

  it("lets an override stand, and what is derived from it follows", () => {
    const sizes = sizing(1000, { maxConnections: 1000, workerConnections: 20000 });
    assert.equal(sizes.dbMaxConnections, 990);
    assert.equal(sizes.workerRlimitNofile, 40000);
  });

  const refused: [string, () => unknown, string, RegExp][] = [
    ["no clients", () => sizing(0), "clients", /^0 is no whole number from 1/],
    ["half a client", () => sizing(2.5), "clients", /^2\.5 is no whole number/],
    ["not a number", () => sizing(Number.NaN), "clients", /whole number/],
    ["an override of 0", () => sizing(400, { maxClients: 0 }), "maxClients", /^0 is no whole number/],
    [
      "a pool that takes what PostgreSQL reserves",
      () => sizing(1000, { dbMaxConnections: 248 }),
      "dbMaxConnections",
      /pool of 248 is above max_connections 250 less the 3/,
    ],
    [
      "fewer than two descriptors a connection",
      () => sizing(5000, { workerRlimitNofile: 24999 }),
      "workerRlimitNofile",
      /24999 is below 2 × worker_connections 12500.*raise it to 25000/,
    ],
    ["no room for a pool", () => sizing(400, { maxConnections: 10 }), "maxConnections", /give at least 11/],
  ];
  for (const [name, run, property, reason] of refused) {
    it(`refuses ${name}`, () => {
      const [problem] = problemsOf(run);
      assert.equal(problem?.property, property);
      assert.match(problem?.reason ?? "", reason);
    });
  }

  it("accepts a pool of exactly what is left", () => {
    assert.equal(sizing(1000, { dbMaxConnections: 247 }).dbMaxConnections, 247);
  });

  it("never shrinks as clients are added, and keeps every link", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 0, max: 1000 }), (clients, more) => {
        const [small, large] = [sizing(clients), sizing(clients + more)];
        for (const [name, size] of Object.entries(small)) assert.ok(large[name as keyof typeof large] >= size, name);
        assert.ok(small.workerRlimitNofile >= 2 * small.workerConnections);
        assert.ok(small.dbMaxConnections <= small.maxConnections - 3);
        assert.ok(small.workerConnections >= 2.5 * clients && small.workerConnections < 2.5 * clients + 4096);
      }),
    );
  });
});

describe("a size at its bound", () => {
  it("is taken, and one beyond is refused by name and value", () => {
    assert.equal(sizing(1, { maxClients: 2 ** 31 - 1 }).maxClients, 2147483647);
    assert.equal(sizing(1, { maxClients: 1 }).maxClients, 1);
    const refusal = (value: unknown) => ({
      property: "maxClients",
      reason: `${value} is no whole number from 1 to 2147483647; give one`,
    });
    assert.deepEqual(
      problemsOf(() => sizing(1, { maxClients: 2 ** 31 })),
      [refusal(2 ** 31)],
    );
    // JSON has no word for it.
    const none = Symbol("none") as unknown as number;
    assert.deepEqual(
      problemsOf(() => sizing(1, { maxClients: none })),
      [refusal("Symbol(none)")],
    );
    assert.equal(sizing(400, { maxClients: undefined }).maxClients, 4096);
  });

  it("is refused in the words of the link that it breaks", () => {
    assert.equal(sizing(1, { maxConnections: 11 }).dbMaxConnections, 1);
    assert.deepEqual(
      problemsOf(() => sizing(1, { maxConnections: 10 })),
      [
        {
          property: "maxConnections",
          reason: "max_connections 10 leaves no connection for WAPT's pool; give at least 11",
        },
      ],
    );
    assert.deepEqual(
      problemsOf(() => sizing(1, { backlog: 5000, somaxconn: 4999 })),
      [
        {
          property: "backlog",
          reason: "a backlog of 5000 is above net.core.somaxconn 4999, which cuts it; lower backlog or raise somaxconn",
        },
      ],
    );
    assert.equal(sizing(1, { backlog: 5000, somaxconn: 5000 }).backlog, 5000);
  });

  it("is said in one line each when several are wrong", () => {
    const error = new SizingError([
      { property: "a", reason: "one" },
      { property: "b", reason: "two" },
    ]);
    assert.deepEqual([error.name, error.message], ["SizingError", "a: one\nb: two"]);
  });
});
