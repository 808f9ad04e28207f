/** What a server must have for so many clients, to the kilobyte. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hardwareWarnings, memoryProblems } from "../../provider/resources/capacity";
import type { Server } from "../../provider/services";

interface Machine {
  readonly cpus?: number;
  readonly memoryKilobytes?: number;
  readonly root?: string;
  readonly isHere?: boolean;
  readonly count?: number;
}

function machine({ cpus = 64, memoryKilobytes = 0, root = "", isHere, count = 1 }: Machine): Server {
  const database = isHere === undefined ? undefined : { isHere };
  return { root, kernel: { cpus, memoryKilobytes }, wapt: { database, pools: { count } } } as unknown as Server;
}

/** A pool of 100, and what is left for all else. */
const ENOUGH = 100 * 3516 + 512 * 1024;

describe("the memory of a pool", () => {
  const problems = (one: Machine, args = {}) => memoryProblems(machine(one), 100, args);

  it("is refused where a kilobyte is missing, with what is there, what is needed and how large a pool fits", () => {
    assert.deepEqual(problems({ memoryKilobytes: ENOUGH }), []);
    assert.deepEqual(problems({ memoryKilobytes: ENOUGH - 1 }), [
      {
        property: "dbMaxConnections",
        reason:
          "preflight, memory: when all PCs come back at once the pool of 100 fills, which takes 344 MiB of PostgreSQL; " +
          "the server has 856 MiB for that and all else, and would swap or be killed. Give it more memory, or a smaller pool by " +
          'dbMaxConnections (99 fit), or take the risk by accept: ["memory"]',
      },
    ]);
  });

  it("is looked at where the database is here, and where nothing is said of it", () => {
    const little = { memoryKilobytes: 1 };
    assert.equal(problems({ ...little, isHere: true }).length, 1);
    assert.equal(problems({ ...little }).length, 1);
    assert.match(problems(little)[0]!.reason, /\(0 fit\)/);
    assert.deepEqual(problems({ ...little, isHere: false }), []);
    assert.deepEqual(problems({ ...little, root: "/srv" }), []);
    assert.deepEqual(problems({ memoryKilobytes: 0 }), [], "it was not read");
    assert.deepEqual(problems(little, { accept: ["memory"] }), []);
    assert.equal(problems(little, { accept: ["hardware"] }).length, 1);
  });

  it("is that of all processes of waptserver together", () => {
    const [problem] = problems({ memoryKilobytes: ENOUGH, count: 4 });
    assert.match(problem?.reason ?? "", /the pool of 400 fills, which takes 1374 MiB .* \(25 fit\)/);
  });
});

describe("the hardware that WAPT's vendor asks for", () => {
  const GIB = 1024 * 1024;
  const isWarned = (clients: number, cpus: number, gibibytes: number) =>
    hardwareWarnings(machine({ cpus, memoryKilobytes: gibibytes * GIB }), clients).length === 1;

  for (const [clients, cpus, gibibytes] of [
    [300, 2, 2],
    [301, 4, 4],
    [1000, 4, 4],
    [1001, 8, 8],
    [3000, 8, 8],
    [3001, 16, 16],
    [9000, 16, 16],
  ] as const) {
    it(`is ${cpus} processors and ${gibibytes} GiB for ${clients}, less what the kernel keeps`, () => {
      assert.equal(isWarned(clients, cpus, gibibytes), false);
      assert.equal(isWarned(clients, cpus, gibibytes * 0.9), false);
      assert.equal(isWarned(clients, cpus, gibibytes * 0.89), true);
      assert.equal(isWarned(clients, cpus - 1, gibibytes), true);
    });
  }

  it("is said with what is there, and not where nothing was read", () => {
    assert.deepEqual(hardwareWarnings(machine({ cpus: 2, memoryKilobytes: GIB }), 300), [
      "preflight, hardware: for 300 PCs WAPT's vendor asks for 2 processors and 2 GiB of memory; " +
        'this server has 2 and 1024 MiB: give it more, or say that you know by accept: ["hardware"]',
    ]);
    assert.deepEqual(hardwareWarnings(machine({ cpus: 1, memoryKilobytes: 0 }), 300), []);
    assert.deepEqual(hardwareWarnings(machine({ cpus: 1, memoryKilobytes: 1, root: "/srv" }), 300), []);
  });
});
