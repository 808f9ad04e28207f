/** What a plan makes of places, steps and folders, whatever service they are of: on a server of no service. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RefusedError } from "../../provider/problem";
import { FormatError } from "../../provider/text/format";
import { type Splice, spliced } from "../../provider/text/splices";
import type { Base } from "../../provider/transaction/observation";
import type { Claim } from "../../provider/transaction/ownership";
import {
  folderStands,
  isEmpty,
  type Plan,
  pendingOf,
  planOf,
  precheck,
  restartsOf,
} from "../../provider/transaction/plan";
import { parseRecord } from "../../provider/transaction/record";
import { hashOf } from "../../provider/transaction/report";
import type { Step } from "../../provider/transaction/service";
import type { Conflict, Folder, Place, Target } from "../../provider/transaction/target";
import { entryOf, FILE, plainClaim, plainFormat, plainPlace, plainServer, reloadOf } from "../support/plain-server";

const step = (verb: string, words: readonly string[] = [], more: Partial<Step> = {}): Step => ({
  service: "plain",
  verb,
  words,
  ...more,
});
const restart = step("restart", [], { interrupts: true, restarts: "plaind" });

/** The text of each file that a plan changes; undefined of one that goes. */
const textsAfter = (server: Base, { changes }: Plan): Record<string, string | undefined> =>
  Object.fromEntries(
    changes.map(({ path, splices }) => [path, splices && spliced(server.files.get(path) ?? "", splices)]),
  );
const recordOf = ({ record }: Plan) => parseRecord(record?.to);

const refusal = (server: Base, claim: Claim): readonly string[] => {
  try {
    planOf(server, claim);
    return [];
  } catch (error) {
    assert.ok(error instanceof RefusedError, String(error));
    return error.problems.map(({ reason }) => reason);
  }
};

/** A server on which the owner has set `a` from "old" to "new". */
const tuned = (now = "new", more: Partial<Base> = {}) =>
  plainServer({ a: now }, { record: { a: entryOf("new", "old", { file: FILE }) }, ...more });
const back = (server: Base, place: Partial<Place> = {}, more: Partial<Claim> = {}) =>
  planOf(server, plainClaim([plainPlace(server, "a", "new", place)], { mode: "restore", ...more }));
const ended = (server: Base, place: Partial<Place> = {}, more: Partial<Claim> = {}) =>
  planOf(server, plainClaim([], { former: { places: [plainPlace(server, "a", "new", place)] }, ...more }));

describe("a plan's files", () => {
  it("have their new bytes, on the hash of their old ones", () => {
    const server = plainServer({ a: "1", z: "9" });
    const plan = planOf(server, plainClaim([plainPlace(server, "a", "2"), plainPlace(server, "b", "3")]));
    assert.deepEqual(textsAfter(server, plan), { [FILE]: "a 2\nb 3\nz 9\n" });
    const [change, ...others] = plan.changes;
    assert.deepEqual(others, []);
    assert.deepEqual([change?.hash, change?.stage], [hashOf("a 1\nz 9\n"), "plain"]);
    assert.equal(change?.isFirst, undefined);
  });

  it("are new where nothing stands there", () => {
    const server = plainServer();
    const plan = planOf(server, plainClaim([plainPlace(server, "a", "1")]));
    assert.deepEqual([plan.changes[0]?.hash, textsAfter(server, plan)], [undefined, { [FILE]: "a 1\n" }]);
  });

  it("are each edited once for all their places", () => {
    const server = plainServer({ a: "1" });
    const trees = [FILE, "/etc/two.conf"].map((root) => ({ root, files: server.files }));
    const places = trees.flatMap((tree) => ["x", "y"].map((id) => plainPlace(server, id, "1", { tree })));
    const texts = textsAfter(server, planOf(server, plainClaim(places)));
    assert.deepEqual(texts, { [FILE]: "a 1\nx 1\ny 1\n", "/etc/two.conf": "x 1\ny 1\n" });
  });

  it("go where nothing is left in one that is ours, and stay empty where it is the administrator's", () => {
    const override = "/etc/override.conf";
    const files = new Map([[override, "a new\n"]]);
    const emptied: readonly Splice[] = [{ start: 0, end: 6, text: "" }];
    const format = { ...plainFormat, edit: () => new Map([[override, emptied]]) };
    assert.deepEqual(textsAfter(tuned(), ended(tuned(), {}, { before: {} })), { [FILE]: "a old\n" });
    const fresh = tuned("new", { record: { a: entryOf("new", null, { file: FILE }) } });
    assert.deepEqual(textsAfter(fresh, ended(fresh)), { [FILE]: "" });
    assert.deepEqual(textsAfter(fresh, ended(fresh, { removesEmptyFile: true })), { [FILE]: undefined });
    assert.deepEqual(textsAfter(tuned(), ended(tuned(), { removesEmptyFile: true })), { [FILE]: "a old\n" });
    const server = plainServer({ a: "new" }, { record: fresh.record });
    const tree = { root: FILE, files: new Map([...files, [FILE, "a new\n"]]) };
    const at = (more: object) => ended(server, { format, tree: { ...tree, ...more }, removesEmptyFile: true });
    assert.equal(at({ override }).changes[0]?.splices, undefined);
    assert.deepEqual(at({}).changes[0]?.splices, emptied, "another's file");
  });

  it("come before all others where one of their places says so, beside what the run gives", () => {
    const server = plainServer();
    const asked: unknown[] = [];
    const comesFirst: Place["comesFirst"] = (planned) => {
      asked.push([planned("a"), planned("b"), planned("c")]);
      return planned("b") === "2";
    };
    const plan = (b: string) =>
      planOf(server, plainClaim([plainPlace(server, "b", b), plainPlace(server, "a", "1", { comesFirst })]));
    assert.equal(plan("2").changes[0]?.isFirst, true);
    assert.equal(plan("3").changes[0]?.isFirst, undefined);
    assert.deepEqual(asked[0], ["1", "2", undefined]);
  });

  it("are none, and the plan is empty, where all stands and is on record", () => {
    const server = tuned();
    const claim = plainClaim([plainPlace(server, "a", "new")]);
    const plan = planOf(server, claim);
    assert.deepEqual([plan.changes, plan.record, isEmpty(plan)], [[], undefined, true]);
    const unrecorded = plainServer({ a: "new" });
    const first = planOf(unrecorded, plainClaim([plainPlace(unrecorded, "a", "new")]));
    assert.deepEqual([first.changes, first.steps, isEmpty(first)], [[], [], false], "the record alone changes");
    assert.equal(first.record?.from, undefined);
    assert.equal(recordOf(first).a?.before, "new");
  });
});

describe("a plan's steps", () => {
  const stepsFor = (place: Partial<Place>, now = "1", wanted = "2") => {
    const server = plainServer({ a: now });
    return planOf(server, plainClaim([plainPlace(server, "a", wanted, place)])).steps;
  };

  it("make a value effective when its file was changed, when another one runs, or by either", () => {
    const cases: [Place["effective"], now: string, runs: string | undefined, isDue: boolean][] = [
      ["by file", "1", undefined, true],
      ["by file", "1", "2", true],
      ["by file", "2", "1", false],
      ["by running value", "1", "2", false],
      ["by running value", "1", "1", true],
      ["by running value", "2", "1", true],
      ["by running value", "2", "2", false],
      ["by running value", "1", undefined, false],
      ["by either", "1", undefined, true],
      ["by either", "1", "2", true],
      ["by either", "2", "1", true],
      ["by either", "2", "2", false],
      ["by either", "2", undefined, false],
    ];
    for (const [effective, now, running, isDue] of cases)
      assert.deepEqual(
        stepsFor({ effective, running }, now),
        isDue ? [reloadOf("2")] : [],
        JSON.stringify([effective, now, running]),
      );
  });

  it("are those of the place that changed, not of its neighbours, and of all where a file is repaired", () => {
    const server = plainServer({ a: "1", b: "1" });
    const steps = (id: string) => ({ steps: () => [step(id)] });
    const verbs = (values: string[], more: Partial<Place> = {}) =>
      planOf(
        server,
        plainClaim(["a", "b"].map((id, at) => plainPlace(server, id, values[at]!, { ...steps(id), ...more }))),
      ).steps.map(({ verb }) => verb);
    assert.deepEqual(verbs(["1", "2"]), ["b"]);
    const repair = { ...plainFormat, edit: () => new Map([[FILE, [{ start: 0, end: 0, text: "\n" }]]]) };
    assert.deepEqual(verbs(["1", "1"], { format: repair }), ["a", "b"]);
    assert.deepEqual(verbs(["1", "2"], { format: repair }), ["b"]);
  });

  it("are one of each kind, with what any of them says", () => {
    const server = plainServer();
    const told = (id: string, ...words: string[]) =>
      plainPlace(server, id, "1", { steps: () => [step("reload", words), step("limit", [id], { of: id })] });
    const places = [told("a", "1", "-", "x"), told("b", "-", "2", "y"), told("c", "-", "-", "-")];
    assert.deepEqual(planOf(server, plainClaim(places)).steps, [
      step("reload", ["1", "2", "y"]),
      ...["a", "b", "c"].map((id) => step("limit", [id], { of: id })),
    ]);
    assert.deepEqual(stepsFor({ steps: () => [step("reload", ["-"])] }), [step("reload", ["-"])]);
  });

  it("are those too of what the target needs, when it is wanted, and of what a run left, always", () => {
    const server = plainServer();
    const target: Target = {
      places: [],
      needs: [{ what: "n", steps: [step("need")] }],
      left: [{ what: "l", steps: [step("left")] }],
    };
    assert.deepEqual(planOf(server, plainClaim(target)).steps, [step("need"), step("left")]);
    assert.deepEqual(planOf(server, plainClaim(target, { mode: "restore" })).steps, [step("left")]);
  });

  it("that interrupt a service are left for later where that is wanted, by name and why", () => {
    const server = plainServer();
    const reload = step("reload");
    const place = plainPlace(server, "a", "1", { steps: () => [restart, reload] });
    const plan = (more: Partial<Claim>) => planOf(server, plainClaim([place], more));
    assert.deepEqual(plan({}).steps, [restart, reload]);
    assert.deepEqual(plan({ mayRestart: true }).deferred, []);
    const never = plan({ mayRestart: false });
    const why = 'plain restart: needed, and left for later since restart is "never"';
    assert.deepEqual([never.steps, never.deferred, never.notes, never.waits], [[reload], [why], [why], []]);
    const night = plan({ mayRestart: false, later: "it is day" });
    assert.deepEqual(night.deferred, ["plain restart: needed, and left for later since it is day"]);
    const twice = { ...place, steps: () => [restart, step("restart", [], { of: "b", interrupts: true })] };
    assert.equal(planOf(server, plainClaim([twice], { mayRestart: false })).deferred?.length, 1, "each name once");
    const done = { ...place, steps: () => [restart, step("restart", [], { of: "b" })] };
    assert.deepEqual(planOf(server, plainClaim([done], { mayRestart: false })).deferred, []);
  });

  it("say by name what their users lose meanwhile, each once and in order", () => {
    const server = plainServer();
    const steps = [
      step("a", [], { restarts: "z" }),
      step("b", [], { restarts: "c" }),
      step("d", [], { restarts: "z" }),
    ];
    const place = plainPlace(server, "a", "1", { steps: () => [...steps, step("e")] });
    assert.deepEqual(restartsOf(planOf(server, plainClaim([place]))), ["c", "z"]);
  });
});

describe("a plan's checks", () => {
  const checks = (text: string | undefined) => [step("check", [text ?? "-"])];

  it("are those of what changes, with the value, each once", () => {
    const server = plainServer({ a: "1", b: "1" });
    const place = (id: string, value: string) =>
      plainPlace(server, id, value, { checks, steps: () => [step("limit", [id], { of: id })] });
    assert.deepEqual(planOf(server, plainClaim([place("a", "2"), place("b", "1")])).checks, [step("check", ["2"])]);
    assert.deepEqual(planOf(server, plainClaim([place("a", "2"), place("b", "3")])).checks, [step("check", ["3"])]);
    assert.deepEqual(planOf(server, plainClaim([place("a", "1"), place("b", "1")])).checks, []);
    assert.deepEqual(planOf(server, plainClaim([plainPlace(server, "a", "2")])).checks, []);
  });

  it("are those too of what is restarted with the file that stands", () => {
    const server = plainServer({ a: "1" });
    const stale = (more: Partial<Claim>) => {
      const more1: Partial<Place> = { checks, effective: "by running value", running: "0", steps: () => [restart] };
      return planOf(server, plainClaim([plainPlace(server, "a", "1", more1)], more)).checks;
    };
    assert.deepEqual(stale({}), [step("check", ["1"])]);
    assert.deepEqual(stale({ mayRestart: false }), []);
    const both = {
      checks,
      effective: "by running value",
      running: "0",
      steps: () => [restart, step("reload")],
    } as const;
    const half = planOf(server, plainClaim([plainPlace(server, "a", "1", both)], { mayRestart: false }));
    assert.deepEqual(
      [half.steps, half.checks],
      [[step("reload")], [step("check", ["1"])]],
      "one of its steps is taken",
    );
    const other = plainPlace(server, "a", "1", { checks, steps: () => [step("restart", [], { of: "b" })] });
    const needs = [{ what: "n", steps: [step("restart", [], { of: "a" })] }];
    assert.deepEqual(planOf(server, plainClaim({ places: [other], needs })).checks, [], "a step of another thing");
  });
});

describe("what is refused", () => {
  const server = plainServer({ a: "1" });
  const place = plainPlace(server, "a", "2");
  const unread = ["plain", "beside", "foreign"].map((service) => ({ service, path: `/${service}`, why: "is a FIFO" }));
  const SAID = (service: string) =>
    `preflight, files: /${service} is a FIFO: put it right on the server; nothing was touched`;

  it("is a change beside files that were not read, of the services whose files decide it", () => {
    const blind = { ...server, unread };
    assert.deepEqual(refusal(blind, plainClaim([place])), [SAID("plain")]);
    assert.deepEqual(refusal(blind, plainClaim({ places: [place], reads: ["beside"] })), [
      SAID("plain"),
      SAID("beside"),
    ]);
    assert.deepEqual(refusal(blind, plainClaim([])), []);
    const nothing: Target = { isUnreadable: true, places: [], problems: [{ property: "p", reason: "unreadable" }] };
    assert.deepEqual(refusal(blind, plainClaim(nothing)), [
      ...unread.map(({ service }) => SAID(service)),
      "unreadable",
    ]);
  });

  it("is a setting of another stack, and what the target has of problems", () => {
    const foreign = plainServer({ a: "1" }, { record: { a: entryOf("1", null, { stack: "o/p/lyon", id: "x" }) } });
    const problems = [{ property: "p", reason: "no disk" }];
    const [owned, disk, ...others] = refusal(foreign, plainClaim({ places: [place], problems }));
    assert.match(owned!, /^a: the stack o\/p\/lyon owns this/);
    assert.deepEqual([disk, others], ["no disk", []]);
  });

  it("is a value that can't be shown, and put back with its administrator's knowledge, where nothing else is wrong", () => {
    const odd = plainServer({ a: "1\u0007" });
    const places = [plainPlace(odd, "a", "2")];
    const said = `a is 1\\x07: it has control characters, or is no value; correct it in ${FILE}`;
    assert.deepEqual(refusal(odd, plainClaim(places)), [said.replace("\\x07", "\\x07")]);
    const problems = [{ property: "p", reason: "no disk" }];
    assert.deepEqual(refusal(odd, plainClaim({ places, problems })), ["no disk"]);
    assert.deepEqual(precheck(odd, plainClaim(places)), [{ property: "connection", reason: said }]);
  });

  it("is nothing of that where what stood before is put back", () => {
    const problems = [{ property: "p", reason: "no disk" }];
    const conflicts = () => [{ property: "p", reason: "too many", beside: "a" }];
    const target: Target = { places: [plainPlace(tuned(), "a", "new")], problems, conflicts };
    const blind = { ...tuned(), unread };
    const plan = planOf(blind, plainClaim(target, { mode: "restore" }));
    assert.deepEqual(textsAfter(blind, plan), { [FILE]: "a old\n" });
  });

  describe("beside another place", () => {
    const asked: unknown[] = [];
    const conflict = (beside: string, more: Partial<Conflict> = {}): Target => ({
      places: [place],
      conflicts: (planned) => {
        asked.push([planned("a"), planned("b")]);
        return [{ property: "p", reason: "too\u0007 many", beside, ...more }];
      },
    });

    it("is said with what is planned there", () => {
      assert.deepEqual(refusal(server, plainClaim(conflict("b"))), ["too\\x07 many"]);
      assert.deepEqual(asked.at(-1), ["2", undefined]);
    });

    it("is none where only a restart brings it and nothing is restarted", () => {
      const needing = conflict("b", { needsRestart: true });
      assert.deepEqual(refusal(server, plainClaim(needing, { mayRestart: false })), []);
      assert.equal(refusal(server, plainClaim(needing)).length, 1);
      assert.equal(refusal(server, plainClaim(conflict("b"), { mayRestart: false })).length, 1);
    });

    it("is said in the precheck only where the same resource decides that place", () => {
      assert.deepEqual(precheck(server, plainClaim(conflict("b"))), []);
      assert.deepEqual(precheck(server, plainClaim(conflict("a"))), [{ property: "p", reason: "too\\x07 many" }]);
    });
  });

  it("is in the precheck a file that can't be edited, and no other fault of a format", () => {
    const failing = (error: Error) => {
      const edit = () => {
        throw error;
      };
      return plainClaim([plainPlace(server, "a", "2", { format: { ...plainFormat, edit } })]);
    };
    const odd = new FormatError(FILE, 3, "no such thing");
    assert.deepEqual(precheck(server, failing(odd)), [{ property: "connection", reason: `${FILE}:3: no such thing` }]);
    assert.throws(() => planOf(server, failing(odd)), odd);
    assert.throws(() => precheck(server, failing(new TypeError("a bug"))), /a bug/);
    assert.deepEqual(precheck(server, plainClaim([place])), []);
  });

  it("is said in the precheck without control characters, and without a look at the files", () => {
    const problems = [{ property: "p", reason: "odd\u0007" }];
    assert.deepEqual(precheck(server, plainClaim({ places: [], problems })), [{ property: "p", reason: "odd\\x07" }]);
  });
});

describe("a place that follows", () => {
  const server = plainServer({ limit: "100", pool: "90" });
  const places = [plainPlace(server, "limit", "50")];
  const followers: Target["followers"] = (planned) =>
    planned("limit") === "50"
      ? [plainPlace(server, "pool", "40", { effective: "by running value", running: "90" })]
      : [];

  it("is changed in the same plan, with its steps, and is on record", () => {
    const plan = planOf(server, plainClaim({ places, followers }));
    assert.deepEqual(textsAfter(server, plan), { [FILE]: "limit 50\npool 40\n" });
    assert.deepEqual(plan.steps, [reloadOf("40")]);
    assert.deepEqual([recordOf(plan).pool?.value, recordOf(plan).pool?.before], ["40", "90"]);
  });

  it("has the value that the same resource wants for it, where it does", () => {
    const both = [...places, plainPlace(server, "pool", "45")];
    const plan = planOf(server, plainClaim({ places: both, followers }));
    assert.deepEqual(textsAfter(server, plan), { [FILE]: "limit 50\npool 45\n" });
    assert.equal(recordOf(plan).pool?.value, "45");
  });
});

describe("a place that waits", () => {
  const server = plainServer({ a: "1", b: "1" }, { record: { a: entryOf("1", "0"), b: entryOf("1", "0") } });
  const heldBack: Target["heldBack"] = (planned) => [{ id: "a", why: `a waits for b, which becomes ${planned("b")}` }];
  const target: Target = { places: ["a", "b"].map((id) => plainPlace(server, id, "2")), heldBack };

  it("keeps its value, in its file and on record, where nothing may be restarted, and says why", () => {
    const plan = planOf(server, plainClaim(target, { mayRestart: false }));
    assert.deepEqual(textsAfter(server, plan), { [FILE]: "a 1\nb 2\n" });
    assert.deepEqual([recordOf(plan).a?.value, recordOf(plan).b?.value], ["1", "2"]);
    assert.deepEqual(
      [plan.waits, plan.notes],
      [["a waits for b, which becomes 2"], ["a waits for b, which becomes 2"]],
    );
  });

  it("does not wait where all may be restarted", () => {
    for (const mayRestart of [true, undefined]) {
      const plan = planOf(server, plainClaim(target, { mayRestart }));
      assert.deepEqual([textsAfter(server, plan), plan.waits], [{ [FILE]: "a 2\nb 2\n" }, []]);
    }
  });

  it("may be one that follows", () => {
    const following: Target = { places: [target.places[1]!], heldBack, followers: () => [target.places[0]!] };
    const plan = planOf(server, plainClaim(following, { mayRestart: false }));
    assert.deepEqual(textsAfter(server, plan), { [FILE]: "a 1\nb 2\n" });
  });
});

describe("a place that is given back", () => {
  it("has what stood there first, and what is recorded of it ends", () => {
    for (const plan of [back(tuned()), ended(tuned())]) {
      assert.deepEqual(textsAfter(tuned(), plan), { [FILE]: "a old\n" });
      assert.deepEqual([plan.steps, plan.notes, plan.record?.to], [[reloadOf("old")], [], undefined]);
      assert.notEqual(plan.record?.from, undefined);
    }
  });

  it("has what the state remembers where the server lost its record", () => {
    const lost = plainServer({ a: "new" });
    const before = { a: { file: "old" } };
    assert.deepEqual(textsAfter(lost, back(lost, {}, { before })), { [FILE]: "a old\n" });
    assert.deepEqual(textsAfter(lost, ended(lost, {}, { before })), { [FILE]: "a old\n" });
    assert.deepEqual([back(lost).changes, back(lost).notes], [[], []], "nobody knows what stood there");
    const done = plainServer({ a: "old" });
    assert.deepEqual([back(done, {}, { before }).changes, back(done, {}, { before }).notes], [[], []], "it has it");
  });

  it("is left as it is where someone changed it since, and that is said", () => {
    const CHANGED = ["a: someone changed it since, so it is left as it is"];
    const others = tuned("other");
    assert.deepEqual([back(others).changes, back(others).notes], [[], CHANGED]);
    assert.deepEqual([ended(others).changes, ended(others).notes], [[], CHANGED]);
    const lost = plainServer({ a: "other" });
    assert.deepEqual(back(lost, {}, { before: { a: { file: "old" } } }).notes, CHANGED);
    const older = tuned("new", { record: { a: entryOf("older", "old") } });
    assert.deepEqual(back(older).notes, CHANGED, "the record is what counts");
  });

  it("is left as it is, and said, where the service reads another file by now", () => {
    const moved = tuned("new", { record: { a: entryOf("new", "old", { file: "/etc/\u0007.conf" }) } });
    const said = ["a: it was set in /etc/\\x07.conf, which is no longer read: what stands there is left as it is"];
    for (const plan of [back(moved), ended(moved)]) assert.deepEqual([plan.changes, plan.notes], [[], said]);
    const again = planOf(moved, plainClaim([plainPlace(moved, "a", "new")]));
    assert.deepEqual(again.notes, said);
    const theirs = tuned("new", { record: { a: entryOf("new", "old", { file: "/etc/b.conf", id: "older" }) } });
    assert.deepEqual(planOf(theirs, plainClaim([plainPlace(theirs, "a", "new")])).notes, [], "it was another's");
  });

  it("is not another's, whose own it stays", () => {
    const theirs = tuned("new", { record: { a: entryOf("new", "old", { id: "theirs" }) } });
    const plan = back(theirs, {}, { before: { a: { file: "old" } } });
    assert.deepEqual([plan.changes, plan.notes, plan.record], [[], [], undefined]);
  });

  it("may be a guest, or of what is no longer installed", () => {
    const server = plainServer({ a: "new", b: "new" }, { record: { a: entryOf("new", "0"), b: entryOf("new", "0") } });
    const target = {
      places: [],
      guests: [plainPlace(server, "a", "new")],
      abandoned: [plainPlace(server, "b", "new")],
    };
    const restored = planOf(server, plainClaim(target, { mode: "restore" }));
    assert.deepEqual(textsAfter(server, restored), { [FILE]: "a 0\nb 0\n" });
    const applied = planOf(server, plainClaim(target, { former: { places: [] } }));
    assert.deepEqual(textsAfter(server, applied), { [FILE]: "a new\nb 0\n" });
  });

  it("asks for what is known to run again, and for no value where that is not known", () => {
    const asked = (file: string | null, running: string | undefined, place: Partial<Place> = {}) => {
      const server = tuned("new", { record: { a: entryOf("new", file, { running }) } });
      const { steps } = back(server, place);
      return steps[0]?.words[0];
    };
    assert.equal(asked("old", undefined), "old");
    assert.equal(asked("old", "old"), "old");
    assert.equal(asked("old", "ran"), "-", "it ran with another one than its file's");
    assert.equal(asked("old", "ran", { isTold: true }), "ran");
    assert.equal(asked(null, "ran"), "ran");
    assert.equal(asked(null, undefined, { default: "90" }), "90");
    assert.equal(asked(null, "ran", { default: "90" }), "ran");
    assert.equal(asked(null, undefined), "-");
    assert.equal(asked(null, "ran", { inherits: true, default: "90" }), "-");
    assert.equal(asked("old", undefined, { inherits: true }), "old");
    const effective = "by running value";
    assert.equal(asked(null, "ran", { inherits: true, running: "new", effective }), undefined, "nothing tells it");
  });

  it("counts for its followers by what runs where no file has it any more", () => {
    const server = tuned("new", { record: { a: entryOf("new", null) } });
    const seen: unknown[] = [];
    const target: Target = {
      places: [plainPlace(server, "a", "new", { default: "90" })],
      followers: (planned) => {
        seen.push(planned("a"), planned("b"));
        return [];
      },
    };
    planOf(server, plainClaim(target, { mode: "restore" }));
    assert.deepEqual(seen, ["90", undefined]);
  });

  describe("but is kept", () => {
    const record = { a: entryOf("new", "old", { file: FILE }), b: entryOf("1", null, { id: "theirs" }) };
    const server = plainServer({ a: "new" }, { record });
    const keeps: Target["keeps"] = (planned) => [{ id: "a", why: `${planned("a")} is too much`, beside: "b" }];
    const target: Target = { places: [plainPlace(server, "a", "new")], keeps };

    it("stays as it is, by the target that is taken back or was wanted, and passes to who has the other", () => {
      for (const claim of [plainClaim(target, { mode: "restore" }), plainClaim([], { former: target })]) {
        const plan = planOf(server, claim);
        assert.deepEqual([plan.changes, plan.steps, plan.notes], [[], [], ["old is too much"]]);
        assert.deepEqual([recordOf(plan).a?.id, recordOf(plan).a?.before], ["theirs", "old"]);
      }
    });

    it("keeps no other place from what it gets or has back, and what is not given back can't be kept", () => {
      const other = { ...record, c: entryOf("new", "0"), d: entryOf("new", "0") };
      const two = plainServer({ a: "new", c: "new", d: "new" }, { record: other });
      const places = ["a", "c"].map((id) => plainPlace(two, id, "new"));
      const claim = plainClaim([plainPlace(two, "d", "newer")], { former: { ...target, places } });
      const plan = planOf(two, claim);
      assert.deepEqual(textsAfter(two, plan), { [FILE]: "a new\nc 0\nd newer\n" });
      assert.deepEqual(plan.notes, ["old is too much"]);
      const lost = plainServer({ a: "new" }, { record: { b: record.b } });
      assert.deepEqual(planOf(lost, plainClaim(target, { mode: "restore" })).notes, []);
    });

    it("is no such place where it is wanted, or does not come back in this run", () => {
      const claims = [
        plainClaim(target, { former: target }),
        plainClaim(target),
        plainClaim([], { former: { ...target, places: [] } }),
      ];
      for (const claim of claims) assert.deepEqual(planOf(server, claim).notes, []);
      const fresh = planOf(server, plainClaim([plainPlace(server, "a", "2")], { former: target }));
      assert.deepEqual(textsAfter(server, fresh), { [FILE]: "a 2\n" });
    });
  });

  it("is nowhere, which is said, where what it was in is gone or can't be read", () => {
    const server = plainServer();
    const gone = [{ ids: ["a"], reason: "there is no such file" }];
    const said = ["nothing was put back there: there is no such file"];
    assert.deepEqual(planOf(server, plainClaim({ places: [], gone }, { mode: "restore" })).notes, said);
    assert.deepEqual(planOf(server, plainClaim([], { former: { places: [], gone } })).notes, said);
    assert.deepEqual(planOf(server, plainClaim({ places: [], gone })).notes, []);
    const problems = [{ property: "p", reason: "a FIFO" }];
    const former = { places: [], problems };
    const unreadable = ["what is no longer wanted and can't be read is left as it is: a FIFO"];
    assert.deepEqual(planOf(server, plainClaim([], { former: { ...former, isUnreadable: true } })).notes, unreadable);
    assert.deepEqual(planOf(server, plainClaim([], { former: { places: [], isUnreadable: true } })).notes, []);
    assert.deepEqual(planOf(server, plainClaim([], { former })).notes, [], "its problems are no longer its own");
  });
});

describe("a plan's folder", () => {
  const SRV = "/srv/a";
  const folder: Folder = {
    path: SRV,
    mode: "700",
    owner: "www-data",
    selinuxType: "t",
    minFree: { kilobytes: 1, text: "1KiB" },
  };
  const state = {
    mode: "700",
    owner: "www-data",
    ids: "33:33",
    isFolder: true,
    real: SRV,
    entries: [],
    freeKilobytes: 1,
  };
  const at = (more: Partial<typeof state>, root = "") => ({
    ...plainServer(),
    root,
    folders: { [SRV]: { ...state, ...more } },
  });

  it("stands where it is a folder of that mode and owner; below a root the owner's name is another machine's", () => {
    assert.equal(folderStands(at({}), folder), true);
    assert.equal(folderStands(plainServer(), folder), false);
    assert.equal(folderStands(at({ isFolder: false }), folder), false);
    assert.equal(folderStands(at({ mode: "755" }), folder), false);
    assert.equal(folderStands(at({ owner: "root" }), folder), false);
    assert.equal(folderStands(at({ owner: "UNKNOWN" }, "/srv/image"), folder), true);
    assert.equal(folderStands(at({ mode: "755" }, "/srv/image"), folder), false);
  });

  it("is made where it does not stand and is wanted, and given back or removed where it is not", () => {
    const target = { places: [], folder };
    const wanted = (server: Base, more: Partial<Claim> = {}) => planOf(server, plainClaim(target, more));
    assert.deepEqual(wanted(plainServer()).folders, [folder]);
    assert.deepEqual(wanted(at({})).folders, []);
    assert.deepEqual(planOf(plainServer(), plainClaim([])).folders, []);
    assert.deepEqual(wanted(plainServer(), { mode: "restore" }).folders, []);
    const having = (before: string | null) => plainServer({}, { record: { [`folder ${SRV}`]: entryOf(SRV, before) } });
    const restored = (before: string | null) => wanted(having(before), { mode: "restore" });
    assert.deepEqual([restored(null).removedFolders, restored(null).returnedFolders], [[SRV], []]);
    assert.deepEqual(restored("755 0:0").returnedFolders, [{ path: SRV, mode: "755", owner: "0:0" }]);
    assert.deepEqual(restored("755 0:0").removedFolders, []);
  });

  it("is pending until it stands, beside what the target needs and what a run left, each once", () => {
    const need = (what: string) => ({ what, steps: [] });
    const target: Target = { places: [], folder, needs: [need("old\u0007"), need("b")], left: [need("b"), need("c")] };
    const made = `the folder ${SRV} (mode 700, owner www-data)`;
    assert.deepEqual(pendingOf(target, plainServer()), ["old\\x07", "b", "c", made]);
    assert.deepEqual(pendingOf(target, at({})), ["old\\x07", "b", "c"]);
    assert.deepEqual(pendingOf({ places: [] }, plainServer()), []);
  });
});

describe("a plan is empty", () => {
  it("where there is nothing to do, to tidy up or to write, and not beside any one thing of that", () => {
    const server = plainServer();
    const nothing = planOf(server, plainClaim([]));
    assert.equal(isEmpty(nothing), true);
    assert.equal(nothing.journal, hashOf(""));
    const things: Partial<Plan>[] = [
      { changes: [{ path: FILE, hash: undefined, splices: undefined, stage: "plain" }] },
      { steps: [restart] },
      { folders: [{ path: "/srv" } as Folder] },
      { removedFolders: ["/srv"] },
      { returnedFolders: [{ path: "/srv", mode: "755", owner: "0:0" }] },
      { record: { from: "a", to: undefined } },
      { journal: hashOf("made /srv") },
    ];
    for (const thing of things) assert.equal(isEmpty({ ...nothing, ...thing }), false, JSON.stringify(thing));
    assert.equal(isEmpty({ ...nothing, notes: ["n"], waits: ["w"], checks: [restart] }), true);
    const left = plainServer({}, { journal: { made: [], hash: "left" } });
    assert.equal(planOf(left, plainClaim([])).journal, "left");
  });
});

describe("any run of plans on places", () => {
  const ids = ["a", "b", "c", "d"];
  const settings = fc.dictionary(fc.constantFrom(...ids), fc.constantFrom("1", "2", "3"), { noNullPrototype: true });
  type Settings = Readonly<Record<string, string>>;
  const target = (server: Base, wanted: Settings): Target => ({
    places: Object.entries(wanted).map(([id, value]) => plainPlace(server, id, value, { removesEmptyFile: true })),
  });
  const carriedOut = (server: Base, plan: Plan): Base => {
    const text = FILE in textsAfter(server, plan) ? textsAfter(server, plan)[FILE] : server.files.get(FILE);
    const now = Object.fromEntries(
      (text ?? "")
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split(" ") as [string, string]),
    );
    return plainServer(now, { record: plan.record ? recordOf(plan) : server.record });
  };

  it("ends with the very file of the start, whatever was wanted on the way and dropped again", () => {
    fc.assert(
      fc.property(settings, fc.array(settings, { minLength: 1, maxLength: 4 }), (first, runs) => {
        const untouched = plainServer(first);
        let server = untouched;
        let former: Settings | undefined;
        for (const wanted of runs) {
          const claim = plainClaim(target(server, wanted), { former: former && target(server, former) });
          server = carriedOut(server, planOf(server, claim));
          for (const [id, value] of Object.entries(wanted))
            assert.match(server.files.get(FILE)!, new RegExp(`^${id} ${value}$`, "m"));
          assert.deepEqual(Object.keys(server.record).sort(), Object.keys(wanted).sort());
          former = wanted;
        }
        server = carriedOut(server, planOf(server, plainClaim(target(server, former!), { mode: "restore" })));
        assert.deepEqual(server.files, untouched.files);
      }),
      { numRuns: 60 },
    );
  });

  it("of two owners leaves each its own", () => {
    fc.assert(
      fc.property(settings, settings, settings, (first, mine, theirs) => {
        const untouched = plainServer(first);
        const theirOnly = Object.fromEntries(Object.entries(theirs).filter(([id]) => !(id in mine)));
        const other = { stack: "o/p/lyon", resource: "Plain lyon", id: "theirs" };
        let server = carriedOut(
          untouched,
          planOf(untouched, plainClaim(target(untouched, theirOnly), { owner: other })),
        );
        const alone = server;
        server = carriedOut(server, planOf(server, plainClaim(target(server, mine))));
        server = carriedOut(server, planOf(server, plainClaim(target(server, mine), { mode: "restore" })));
        assert.deepEqual([server.files.get(FILE), server.record], [alone.files.get(FILE), alone.record]);
      }),
      { numRuns: 60 },
    );
  });
});
