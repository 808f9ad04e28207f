/** Whose a setting is after a run, and what is remembered of it: on a server of no service. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Claim,
  droppedPlaces,
  foldersToGiveBack,
  foldersToRemove,
  guestsOf,
  ownershipProblems,
  ownsFolder,
  recordAfter,
} from "../../provider/transaction/ownership";
import type { Entry, ServerRecord } from "../../provider/transaction/record";
import type { Folder, Place, Target } from "../../provider/transaction/target";
import { entryOf, FILE, OWNER, plainClaim, plainPlace, plainServer } from "../support/plain-server";

const NONE: ReadonlySet<string> = new Set();
const other = (value: string, before: string | null): Entry =>
  entryOf(value, before, { stack: "o/p/lyon", resource: "Plain lyon", id: "other" });

const bare = plainServer();
const placeOf = (id: string, value = "1", more: Partial<Place> = {}) => plainPlace(bare, id, value, more);
const folder = (path: string): Folder => ({
  path,
  mode: "700",
  owner: "www-data",
  selinuxType: "t",
  minFree: { kilobytes: 1, text: "1KiB" },
});
const having = (record: ServerRecord, settings: Record<string, string> = {}) => plainServer(settings, { record });
const idsAfter = (record: ServerRecord, claim: Claim): string[] =>
  Object.keys(recordAfter(having(record), claim, [], NONE)).sort();

describe("a setting of another stack", () => {
  const foreign = { a: other("1", null), b: other("2", null), c: entryOf("3", null) };
  const claim = plainClaim(["a", "b", "c"].map((id) => placeOf(id)));

  it("is refused with whose it is, and how it goes over", () => {
    assert.deepEqual(ownershipProblems(having(foreign), claim), [
      {
        property: "connection",
        reason:
          "a, b: the stack o/p/lyon owns this on the server (Plain lyon): one server has one owner. " +
          "Destroy it there first; and if that stack is gone, take it over: pulumi config set pulumi-wapt:adopt HOST",
      },
    ]);
  });

  it("is refused with how it goes over where the other stack has this one's name", () => {
    const proved = { a: { ...foreign.a, stack: OWNER.stack, proof: "p" } };
    assert.deepEqual(ownershipProblems(having(proved), claim), [
      {
        property: "connection",
        reason:
          "a: the stack o/p/paris owns this on the server (Plain lyon): one of this name, but not of this state. " +
          'Give a resource that was renamed aliases: [{ name: "its former name" }]; destroy that of another backend there ' +
          "first; and if its state was lost, or its first up was cut off, take it over: pulumi config set pulumi-wapt:adopt HOST",
      },
    ]);
  });

  it("is free to a stack that takes it over, to one that has its proof, and beside it", () => {
    assert.deepEqual(ownershipProblems(having(foreign), { ...claim, adopts: true }), []);
    assert.deepEqual(ownershipProblems(having(foreign), plainClaim([placeOf("c")])), []);
    assert.deepEqual(ownershipProblems(bare, claim), []);
    const proved = having({ a: { ...foreign.a, proof: "p" } });
    assert.equal(ownershipProblems(proved, claim).length, 1);
    assert.equal(ownershipProblems(proved, { ...claim, proofs: new Set(["q"]) }).length, 1);
    assert.deepEqual(ownershipProblems(proved, { ...claim, owner: { ...OWNER, proof: "p" } }), []);
    assert.deepEqual(ownershipProblems(proved, { ...claim, proofs: new Set(["q", "p"]) }), []);
  });

  it("stays the other's, in its folder too, whatever this run ends", () => {
    const theirs = { a: other("1", null), "folder /srv/a": other("/srv/a", null) };
    for (const mode of ["apply", "restore"] as const) {
      const ends = plainClaim([], { mode });
      assert.deepEqual(recordAfter(having(theirs), ends, [], NONE), theirs);
      assert.deepEqual(foldersToRemove(having(theirs), ends), []);
    }
  });
});

describe("the record after a run", () => {
  it("has the value, the file, and what stood there and ran first", () => {
    const server = plainServer({ a: "old" });
    const place = plainPlace(server, "a", "new", { running: "runs" });
    const owner = { ...OWNER, proof: "p" };
    const { a, ...others } = recordAfter(server, plainClaim([place], { owner }), [], NONE);
    assert.deepEqual(others, {});
    assert.deepEqual(a, { ...owner, value: "new", file: FILE, before: "old", running: "runs" });
  });

  it("keeps what stood and ran before the first change, in whatever way the place changed since", () => {
    const server = having({ a: entryOf("1", "first", { running: "ran", file: FILE }) }, { a: "1" });
    const { a } = recordAfter(server, plainClaim([plainPlace(server, "a", "2", { running: "1" })]), [], NONE);
    assert.deepEqual([a?.value, a?.before, a?.running], ["2", "first", "ran"]);
  });

  it("has what the state remembers where the server lost its record and still has what the state wrote", () => {
    const before = { a: { file: "first", running: "ran" } };
    const remembered = (now: string | undefined, wrote: string | undefined, more: Partial<Claim> = {}) => {
      const server = plainServer(now === undefined ? {} : { a: now });
      const former = wrote === undefined ? undefined : { places: [placeOf("z", "2"), placeOf("a", wrote)] };
      const claim = plainClaim([plainPlace(server, "a", "2", { running: "runs" })], { before, former, ...more });
      const { a } = recordAfter(server, claim, [], NONE);
      return [a?.before, a?.running];
    };
    assert.deepEqual(remembered("1", "1"), ["first", "ran"]);
    assert.deepEqual(remembered("0", "1"), ["0", "runs"], "someone changed it since");
    assert.deepEqual(remembered(undefined, "1"), [null, "runs"], "someone removed it since");
    assert.deepEqual(remembered("1", undefined), ["1", "runs"], "the state wrote nothing");
    assert.deepEqual(remembered("1", "1", { former: { places: [] } }), ["1", "runs"], "it did not write that");
    assert.deepEqual(remembered("1", "1", { before: {} }), ["1", "runs"], "the state remembers nothing of it");
    assert.deepEqual(remembered("1", "1", { before: undefined }), ["1", "runs"]);
  });

  it("has no longer what the resource wanted until now, and what is gone from the server", () => {
    const all = ["a", "guest", "abandoned", "gone"];
    const record = Object.fromEntries(all.map((id) => [id, entryOf("1", null)]));
    const wanted = {
      places: [placeOf("a")],
      guests: [placeOf("guest")],
      abandoned: [placeOf("abandoned")],
      gone: [{ ids: ["gone"], reason: "no such file" }],
    };
    assert.deepEqual(idsAfter(record, plainClaim([])), [...all].sort(), "it knows nothing of them");
    assert.deepEqual(idsAfter(record, plainClaim([], { former: wanted })), []);
    assert.deepEqual(idsAfter(record, plainClaim(wanted)), ["a"]);
    assert.deepEqual(idsAfter(record, plainClaim(wanted, { mode: "restore" })), []);
  });

  it("keeps a place of which nothing is known with the folder that it names, and no other folder", () => {
    const record = {
      lost: entryOf("/srv/lost", null),
      "folder /srv/lost": entryOf("/srv/lost", null),
      "folder /srv/old": entryOf("/srv/old", null),
    };
    assert.deepEqual(idsAfter(record, plainClaim([])), ["folder /srv/lost", "lost"]);
    assert.deepEqual(foldersToRemove(having(record), plainClaim([])), ["/srv/old"]);
    assert.deepEqual(idsAfter(record, plainClaim([placeOf("lost", "/srv/new")])), ["lost"]);
  });

  it("leaves as it is what waits for a restart", () => {
    const record = { a: entryOf("1", "0"), b: entryOf("1", "0") };
    const claim = plainClaim([placeOf("a", "2"), placeOf("b", "2"), placeOf("c", "2")]);
    const after = recordAfter(having(record), claim, [], new Set(["a", "c"]));
    assert.deepEqual([after.a, after.b?.value, after.c], [record.a, "2", undefined]);
    const dropped = recordAfter(having(record), plainClaim([], { former: claim.target }), [], new Set(["a"]));
    assert.deepEqual(dropped, { a: record.a });
  });
});

describe("a place that has to follow", () => {
  it("keeps its owner and what stood there before, and nobody's becomes the follower's", () => {
    const theirs = { ...other("500", "90"), proof: "theirs" };
    const owner = { ...OWNER, proof: "mine" };
    const follower = placeOf("pool", "80");
    const claim = plainClaim([placeOf("limit", "90")], { owner });
    const known = recordAfter(having({ pool: theirs }), claim, [follower], NONE).pool;
    assert.deepEqual(known, { ...theirs, value: "80", file: FILE, running: undefined });
    const fresh = plainServer({ pool: "500" });
    const { pool } = recordAfter(fresh, claim, [plainPlace(fresh, "pool", "80")], NONE);
    assert.deepEqual(pool, { ...owner, value: "80", file: FILE, before: "500", running: undefined });
  });

  it("has its value on record when its leader is taken back, where someone owns it", () => {
    const record = { limit: entryOf("90", null), pool: other("500", "90") };
    const claim = plainClaim([placeOf("limit", "90")], { mode: "restore" });
    const followers = [placeOf("pool", "80"), placeOf("nobodys", "80")];
    assert.deepEqual(recordAfter(having(record), claim, followers, NONE), { pool: { ...record.pool, value: "80" } });
  });

  it("is a guest of its leader's where that alone has it on record", () => {
    const guests = [placeOf("mine"), placeOf("theirs"), placeOf("nobodys")];
    const server = having({ mine: entryOf("1", null), theirs: other("1", null) });
    const ids = (target: Target) => guestsOf(server, plainClaim(target)).map(({ id }) => id);
    assert.deepEqual(ids({ places: [], guests }), ["mine"]);
    assert.deepEqual(ids({ places: [] }), []);
  });

  it("stays on record while the link holds it, beside what stood there before", () => {
    const record = { guest: entryOf("1", "0", { running: "ran" }), free: entryOf("1", null) };
    const asked: unknown[] = [];
    const target: Target = {
      places: [],
      guests: [placeOf("guest"), placeOf("free")],
      holds: (id, before) => {
        asked.push([id, before]);
        return id === "guest";
      },
    };
    assert.deepEqual(recordAfter(having(record), plainClaim(target), [], NONE), { guest: record.guest });
    assert.deepEqual(asked, [
      ["guest", { file: "0", running: "ran" }],
      ["free", { file: null, running: undefined }],
    ]);
    assert.deepEqual(recordAfter(having(record), plainClaim({ ...target, holds: undefined }), [], NONE), {});
  });
});

describe("the places that a resource no longer wants", () => {
  const dropped = (server: ReturnType<typeof having>, target: Target, former?: Target) =>
    droppedPlaces(server, plainClaim(target, { former })).map(({ id, value }) => `${id} ${value}`);

  it("are those that it wanted until now, its guests among them, and those of what is no longer there, each once", () => {
    const server = having({ guest: entryOf("1", null) });
    const former = { places: [placeOf("kept"), placeOf("a"), placeOf("both", "1")], guests: [placeOf("guest")] };
    const target = { places: [placeOf("kept", "2")], abandoned: [placeOf("gone"), placeOf("both", "2")] };
    assert.deepEqual(dropped(server, target, former), ["a 1", "both 2", "guest 1", "gone 1"]);
    assert.deepEqual(dropped(server, target), ["gone 1", "both 2"]);
    assert.deepEqual(dropped(server, { places: [] }), []);
  });

  it("are not those of guests that a link holds", () => {
    const server = having({ guest: entryOf("1", null) });
    const former = { places: [], guests: [placeOf("guest")] };
    assert.deepEqual(dropped(server, { ...former, holds: () => true }, former), []);
    assert.deepEqual(dropped(server, { ...former, holds: () => false }, former), ["guest 1"]);
  });
});

describe("a place that is kept though nobody wants it", () => {
  const kept = [{ id: "pool", why: "", beside: "limit" }];

  it("passes to the owner of what it waits for, with what stood there before", () => {
    const heir = { ...other("100", null), proof: "theirs" };
    const record = { pool: entryOf("90", "500", { running: "ran", proof: "mine" }), limit: heir };
    const passed = { ...record.pool, stack: heir.stack, resource: heir.resource, id: heir.id, proof: "theirs" };
    for (const claim of [
      plainClaim([placeOf("pool")], { mode: "restore" }),
      plainClaim([], { former: { places: [placeOf("pool")] } }),
    ])
      assert.deepEqual(recordAfter(having(record), claim, [], NONE, kept), { pool: passed, limit: heir });
  });

  it("is nobody's where nobody owns what it waits for, or it is not on record", () => {
    const claim = plainClaim([placeOf("pool")], { mode: "restore" });
    assert.deepEqual(recordAfter(having({ pool: entryOf("90", "500") }), claim, [], NONE, kept), {});
    const limit = other("100", null);
    assert.deepEqual(recordAfter(having({ limit }), claim, [], NONE, kept), { limit });
  });
});

describe("a folder on record", () => {
  const SRV = "/srv/a";
  const id = `folder ${SRV}`;
  const claim = plainClaim({ places: [], folder: folder(SRV) });
  const state = { owner: "root", ids: "5:6", isFolder: true, real: SRV, entries: [], freeKilobytes: 1 };

  it("has what stood there first, or that nothing did", () => {
    const stood = { ...bare, folders: { [SRV]: { ...state, mode: "755" } } };
    assert.ok(ownsFolder(having({ [id]: entryOf(SRV, null) }), SRV));
    assert.ok(!ownsFolder(bare, SRV));
    const owner = { ...OWNER, proof: "p" };
    assert.deepEqual(recordAfter(stood, { ...claim, owner }, [], NONE), {
      [id]: { ...owner, value: SRV, before: "755 5:6" },
    });
    assert.equal(recordAfter({ ...bare, folders: { [SRV]: state } }, claim, [], NONE)[id]?.before, null);
    const known = having({ [id]: entryOf(SRV, null) });
    assert.equal(recordAfter({ ...known, folders: stood.folders }, claim, [], NONE)[id]?.before, null);
  });

  it("is given back its mode and owner once it is wanted no more, where both are known", () => {
    const back = (before: string | null, more: Partial<Entry> = {}, name = id, wanted = plainClaim([])) =>
      foldersToGiveBack(having({ [name]: { ...entryOf(SRV, before), ...more } }), wanted);
    assert.deepEqual(back("755 5:6"), [{ path: SRV, mode: "755", owner: "5:6" }]);
    assert.deepEqual(back("1755 0:33"), [{ path: SRV, mode: "1755", owner: "0:33" }]);
    assert.deepEqual(back("755 1000:100"), [{ path: SRV, mode: "755", owner: "1000:100" }]);
    assert.deepEqual(back("755 5:6", {}, id, { ...claim, mode: "restore" }).length, 1);
    for (const before of [null, "present", "755", "755 root", "755 5:6 x", "x755 5:6", "755 5:x", "755 :6"])
      assert.deepEqual(back(before), [], String(before));
    assert.deepEqual(back("755 5:6", { id: "other" }), []);
    assert.deepEqual(back("755 5:6", {}, "client_body_temp_path"), [], "a setting of that value is no folder");
    assert.deepEqual(back("755 5:6", {}, id, claim), []);
  });

  it("is removed once where it was made here, or by a run that was cut off, and is wanted no more", () => {
    const server = having({ [id]: entryOf(SRV, null), setting: entryOf("/srv/none", null) });
    const journal = { made: [SRV, "/srv/orphan", "/srv/orphan", "/srv/wanted"], hash: "" };
    const left = { ...server, journal };
    const wanted = { places: [placeOf("setting")], folder: folder("/srv/wanted") };
    assert.deepEqual(foldersToRemove(left, plainClaim(wanted)), [SRV, "/srv/orphan"]);
    assert.deepEqual(foldersToRemove(left, { ...claim, mode: "restore" }), [SRV, "/srv/orphan", "/srv/wanted"]);
    const stood = having({ [id]: entryOf(SRV, "755 5:6") });
    assert.deepEqual(foldersToRemove({ ...stood, journal }, plainClaim(wanted)), ["/srv/orphan"]);
  });
});
