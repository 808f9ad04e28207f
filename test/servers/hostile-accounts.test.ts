/**
 * The accounts that own folders of a real WAPT server attack a run: wapt its conf, postgres its cluster's configuration.
 * What they prepare, what they swap at a step, and what they swap as fast as they can while a run goes on: no file of
 * root's changes, no program of theirs runs as root, the services serve, and the run succeeds or says what it refuses.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import type { Server } from "../../provider/services";
import { quote } from "../../provider/text/shell";
import { type Outcome, parseOutcome } from "../../provider/transaction/program";
import type { Remote } from "../../provider/transaction/server";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { say, WAPT_SERVES } from "../support/asking";
import { converge, FEW, MANY, observe, programOf, stepsFor, withoutSsh } from "../support/whole-server";

interface Account {
  readonly user: string;
  readonly folder: string;
  readonly name: string;
  /** Its own program, which root must never run: it leaves /root/canary. */
  readonly program: string;
}

const WAPT: Account = { user: "wapt", folder: "/opt/wapt/conf", name: "waptserver.ini", program: "/var/tmp/wapt-evil" };
const POSTGRES: Account = {
  user: "postgres",
  folder: "/etc/postgresql/15/main",
  name: "postgresql.conf",
  program: "/var/tmp/postgres-evil",
};
const ACCOUNTS = [WAPT, POSTGRES];

/** A real WAPT's owners; and both files begin as scripts whose interpreter is their owner's. */
const ARRANGE = [
  "chown wapt:root /opt/wapt/conf && chmod 750 /opt/wapt/conf",
  "mkdir -p /etc/keep && echo kept >/etc/keep/new && echo victim >/etc/victim && echo victim >/root/victim",
  "chmod 600 /etc/victim /root/victim && chmod 700 /etc/keep",
  ...ACCOUNTS.map(
    ({ user, folder, name, program }) =>
      `printf '#!/bin/sh\\n[ "$(id -u)" != 0 ] || touch /root/canary\\n' >${program} && chmod 755 ${program} && chown ${user} ${program} &&
       sed -i '1i #!${program}' ${folder}/${name} && chown ${user}: ${folder}/${name} && chmod 750 ${folder}/${name}`,
  ),
].join(" &&\n");

const ROOTS = `
sha256sum /etc/passwd /etc/shadow /etc/victim /root/victim /etc/keep/new /usr/sbin/nginx /usr/bin/timeout /usr/bin/stat
stat -c '%n %a %U:%G %h' /etc /root /etc/passwd /etc/shadow /etc/victim /root/victim /etc/keep /etc/keep/new /usr/sbin/nginx /usr/bin/timeout
ls -A /etc /root /etc/keep /etc/cron.d /etc/systemd/system
`;

/**
 * Swaps a name in its own folder for anything, and what a run makes there, as fast as it can for some seconds. The true
 * file comes back again and again, and at the end.
 */
const SWAPPER = `
import glob, os, random, sys, time
folder, name, seconds, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
random.seed(seed)
os.chdir(folder)
rounds = 0
def true_one():
    return os.path.lexists(".true")
def aside():
    if not true_one(): os.rename(name, ".true")
    elif os.path.isdir(name) and not os.path.islink(name): os.rename(name, "gone%d" % random.randrange(10**9))
    elif os.path.lexists(name): os.unlink(name)
def back():
    if true_one():
        aside() if os.path.isdir(name) and not os.path.islink(name) else None
        os.rename(".true", name)
def link(): aside(); os.symlink(random.choice(["/etc/victim", "/root/victim", "/etc/shadow", "/usr/sbin/nginx", "/usr/bin/timeout", "/usr/bin/stat", "/etc/keep", "/etc/cron.d", "/dev/zero", "/proc/self/mountinfo"]), name)
def fifo(): aside(); os.mkfifo(name)
def hard(): aside(); os.link("/etc/victim", name)
def directory(): aside(); os.mkdir(name)
def endless(): aside(); open(name, "w").truncate(2**40)
def stage():
    for s in glob.glob(".pulumi-wapt.*"):
        os.rename(s, s + "x")
        if random.random() < 0.5: os.symlink("/etc/keep", s)
        else:
            os.mkdir(s)
            for n in ("old", "new", "was"): os.symlink("/etc/victim", s + "/" + n)
ops = [back] * 6 + [link] * 3 + [fifo, hard, directory, endless] + [stage] * int(sys.argv[5])
end = time.time() + seconds
while time.time() < end:
    try: random.choice(ops)()
    except OSError: pass
    rounds += 1
    time.sleep(random.random() * float(sys.argv[6]))
try: back()
except OSError: pass
print(rounds)
`;

const ALL = "nginx waptserver wapttasks postgresql@15-main";

/** `npm run rounds` tries all of them on each account, CI one on each account. */
const ROUNDS = process.env.ROUNDS === "all";
const someOf = <T>(all: readonly T[], account: Account): readonly T[] =>
  ROUNDS ? all : [all[ACCOUNTS.indexOf(account) % all.length]!];

describe("an account that owns a folder", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let remote: Remote;
  let observed: Server;
  let roots: string;

  before(async () => {
    server = await startServer("rennes");
    remote = withoutSsh(server);
    await say(server, ARRANGE);
    await converge(remote, FEW);
    roots = await say(server, ROOTS);
  });
  beforeEach(async () => {
    observed = await observe(remote);
    for (const { folder, user } of ACCOUNTS) {
      await say(server, `rm -rf /var/tmp/saved-${user} && cp -a ${folder} /var/tmp/saved-${user}`);
    }
  });
  afterEach(async () => {
    for (const { folder, user } of ACCOUNTS) {
      await say(
        server,
        `find ${folder} -mindepth 1 -delete; cp -a /var/tmp/saved-${user}/. ${folder} && rm -rf /var/tmp/saved-${user}`,
      );
    }
    // From files that others wrote behind its back WAPT and PostgreSQL may have read anything.
    await say(
      server,
      "systemctl reset-failed; systemctl stop waptserver wapttasks; systemctl restart postgresql@15-main",
    );
    await say(server, `systemctl start waptserver wapttasks; ${WAPT_SERVES}`);
    await converge(remote, FEW);
  });
  after(() => server?.stop());

  const as = ({ user, folder }: Account, commands: string) =>
    `runuser -u ${user} -- sh -c ${quote(`cd ${folder} && { ${commands}; }`)} 9>&- >/dev/null 2>&1`;

  /** A run from few clients to many, with commands before its first call that matches. */
  async function attacked(call: RegExp, commands: string): Promise<Outcome> {
    const calls = stepsFor(observed, MANY);
    const at = calls.findIndex((one) => call.test(one));
    assert.ok(at >= 0, `no call ${call}`);
    const program = programOf([...calls.slice(0, at), commands, ...calls.slice(at)]);
    return parseOutcome((await remote.run(program, { timeoutSeconds: 300 })).stdout.toString("latin1"));
  }

  async function assertHarmless({ result, reason }: Outcome): Promise<void> {
    assert.match(result, /^(ok|refused|changed)$/, reason);
    assert.equal(await say(server, ROOTS), roots, reason);
    assert.equal(await say(server, "flock -n /var/lib/pulumi-wapt/lock true && echo free"), "free");
    assert.equal(await say(server, `systemctl is-active ${ALL} || true`), "active\nactive\nactive\nactive", reason);
  }

  test("that lays links under the names of earlier versions' candidates gains nothing", async () => {
    for (const account of ACCOUNTS) {
      const trap = `for i in 0 1 2 3 4 5 6 7 8 9; do for e in new old; do d=.pulumi-wapt.f$i.${account.name}.$e; mkdir $d; ln -s /etc/victim $d/${account.name}; done; done`;
      await say(server, as(account, trap));
    }
    await converge(remote, MANY);
    await assertHarmless({ result: "ok", reason: "", notes: [] });
    assert.match(await say(server, `grep ^db_max ${WAPT.folder}/${WAPT.name}`), /615/);
  });

  for (const account of ACCOUNTS) {
    const { user, name, folder } = account;
    const put = new RegExp(`^put .*${name}`);

    test(`that swaps its file for a link when the old one is kept gains nothing: ${user}`, async () => {
      for (const victim of someOf(["/etc/victim", "/root/victim"], account)) {
        const swap = as(account, `mv ${name} .true; ln -s ${victim} ${name}`);
        const outcome = await attacked(put, swap);
        await say(server, as(account, `rm -f ${name}; mv .true ${name}`));
        assert.match(outcome.reason, new RegExp(`${name} is a .*link`));
        await assertHarmless(outcome);
      }
    });

    test(`that swaps its file for a link to a program of root's before the bound test has nothing run: ${user}`, async () => {
      for (const program of someOf(["/usr/bin/timeout", "/usr/sbin/nginx", "/usr/sbin/runuser"], account)) {
        const swap = as(account, `mv ${name} .true; ln -s ${program} ${name}`);
        const outcome = await attacked(/^step '\w+' 'check'/, swap);
        await say(server, as(account, `rm -f ${name}; mv .true ${name}`));
        assert.notEqual(outcome.result, "ok");
        await assertHarmless(outcome);
      }
    });

    test(`that lays a FIFO while WAPT is down does not keep it down: ${user}`, async () => {
      const begun = Date.now();
      const outcome = await attacked(put, as(account, `rm ${name}; mkfifo -m 666 ${name}`));
      assert.equal(outcome.result, "refused");
      assert.match(outcome.reason, new RegExp(`${folder}/${name} is a fifo and no regular file`));
      assert.ok(Date.now() - begun < 120_000);
      await assertHarmless(outcome);
    });

    test(`that swaps as fast as it can while runs go on gains nothing: ${user}`, async () => {
      let rounds = 0;
      const results: string[] = [];
      for (const seed of ROUNDS ? [0, 1, 2, 3, 4, 5, 6, 7] : [1, 6]) {
        const words = `${folder} ${name} 8 ${seed} ${seed % 2} ${seed < 4 ? 0.002 : 0.05}`;
        const [swapper, outcome] = await Promise.all([
          server.exec(`runuser -u ${user} -- python3 - ${words}`, { input: SWAPPER }),
          attacked(/^space/, `sleep 0.${seed}`),
        ]);
        rounds += Number(swapper.stdout);
        results.push(`${outcome.result} ${outcome.reason}`);
        // What the service itself makes of its owner's mischief is not ours.
        await say(server, `systemctl reset-failed; systemctl start ${ALL}`);
        await assertHarmless(outcome);
        if (outcome.result === "ok") await converge(remote, FEW);
      }
      console.log(`${user}: ${rounds} swaps\n${results.join("\n")}`);
      assert.ok(rounds > 200, `only ${rounds} swaps`);
    });
  }
});
