/**
 * A transaction that is killed at any step: on real servers, for a whole server from few clients to many and back. After
 * each the server serves with old or new values, one ordinary run finishes the work, and the next has nothing to do.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isEmpty } from "../../provider/converge/plan";
import type { Remote } from "../../provider/converge/server-queue";
import { transactionProgram } from "../../provider/converge/transaction";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce } from "./asking";
import { assertSame, assertServes, assertWhole, type Condition, conditionOf } from "./condition";
import { converge, FEW, MANY, plan, steps, type Tuning, withoutSsh } from "./whole-server";

interface State {
  readonly tuning: Tuning;
  readonly condition: Condition;
  readonly inForce: unknown;
}

/** A server, and the two states between which the faults take it to and fro. */
interface Subject {
  readonly server: LabServer;
  readonly remote: Remote;
  now: State;
  next: State;
}

/** Where a run is killed: before a step, or so many seconds after its beginning. */
interface Fault {
  readonly at: number;
  readonly seconds?: number;
}

/** Containers wait more than they work. */
const SERVERS = 3;

/** Steps that take long, so that a run may be killed in the middle of them. */
const LONG: Readonly<Record<string, readonly number[]>> = {
  nginx_reload: [0.03, 0.15],
  stop: [0.03, 0.1],
  postgres_restart: [0.05, 0.3, 0.8],
  start: [0.02, 0.3, 1.5],
};

async function subjectOf(name: string): Promise<Subject> {
  const server = await startServer(name);
  const remote = withoutSsh(server);
  const state = async (tuning: Tuning): Promise<State> => {
    await converge(remote, tuning);
    return { tuning, condition: await conditionOf(server), inForce: await inForce(server) };
  };
  const [next, now] = [await state(MANY), await state(FEW)];
  return { server, remote, now, next };
}

const faultsOf = (calls: readonly string[]): Fault[] => [
  ...Array.from({ length: calls.length + 1 }, (_, at) => ({ at })),
  ...calls.flatMap((call, at) => (LONG[call.split(" ")[0]!] ?? []).map((seconds) => ({ at, seconds }))),
];

async function killedRun({ remote, next }: Subject, { at, seconds }: Fault): Promise<string> {
  const calls = await steps(remote, next.tuning);
  const kill = seconds === undefined ? "kill -9 $$" : `(sleep ${seconds}; kill -9 $$) >/dev/null 2>&1 9>&- &`;
  await remote.run(transactionProgram([...calls.slice(0, at), kill, ...calls.slice(at)]));
  return calls[at]?.split(" ").slice(0, 3).join(" ") ?? "the end";
}

/** One fault, and the server is in the other state. */
async function suffer(subject: Subject, fault: Fault): Promise<void> {
  const { server, remote, now, next } = subject;
  const step = await killedRun(subject, fault);
  const where = `killed ${fault.seconds === undefined ? "before" : `${fault.seconds} s into`} ${step}`;
  try {
    const condition = await conditionOf(server);
    assertWhole(condition, now.condition, next.condition);
    assertServes(condition, now.condition, next.condition);
    await converge(remote, next.tuning);
    assertSame(await conditionOf(server), next.condition);
    assert.deepEqual(await inForce(server), next.inForce);
    assert.ok(isEmpty(await plan(remote, next.tuning)), "the next run has something to do");
  } catch (error) {
    throw new Error(`${where}, ${now.tuning.clients} → ${next.tuning.clients}: ${(error as Error).message}`);
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
    const [{ remote, next, now }] = subjects as [Subject];
    const calls = await steps(remote, next.tuning);
    const queues = new Map([next, now].map(({ tuning }) => [tuning, faultsOf(calls)]));
    let faults = 0;
    await Promise.all(
      subjects.map(async (subject) => {
        for (;;) {
          const fault = queues.get(subject.next.tuning)?.shift();
          if (!fault) return;
          await suffer(subject, fault);
          faults += 1;
        }
      }),
    );
    console.log(`${calls.length} steps, ${faults} faults`);
    assert.ok(faults >= 2 * calls.length);
  });
});
