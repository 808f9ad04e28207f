/** A connection that is lost, and two runs at once: over SSH, on a real server. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { closeAll, open } from "../../provider/ssh/session";
import { isEmpty } from "../../provider/transaction/plan";
import type { Remote } from "../../provider/transaction/server";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { say } from "../support/asking";
import { assertSame, type Condition, conditionOf } from "../support/condition";
import { converge, FEW, MANY, observe, planFor, type Tuning, withoutSsh } from "../support/whole-server";
import { Wire } from "../support/wire";

const STARTS = "journalctl -q -o cat -u postgresql@15-main | grep -c '^Started'";
/** Waits until PostgreSQL is being restarted: services are down then, and files are of both kinds. */
const AMID = `for i in $(seq 1200); do
    if grep -qs 'stopped waptserver' /var/lib/pulumi-wapt/journal && ! systemctl -q is-active waptserver; then exit 0; fi
    sleep 0.05
  done; exit 1`;
/** Waits until no run holds the server's lock. */
const IDLE = "flock -w 60 /var/lib/pulumi-wapt/lock true";

const USERS = ["root", "admin"] as const;
/** `npm run rounds` loses each connection in each way, CI each in one. */
const ALL = process.env.ROUNDS === "all";

describe("a connection that is lost", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let direct: Remote;
  let wire: Wire;
  /** As the server is, and as the next run shall make it. */
  let now: { tuning: Tuning; condition: Condition };
  let next: typeof now;

  before(async () => {
    server = await startServer("paris");
    direct = withoutSsh(server);
    wire = await Wire.to(server.host);
    const state = async (tuning: Tuning) => {
      await converge(direct, tuning);
      return { tuning, condition: await conditionOf(server) };
    };
    [next, now] = [await state(MANY), await state(FEW)];
  });
  beforeEach(() => wire.mend());
  after(async () => {
    wire?.close();
    await closeAll();
    await server?.stop();
  });

  const through = (user: "root" | "admin", port = wire.port): Promise<Remote> => {
    const { hostKey, privateKey } = server;
    const sudo = user === "admin";
    return open({ host: "127.0.0.1", port, user, sudo, hostKey, privateKey, dialErrorLimit: 1 });
  };

  async function assertDone(): Promise<void> {
    assertSame(await conditionOf(server), next.condition);
    assert.ok(isEmpty(planFor(await observe(direct), next.tuning)));
    [now, next] = [next, now];
  }

  for (const user of ALL ? USERS : (["root"] as const)) {
    test(`as ${user}: a run goes on when its connection is cut, and its end is learnt over another one`, async () => {
      const starts = Number(await say(server, STARTS));
      const run = converge(await through(user), next.tuning);
      await say(server, AMID);
      wire.cut();
      wire.mend();
      await run;
      await assertDone();
      assert.equal(Number(await say(server, STARTS)), starts + 1);
    });
  }

  for (const user of ALL ? USERS : (["admin"] as const)) {
    test(`as ${user}: a run goes on when sshd's process is killed`, async () => {
      const run = converge(await through(user), next.tuning);
      await say(server, AMID);
      await say(server, `pkill -9 -f '^sshd: ${user}'`);
      await run;
      await assertDone();
    });
  }

  test("a run ends by itself when the server can't be reached any more, and that is said", async () => {
    const run = converge(await through("admin"), next.tuning);
    await say(server, AMID);
    wire.cut();
    await assert.rejects(run, (error: Error & { uncertain?: boolean }) => {
      assert.match(error.message, /the connection was lost while a command ran/);
      return error.uncertain === true;
    });
    await say(server, IDLE);
    await assertDone();
  });

  test("a program that was sent in part does nothing", async () => {
    for (const bytes of [2_000, 20_000, 45_000]) {
      wire.mend();
      const remote = await through("admin");
      const short: Remote = {
        key: remote.key,
        run(program, options) {
          if (program.includes("begin '' ")) wire.cutAfter(bytes);
          return remote.run(program, options);
        },
      };
      await assert.rejects(converge(short, next.tuning), /the connection was lost/);
      assertSame(await conditionOf(server), now.condition);
    }
  });

  test("of two runs at once one works, and the other waits and finds nothing left to do", async () => {
    const starts = Number(await say(server, STARTS));
    const runs = [await through("root"), await through("admin")].map((remote) => converge(remote, next.tuning));
    await Promise.all(runs);
    await assertDone();
    assert.equal(Number(await say(server, STARTS)), starts + 1);
  });
});
