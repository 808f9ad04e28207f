/** Who owns which setting, and what the record says after a change. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { Server } from "../../provider/services";
import {
  foldersToGiveBack,
  foldersToRemove,
  idsOf,
  ownershipProblems,
  recordAfter,
} from "../../provider/transaction/ownership";
import { planOf } from "../../provider/transaction/plan";
import type { Entry } from "../../provider/transaction/record";
import { claimOf, UPLOADS } from "../support/image";
import { liveServer } from "../support/live-server";

const entry = (more: Partial<Entry> = {}): Entry => ({
  stack: "organization/wapt-site/paris",
  resource: "NginxTuning paris",
  id: "id-NginxTuning",
  value: "6250",
  before: "768",
  ...more,
});

describe("ownership", () => {
  let untuned: Server;
  before(async () => {
    untuned = await liveServer();
  });
  const having = (record: Record<string, Entry>): Server => ({ ...untuned, record });
  const nginx = (server: Server) => claimOf(server, "NginxTuning", 2500);

  it("is refused to another stack, by the first one's name and each setting", () => {
    const foreign = having({
      worker_connections: entry({ stack: "o/p/lyon", id: "other", resource: "WaptServer lyon" }),
    });
    const [problem, ...others] = ownershipProblems(foreign, nginx(foreign));
    assert.deepEqual(others, []);
    assert.match(
      problem!.reason,
      /^worker_connections: the stack o\/p\/lyon owns this on the server \(WaptServer lyon\)/,
    );
  });

  it("goes over within a stack, as for a resource that was renamed", () => {
    const own = having({ worker_connections: entry({ id: "older", resource: "NginxTuning old" }) });
    const claim = nginx(own);
    assert.deepEqual(ownershipProblems(own, claim), []);
    const { worker_connections } = recordAfter(own, claim, [], new Set());
    const file = "/etc/nginx/nginx.conf";
    assert.deepEqual(worker_connections, { ...claim.owner, value: "6250", file, before: "768", running: undefined });
  });

  it("is of a place in one file: what stood in another one is not written into this", () => {
    const elsewhere = { id: "id-NginxTuning", value: "6250", before: "512", file: "/etc/nginx/other.conf" };
    const moved = having({ worker_connections: entry(elsewhere) });
    const { worker_connections } = recordAfter(moved, nginx(moved), [], new Set());
    assert.deepEqual([worker_connections!.file, worker_connections!.before], ["/etc/nginx/nginx.conf", "768"]);
    const said = /worker_connections: it was set in \/etc\/nginx\/other\.conf, which is no longer read/;
    assert.match(planOf(moved, nginx(moved)).notes.join("\n"), said);
    const restore = planOf(moved, claimOf(moved, "NginxTuning", 2500, { mode: "restore" }));
    assert.match(restore.notes.join("\n"), said);
    assert.deepEqual(restore.changes, []);
  });

  it("is proved by more than a stack's name once the record holds a proof", () => {
    const proved = having({ worker_connections: entry({ id: "older", proof: "p1" }) });
    const claim = nginx(proved);
    const [problem] = ownershipProblems(proved, claim);
    assert.match(problem!.reason, /one of this name, but not of this state/);
    assert.deepEqual(ownershipProblems(proved, { ...claim, proofs: new Set(["p1"]) }), []);
    assert.deepEqual(ownershipProblems(proved, { ...claim, adopts: true }), []);
    const own = { ...claim, owner: { ...claim.owner, id: "older" } };
    assert.deepEqual(ownershipProblems(proved, own), []);
    const taken = recordAfter(proved, { ...own, owner: { ...own.owner, proof: "p2" } }, [], new Set());
    assert.equal(taken.worker_connections?.proof, "p2");
  });

  it("remembers what stood before the first change, whatever stands there now", () => {
    const first = recordAfter(untuned, nginx(untuned), [], new Set());
    assert.equal(first.worker_connections?.before, "768");
    const again = recordAfter(having({ ...first }), claimOf(untuned, "NginxTuning", 5000), [], new Set());
    assert.deepEqual([again.worker_connections?.value, again.worker_connections?.before], ["12500", "768"]);
    assert.equal(again.worker_rlimit_nofile?.before, null);
  });

  it("ends with what a resource has no longer, but not with a place of which it knows nothing", () => {
    const lost = {
      client_body_temp_path: entry({ value: "/srv/lost" }),
      "folder /srv/lost": entry({ value: "/srv/lost" }),
    };
    const server = having({
      ...lost,
      "folder /srv/old": entry({ value: "/srv/old" }),
      max_connections: entry({ id: "id-Postgres" }),
    });
    assert.deepEqual(Object.keys(recordAfter(server, nginx(server), [], new Set())).sort(), [
      "backlog of 0.0.0.0:80",
      "client_body_temp_path",
      "folder /srv/lost",
      "max_connections",
      "worker_connections",
      "worker_rlimit_nofile",
    ]);
    const restore = { ...nginx(server), mode: "restore" } as const;
    assert.deepEqual(Object.keys(recordAfter(server, restore, [], new Set())).sort(), [
      "client_body_temp_path",
      "folder /srv/lost",
      "max_connections",
    ]);
  });

  it("leaves a place that follows another one to who had it", () => {
    const owner = { stack: "o/p/s", resource: "WaptServerIni paris", id: "ini" };
    const server = having({ db_max_connections: entry({ ...owner, value: "615", before: null }) });
    const claim = claimOf(server, "PostgresConnections", 1000);
    const follower = { ...claimOf(server, "WaptServerIni", 400).target.places[0]!, value: "240" };
    const { db_max_connections } = recordAfter(server, claim, [follower], new Set());
    assert.deepEqual([db_max_connections?.id, db_max_connections?.value], ["ini", "240"]);
  });

  describe("of a folder", () => {
    const folder = (more: Partial<Entry>) =>
      entry({ id: "id-ProxyTempPath", resource: "ProxyTempPath paris", value: UPLOADS, before: null, ...more });
    const made = { ids: "0:0", isFolder: true, real: UPLOADS, entries: [], freeKilobytes: 1 };
    const uploads = (server: Server, path = UPLOADS) => claimOf(server, "ProxyTempPath", 1, { args: { path } });

    it("is recorded with whether it was there", () => {
      const claim = uploads(untuned);
      assert.deepEqual(idsOf(claim.target), ["client_body_temp_path", `folder ${UPLOADS}`]);
      assert.equal(recordAfter(untuned, claim, [], new Set())[`folder ${UPLOADS}`]?.before, null);
      const stood = { [UPLOADS]: { ...made, mode: "755", owner: "root" } };
      assert.equal(
        recordAfter({ ...untuned, folders: stood }, claim, [], new Set())[`folder ${UPLOADS}`]?.before,
        "755 0:0",
      );
    });

    it("has its mode and owner again when it stood there first, as far as the record knows them", () => {
      const stood = having({ [`folder ${UPLOADS}`]: folder({ before: "751 0:0" }) });
      const back = [{ path: UPLOADS, mode: "751", owner: "0:0" }];
      assert.deepEqual(foldersToGiveBack(stood, { ...uploads(stood), mode: "restore" }), back);
      assert.deepEqual(foldersToGiveBack(stood, uploads(stood, "/srv/other")), back);
      assert.deepEqual(foldersToGiveBack(stood, uploads(stood)), []);
      const earlier = having({ [`folder ${UPLOADS}`]: folder({ before: "present" }) });
      assert.deepEqual(foldersToGiveBack(earlier, { ...uploads(earlier), mode: "restore" }), []);
    });

    it("is removed when it was made here and is no longer wanted, by another path or in the end", () => {
      const made = having({ [`folder ${UPLOADS}`]: folder({}) });
      assert.deepEqual(foldersToRemove(made, uploads(made)), []);
      assert.deepEqual(foldersToRemove(made, uploads(made, "/srv/other")), [UPLOADS]);
      assert.deepEqual(foldersToRemove(made, { ...uploads(made), mode: "restore" }), [UPLOADS]);
      const stood = having({ [`folder ${UPLOADS}`]: folder({ before: "present" }) });
      assert.deepEqual(foldersToRemove(stood, { ...uploads(stood), mode: "restore" }), []);
      const others = having({ [`folder ${UPLOADS}`]: folder({ id: "another" }) });
      assert.deepEqual(foldersToRemove(others, { ...uploads(others), mode: "restore" }), []);
    });
  });
});
