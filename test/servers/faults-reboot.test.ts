/** A server that is rebooted without notice in the middle of a run: on a kernel of its own. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
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
import { converge, FEW, MANY, observe, planFor, programOf, stepsFor, withoutSsh } from "../support/whole-server";

const BOOT_SECONDS = 300;

describe("a server that is rebooted in the middle of a run", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let remote: Remote;
  let untuned: Condition;

  before(async () => {
    server = await startServer("paris", { kernel: "own" });
    remote = withoutSsh(server);
    untuned = await conditionOf(server);
  });
  after(() => server?.stop());

  /** Runs up to a step, then resets the machine: nothing is stopped and nothing written to disk. */
  async function cutShort(step: RegExp, tuning = MANY): Promise<void> {
    const bootId = async () =>
      (await server.exec("cat /proc/sys/kernel/random/boot_id", { timeoutSeconds: 10 })).stdout;
    const boot = await bootId();
    const calls = stepsFor(await observe(remote), tuning);
    const at = calls.findIndex((call) => step.test(call));
    const reset = "echo 1 >/proc/sys/kernel/sysrq; echo b >/proc/sysrq-trigger; sleep 60";
    const program = programOf([...calls.slice(0, at), reset, ...calls.slice(at)]);
    await remote.run(program, { timeoutSeconds: 20 }).catch(() => undefined);
    const deadline = Date.now() + BOOT_SECONDS * 1000;
    for (;;) {
      const now = await bootId().catch(() => "");
      const state = await server.exec("systemctl is-system-running", { timeoutSeconds: 10 }).catch(() => undefined);
      if (now && now !== boot && state?.stdout.trim() === "running") return;
      assert.ok(Date.now() < deadline, `not up again ${BOOT_SECONDS} s after the reset`);
      await sleep(500);
    }
  }

  test("between the rename of PostgreSQL's file and its restart: it comes up whole, and the next run goes on", async () => {
    await cutShort(/^step 'postgresql' 'restart'/);
    const condition = await conditionOf(server);
    assert.deepEqual(condition.down, []);
    assertCarried(condition);
    assert.ok(
      condition.journal.some((line) => line.startsWith("stopped waptserver ")),
      condition.journal.join("\n"),
    );
    const { steps } = planFor(await observe(remote), MANY);
    assert.ok(!steps.some(({ verb }) => verb === "start"), "what a run had stopped was started by the boot");
    await converge(remote, MANY);
    const tuned = await conditionOf(server);
    assertWhole(condition, untuned, tuned);
    assertServes(condition, untuned, tuned);
    assert.equal(tuned.sql, "625");
    assertSame(tuned, tuned);
    assert.ok(isEmpty(planFor(await observe(remote), MANY)));
  });

  // Each leaves other bytes on the disk: the pool's file alone, or PostgreSQL's too. `npm run rounds` cuts at both.
  const cuts = ["step 'systemd' 'stop'", "step 'postgresql' 'restart'"];
  for (const step of process.env.ROUNDS === "all" ? cuts : cuts.slice(1)) {
    test(`before ${step} of a lower count: PostgreSQL carries the pool that comes up`, async () => {
      await converge(remote, MANY);
      const many = await conditionOf(server);
      await cutShort(new RegExp(`^${step}`), FEW);
      const condition = await conditionOf(server);
      assertCarried(condition);
      assert.equal(condition.connections.pool, "90");
      assert.deepEqual(condition.down, []);
      await converge(remote, FEW);
      const few = await conditionOf(server);
      assertWhole(condition, many, few);
      assertCarried(few);
      assert.ok(isEmpty(planFor(await observe(remote), FEW)));
    });
  }
});
