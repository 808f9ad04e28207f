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

/** Where a run is killed: before a step, or so many seconds after its beginning. */
interface Fault {
  readonly at: number;
  readonly seconds?: number;
}

/** Containers wait more than they work. */
const SERVERS = 4;

/** `npm run rounds` kills a run before every step; CI before every third one of each direction. */
const EVERY = process.env.ROUNDS === "all" ? 1 : 3;

/** Steps that take long, so that a run may be killed in the middle of them. */
const LONG: Readonly<Record<string, readonly number[]>> = {
  "step 'nginx' 'reload'": [0.03, 0.15],
  "step 'systemd' 'stop'": [0.03, 0.1],
  "step 'postgresql' 'restart'": [0.05, 0.3, 0.8],
  "step 'systemd' 'start_again'": [0.02, 0.3, 1.5],
};

async function subjectOf(name: string): Promise<Subject> {
  const server = await startServer(name);
  const remote = withoutSsh(server);
  const state = async (tuning: Tuning): Promise<State> => {
    await converge(remote, tuning);
    return { tuning, condition: await conditionOf(server) };
  };
  const [next, now] = [await state(MANY), await state(FEW)];
  return { server, remote, now, next, observed: await observe(remote) };
}

const nameOf = (call = "the end"): string => call.split(" ").slice(0, 3).join(" ");

/**
 * Raising is killed before each step; lowering, once it touches something, and in the middle of what takes long. Before
 * anything is touched three runs in a row are killed: each begins with what the one before it left.
 */
function faultsOf(calls: readonly string[]): { raising: Fault[][]; lowering: Fault[][] } {
  const all: Fault[] = Array.from({ length: calls.length + 1 }, (_, at) => ({ at }));
  const touches = calls.findIndex((call) => call.startsWith("put "));
  const touching = all.slice(touches).map((fault) => [fault]);
  const preparing = Array.from({ length: Math.ceil(touches / 3) }, (_, row) =>
    all.slice(3 * row, Math.min(3 * row + 3, touches)),
  );
  const amid = calls.flatMap((call, at) => (LONG[nameOf(call)] ?? []).map((seconds) => [{ at, seconds }]));
  const some = (faults: Fault[][], from: number) => faults.filter((_, index) => index % EVERY === from % EVERY);
  return { raising: some([...preparing, ...touching], 0), lowering: some([...touching, ...amid], 1) };
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
  let subjects: Subject[];
  before(async () => {
    subjects = await Promise.all(Array.from({ length: SERVERS }, (_, index) => subjectOf(`faults-${index + 1}`)));
  });
  after(() => Promise.all((subjects ?? []).map(({ server }) => server.stop())));

  test("leaves the server serving at every step, raising and lowering, and the next run goes on", async () => {
    const [first] = subjects as [Subject];
    const calls = stepsFor(first.observed, first.next.tuning);
    const { raising, lowering } = faultsOf(calls);
    const planned = [...raising, ...lowering].flat().length;
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
    console.log(`${calls.length} steps, ${faults} faults`);
    assert.equal(faults, planned);
    assert.ok(faults * EVERY > calls.length);
  });
});
