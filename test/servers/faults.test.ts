/**
 * A transaction that is killed at any step: on real servers, for a whole server from few clients to many and back. After
 * each the server serves with old or new values, one ordinary run finishes the work, and the next has nothing to do.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Server } from "../../provider/services";
import { isEmpty } from "../../provider/transaction/plan";
import type { Remote } from "../../provider/transaction/server";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import {
  assertCarried,
  assertSame,
  assertServes,
  assertWhole,
  type Condition,
  conditionOf,
} from "../support/condition";
import {
  converge,
  FEW,
  MANY,
  observe,
  planFor,
  programOf,
  stepsFor,
  type Tuning,
  withoutSsh,
} from "../support/whole-server";

interface State {
  readonly tuning: Tuning;
  readonly condition: Condition;
}

/** A server as it stands, and the two states between which the faults take it to and fro. */
interface Subject {
  readonly server: LabServer;
  readonly remote: Remote;
  observed: Server;
  now: State;
  next: State;
}

/** The steps of a run in each direction. */
interface Runs {
  readonly raising: readonly string[];
  readonly lowering: readonly string[];
}

/** Where a run is killed: before a step, or so many seconds after its beginning. */
interface Fault {
  readonly at: number;
  readonly seconds?: number;
}

/** Containers wait more than they work. */
const SERVERS = 4;

/** `npm run rounds` kills a run before every step in both directions; CI before one of each kind, in one of them. */
const ALL = process.env.ROUNDS === "all";

/** Steps that take long, so that a run may be killed in the middle of them. */
const LONG: Readonly<Record<string, readonly number[]>> = {
  "step 'nginx' 'reload'": [0.03, 0.15],
  "step 'systemd' 'stop'": [0.03, 0.1],
  "step 'postgresql' 'restart'": [0.05, 0.3, 0.8],
  "step 'systemd' 'start_again'": [0.02, 0.3, 1.5],
};

async function subjectOf(name: string): Promise<Subject & { lowering: string[] }> {
  const server = await startServer(name);
  const remote = withoutSsh(server);
  const state = async (tuning: Tuning): Promise<State> => {
    await converge(remote, tuning);
    return { tuning, condition: await conditionOf(server) };
  };
  const next = await state(MANY);
  const lowering = stepsFor(await observe(remote), FEW);
  const now = await state(FEW);
  return { server, remote, now, next, observed: await observe(remote), lowering };
}

const nameOf = (call = "the end"): string => call.split(" ").slice(0, 3).join(" ");

/** The same for what is alike: files of one service, folders, and what only looks, before which nothing is new. */
function kindOf(call = "end"): string {
  const [, put] = /^put\w* '\w+' '\/(\w+\/\w+)/.exec(call) ?? [];
  if (put) return `put ${put}`;
  if (/^file |^step '\w+' '(check|remember|login|limit|queue|placed|started)'/.test(call)) return "look";
  return call.startsWith("step ") ? nameOf(call) : call.split(" ")[0]!;
}

/** Once a run touches something: before each step, and in the middle of what takes long. */
function touching(calls: readonly string[]): { before: Fault[]; amid: Fault[] } {
  const touches = calls.findIndex((call) => call.startsWith("put"));
  const before = Array.from({ length: calls.length + 1 }, (_, at) => ({ at })).slice(touches);
  const amid = calls.flatMap((call, at) => (LONG[nameOf(call)] ?? []).map((seconds) => ({ at, seconds })));
  return { before, amid };
}

/** Before anything is touched three runs in a row are killed: each begins with what the one before it left. */
function preparing(calls: readonly string[]): Fault[][] {
  const touches = calls.findIndex((call) => call.startsWith("put"));
  return Array.from({ length: Math.ceil(touches / 3) }, (_, row) =>
    Array.from({ length: Math.min(3, touches - 3 * row) }, (_, index) => ({ at: 3 * row + index })),
  );
}

function allFaults({ raising, lowering }: Runs): { raising: Fault[][]; lowering: Fault[][] } {
  const single = (faults: Fault[]) => faults.map((fault) => [fault]);
  const down = touching(lowering);
  return {
    raising: [...preparing(raising), ...single(touching(raising).before)],
    lowering: single([...down.before, ...down.amid]),
  };
}

/** One of each kind, by turns in either direction; of what takes long the middle stands for what is before it. */
function someFaults({ raising, lowering }: Runs): { raising: Fault[][]; lowering: Fault[][] } {
  const kinds = (calls: readonly string[]): Map<string, Fault> => {
    const { before, amid } = touching(calls);
    const middle = amid.filter(({ at, seconds }) => seconds === LONG[nameOf(calls[at])]![1]);
    // Of two with one key a map keeps the later.
    return new Map([...before.reverse(), ...middle].map((fault) => [kindOf(calls[fault.at]), fault]));
  };
  const [up, down] = [kinds(raising), kinds(lowering)];
  const names = [...new Set([...up.keys(), ...down.keys()])];
  const [, second = []] = preparing(raising);
  const of = (all: Map<string, Fault>, other: Map<string, Fault>, turn: number) =>
    names
      .filter((name, index) => all.has(name) && (index % 2 === turn || !other.has(name)))
      .map((name) => [all.get(name)!]);
  return { raising: [second, ...of(up, down, 0)], lowering: of(down, up, 1) };
}

async function killedRun(subject: Subject, { at, seconds }: Fault): Promise<string> {
  const calls = stepsFor(subject.observed, subject.next.tuning);
  const kill = seconds === undefined ? "kill -9 $$" : `(sleep ${seconds}; kill -9 $$) >/dev/null 2>&1 9>&- &`;
  await subject.remote.run(programOf([...calls.slice(0, at), kill, ...calls.slice(at)]));
  return `killed ${seconds === undefined ? "before" : `${seconds} s into`} ${nameOf(calls[at])}`;
}

/** Some faults, then an ordinary run, and the server is in the other state. */
async function suffer(subject: Subject, faults: readonly Fault[]): Promise<void> {
  const { server, remote, now, next } = subject;
  let what = "";
  try {
    for (const fault of faults) {
      what = await killedRun(subject, fault);
      const condition = await conditionOf(server);
      assertWhole(condition, now.condition, next.condition);
      assertServes(condition, now.condition, next.condition);
      assertCarried(condition);
    }
    await converge(remote, next.tuning);
    assertSame(await conditionOf(server), next.condition);
    subject.observed = await observe(remote);
    assert.ok(isEmpty(planFor(subject.observed, next.tuning)), "the next run has something to do");
  } catch (error) {
    throw new Error(`${what}, ${now.tuning.clients} → ${next.tuning.clients}: ${(error as Error).message}`);
  }
  Object.assign(subject, { now: next, next: now });
}

describe("a run that is killed", { skip: skipWithoutLab() }, () => {
  let subjects: Awaited<ReturnType<typeof subjectOf>>[];
  before(async () => {
    subjects = await Promise.all(Array.from({ length: SERVERS }, (_, index) => subjectOf(`faults-${index + 1}`)));
  });
  after(() => Promise.all((subjects ?? []).map(({ server }) => server.stop())));

  test("leaves the server serving at every step, raising and lowering, and the next run goes on", async () => {
    const [first] = subjects as [(typeof subjects)[0]];
    const runs = { raising: stepsFor(first.observed, first.next.tuning), lowering: first.lowering };
    const { raising, lowering } = (ALL ? allFaults : someFaults)(runs);
    const planned = [...raising, ...lowering].flat().length;
    const kinds = new Set(Object.values(runs).flat().map(kindOf));
    let faults = 0;
    const workOff = async (subject: Subject) => {
      while (raising.length + lowering.length > 0) {
        // Where the other direction alone has some left the server goes there without one.
        const some = (subject.next.tuning === MANY ? raising : lowering).shift() ?? [];
        await suffer(subject, some);
        faults += some.length;
      }
    };
    await Promise.all(subjects.map(workOff));
    console.log(`${runs.raising.length} steps of ${kinds.size} kinds, ${faults} faults`);
    assert.equal(faults, planned);
    assert.ok(faults >= kinds.size && kinds.size > 12);
  });
});
