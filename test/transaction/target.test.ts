/** What resources ask of a server: several targets as one, and the value that a place shows. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileValue, gone, merged, type Target, unreadable, valueNow } from "../../provider/transaction/target";
import { plainPlace, plainServer } from "../support/plain-server";

const server = plainServer({ a: "1" });
const place = (id: string, value = "1") => plainPlace(server, id, value);
const problem = (reason: string, property = "p") => ({ property, reason });
const need = (what: string, verb = "start") => ({ what, steps: [{ service: "plain", verb, words: [] }] });
const folderOf = (path: string) => ({
  path,
  mode: "700",
  owner: "o",
  selinuxType: "t",
  minFree: { kilobytes: 1, text: "" },
});

describe("the value to show for a place", () => {
  const shown = (wanted: string, effective: "by file" | "by running value" | "by either", running?: string) =>
    valueNow(plainPlace(server, "a", wanted, { effective, running }));

  it("is the file's, and the running one where the file is right and that is not yet effective", () => {
    assert.equal(shown("2", "by either", "3"), "1");
    assert.equal(shown("2", "by running value", "2"), "1");
    assert.equal(shown("1", "by either", "3"), "3");
    assert.equal(shown("1", "by running value", "3"), "3");
    assert.equal(shown("1", "by running value"), "1");
    assert.equal(shown("1", "by file", "3"), "1");
  });

  it("is none where no file sets it, whatever runs", () => {
    const missing = plainPlace(server, "b", "1", { effective: "by running value", running: "1" });
    assert.deepEqual([fileValue(missing), valueNow(missing)], [null, undefined]);
  });
});

describe("a target", () => {
  it("of which nothing can be said has why, and no place", () => {
    assert.deepEqual(unreadable([problem("a")]), { isUnreadable: true, places: [], problems: [problem("a")] });
  });

  it("that is gone has each reason for each of its settings", () => {
    assert.deepEqual(gone(["a", "b"], [problem("no file"), problem("no unit")]), {
      places: [],
      problems: [problem("no file"), problem("no unit")],
      gone: [
        { ids: ["a", "b"], reason: "no file" },
        { ids: ["a", "b"], reason: "no unit" },
      ],
    });
  });
});

describe("several targets as one", () => {
  const planned = (id: string) => `planned ${id}`;

  it("have all that each of them has, in order", () => {
    const one: Target = {
      places: [place("a")],
      reads: ["nginx"],
      needs: [need("n1")],
      left: [need("l1")],
      problems: [problem("p1")],
      conflicts: (plan) => [{ ...problem(plan("c1")!), beside: "a" }],
      followers: (plan) => [place("f1", plan("f1"))],
      guests: [place("g1")],
      heldBack: (plan) => [{ id: "h1", why: plan("h1")! }],
      keeps: (plan) => [{ id: "k1", why: plan("k1")!, beside: "a" }],
      abandoned: [place("x1")],
      gone: [{ ids: ["y1"], reason: "r" }],
      warnings: ["w1"],
    };
    const two: Target = {
      places: [place("b")],
      reads: ["wapt"],
      folder: folderOf("/srv/two"),
      needs: [need("n2")],
      left: [need("l2")],
      problems: [problem("p2")],
      conflicts: () => [{ ...problem("c2"), beside: "b" }],
      followers: () => [place("f2")],
      guests: [place("g2")],
      heldBack: () => [{ id: "h2", why: "h2" }],
      keeps: () => [{ id: "k2", why: "k2", beside: "b" }],
      abandoned: [place("x2")],
      gone: [{ ids: ["y2"], reason: "r" }],
      warnings: ["w2"],
    };
    const all = merged([one, { places: [] }, two]);
    const ids = (places: Target["places"] = []) => places.map(({ id, value }) => `${id} ${value}`);
    assert.equal(all.isUnreadable, false);
    assert.deepEqual(ids(all.places), ["a 1", "b 1"]);
    assert.deepEqual(all.reads, ["nginx", "wapt"]);
    assert.equal(all.folder, two.folder);
    assert.deepEqual(
      [all.needs, all.left],
      [
        [need("n1"), need("n2")],
        [need("l1"), need("l2")],
      ],
    );
    assert.deepEqual(all.problems, [problem("p1"), problem("p2")]);
    assert.deepEqual(
      all.conflicts?.(planned).map(({ reason, beside }) => `${reason}, ${beside}`),
      ["planned c1, a", "c2, b"],
    );
    assert.deepEqual(ids(all.followers?.(planned)), ["f1 planned f1", "f2 1"]);
    assert.deepEqual(ids(all.guests), ["g1 1", "g2 1"]);
    assert.deepEqual(all.heldBack?.(planned), [
      { id: "h1", why: "planned h1" },
      { id: "h2", why: "h2" },
    ]);
    assert.deepEqual(all.keeps?.(planned), [
      { id: "k1", why: "planned k1", beside: "a" },
      { id: "k2", why: "k2", beside: "b" },
    ]);
    assert.deepEqual(ids(all.abandoned), ["x1 1", "x2 1"]);
    assert.deepEqual(all.gone, [...one.gone!, ...two.gone!]);
    assert.deepEqual(all.warnings, ["w1", "w2"]);
  });

  it("say once what several of them say, the last one's words of it", () => {
    const target = (verb: string): Target => ({
      places: [],
      needs: [need("restart", verb)],
      left: [need("start", verb)],
      problems: [problem("no disk", verb)],
      heldBack: () => [{ id: "h", why: verb }],
      keeps: () => [{ id: "k", why: verb, beside: "a" }],
      warnings: ["w"],
    });
    const all = merged([target("one"), target("two")]);
    assert.deepEqual([all.needs, all.left], [[need("restart", "two")], [need("start", "two")]]);
    assert.deepEqual(all.problems, [problem("no disk", "two")]);
    assert.deepEqual(all.heldBack?.(planned), [{ id: "h", why: "two" }]);
    assert.deepEqual(all.keeps?.(planned), [{ id: "k", why: "two", beside: "a" }]);
    assert.deepEqual(all.warnings, ["w"]);
  });

  it("have no guest that one of them wants itself, and hold one where any of them does", () => {
    const targets: Target[] = [
      { places: [], guests: [place("a"), place("b")], holds: (id) => id === "a" },
      { places: [place("a")], holds: (id, { file }) => id === "b" && file === "1" },
      { places: [] },
    ];
    const all = merged(targets);
    assert.deepEqual(
      all.guests?.map(({ id }) => id),
      ["b"],
    );
    const held = ["a", "b", "c"].map((id) => all.holds?.(id, { file: "1" }));
    assert.deepEqual([held, all.holds?.("b", { file: "2" })], [[true, true, false], false]);
  });

  it("can't be read where one of them can't, and have nothing where there is none", () => {
    assert.equal(merged([{ places: [] }, unreadable([])]).isUnreadable, true);
    const none = merged([{ places: [] }]);
    assert.deepEqual([none.isUnreadable, none.places, none.folder, none.problems], [false, [], undefined, []]);
    assert.deepEqual([none.conflicts?.(planned), none.holds?.("a", { file: null })], [[], false]);
  });
});
