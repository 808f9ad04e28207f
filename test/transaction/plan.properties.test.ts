/** What every plan keeps, for any number of clients and any set of resources: carried out on files in memory. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import type { Server } from "../../provider/services";
import type { Claim } from "../../provider/transaction/ownership";
import { isEmpty, type Plan, planOf } from "../../provider/transaction/plan";
import { parseRecord, RECORD } from "../../provider/transaction/record";
import { claimOf, observe } from "../support/image";
import { carryOut, hashesOf } from "../support/live-server";
import { localRemote, untunedServer } from "../support/local-remote";

/** The server once a plan is carried out. */
function carriedOut(server: Server, plan: Plan): Server {
  const files = new Map(server.files);
  for (const { path, hash } of plan.changes) {
    assert.equal(hash, server.hashes.get(path), `${path} was planned on other bytes`);
  }
  carryOut(plan, files);
  const folders = { ...server.folders };
  const free = { ids: "0:0", real: "", entries: [], freeKilobytes: 1e9 };
  for (const { path, mode, owner } of plan.folders) folders[path] = { mode, owner, isFolder: true, ...free };
  for (const path of plan.removedFolders) folders[path] = { owner: "", isFolder: false, ...free };
  const [nginx, wapt] = [server.nginx, server.wapt];
  return {
    ...server,
    files,
    hashes: hashesOf(files),
    folders,
    record: parseRecord(files.get(RECORD)),
    nginx: { ...nginx, tree: { ...nginx.tree, files } },
    wapt: { ...wapt, tree: { ...wapt.tree, files } },
  };
}

const clients = fc.integer({ min: 1, max: 5000 });
const PARTS = ["KernelLimits", "NginxTuning", "PostgresConnections", "WaptServerIni", "ProxyTempPath"];

/** In any order in which none is refused: the pool needs a PostgreSQL that gives it. */
const parts = (minLength: number) =>
  fc
    .shuffledSubarray(PARTS, { minLength })
    .map((some) => [
      ...some.filter((type) => type !== "WaptServerIni"),
      ...some.filter((type) => type === "WaptServerIni"),
    ])
    .filter((some) => some.includes("PostgresConnections") || !some.includes("WaptServerIni"));
const types = fc.oneof(parts(1), fc.constant(["WaptServer"]));

describe("any plan", () => {
  let untuned: Server;
  before(async () => {
    const cleanUp: (() => void)[] = [];
    untuned = await observe(localRemote(), untunedServer({ after: (done) => cleanUp.push(done) }));
    for (const done of cleanUp) done();
  });

  const run = (server: Server, among: readonly string[], count: number, mode: Claim["mode"] = "apply"): Server =>
    among.reduce((now, type) => carriedOut(now, planOf(now, claimOf(now, type, count, { mode }))), server);

  it("once carried out leaves nothing to do", () => {
    fc.assert(
      fc.property(types, clients, (among, count) => {
        const tuned = run(untuned, among, count);
        for (const type of among) assert.ok(isEmpty(planOf(tuned, claimOf(tuned, type, count))), type);
      }),
      { numRuns: 30 },
    );
  });

  it("of the whole server comes to the files of one resource after another", () => {
    fc.assert(
      fc.property(parts(PARTS.length), clients, (all, count) => {
        const files = (server: Server) => [...server.files].filter(([path]) => path !== RECORD).sort();
        assert.deepEqual(files(run(untuned, ["WaptServer"], count)), files(run(untuned, all, count)));
      }),
      { numRuns: 20 },
    );
  });

  it("is taken back to the very bytes, however many plans came in between", () => {
    fc.assert(
      fc.property(types, fc.array(clients, { minLength: 1, maxLength: 3 }), (among, counts) => {
        let server = untuned;
        for (const count of counts) server = run(server, among, count);
        const restored = run(server, among, counts.at(-1)!, "restore");
        assert.deepEqual([...restored.files].sort(), [...untuned.files].sort());
        assert.deepEqual(restored.record, {});
      }),
      { numRuns: 20 },
    );
  });
});
