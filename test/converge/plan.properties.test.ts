/** What every plan keeps, for any number of clients and any set of resources: carried out on files in memory. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import fc from "fast-check";
import type { Server } from "../../provider/transaction/observation";
import type { Claim } from "../../provider/transaction/ownership";
import { isEmpty, type Plan, planOf } from "../../provider/transaction/plan";
import { parseRecord, RECORD } from "../../provider/transaction/record";
import { localRemote, untunedServer } from "../local-remote";
import { claimsOn, observe } from "./image";

/** The server once a plan is carried out. */
function carriedOut(server: Server, plan: Plan): Server {
  const files = new Map(server.files);
  for (const { path, from, to } of plan.changes) {
    assert.equal(from, server.files.get(path), `${path} was planned on other bytes`);
    if (to === "") files.delete(path);
    else files.set(path, to);
  }
  const folders = { ...server.folders };
  for (const { path, mode, owner } of plan.folders) folders[path] = { mode, owner, isFolder: true };
  for (const path of plan.removedFolders) folders[path] = undefined;
  return { ...server, files, folders, record: parseRecord(files.get(RECORD)).settings };
}

const clients = fc.integer({ min: 1, max: 5000 });
const TYPES = ["KernelLimits", "NginxTuning", "PostgresConnections", "WaptServerIni", "ProxyTempPath"];
const types = fc.shuffledSubarray(TYPES, { minLength: 1 });

describe("any plan", () => {
  let untuned: Server;
  before(async () => {
    const cleanUp: (() => void)[] = [];
    untuned = await observe(localRemote(), untunedServer({ after: (done) => cleanUp.push(done) }));
    for (const done of cleanUp) done();
  });

  const claims = (server: Server, among: readonly string[], count: number, mode?: Claim["mode"]): Claim[] => {
    const all = claimsOn(server, count, mode);
    return among.map((type) => all.find((claim) => claim.owner.resource === type)!);
  };
  const run = (server: Server, among: readonly string[], count: number, mode?: Claim["mode"]): Server =>
    carriedOut(server, planOf(server, claims(server, among, count, mode)));

  it("once carried out leaves nothing to do", () => {
    fc.assert(
      fc.property(types, clients, (among, count) => {
        const tuned = run(untuned, among, count);
        assert.ok(isEmpty(planOf(tuned, claims(tuned, among, count))));
      }),
      { numRuns: 30 },
    );
  });

  it("comes to the same files in one transaction as one resource after another", () => {
    fc.assert(
      fc.property(types, clients, (among, count) => {
        let server = untuned;
        for (const type of among) server = run(server, [type], count);
        assert.deepEqual([...server.files].sort(), [...run(untuned, among, count).files].sort());
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
