/**
 * A transaction that fails on a real server: for want of space, by someone else's files, by a service that does not take
 * its new values. It says why and that all was put back, and it was.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { Server } from "../../provider/services";
import { quote } from "../../provider/text/shell";
import { isEmpty } from "../../provider/transaction/plan";
import { type Outcome, parseOutcome } from "../../provider/transaction/program";
import type { Remote } from "../../provider/transaction/server";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { say } from "../support/asking";
import { assertCarried, assertSame, type Condition, conditionOf } from "../support/condition";
import {
  converge,
  FEW,
  HOLDER,
  MANY,
  observe,
  planFor,
  programOf,
  stepsFor,
  withoutSsh,
} from "../support/whole-server";

const INI = "/opt/wapt/conf/waptserver.ini";
const NGINX = "/etc/nginx/nginx.conf";
const BROKEN_NGINX = "/etc/nginx/conf.d/broken.conf";
const POSTGRES = "/etc/postgresql/15/main";
const BROKEN_POSTGRES = `${POSTGRES}/conf.d/broken.conf`;
const BREAK_POSTGRES = `echo 'nonsense = on' >${BROKEN_POSTGRES}; chmod 644 ${BROKEN_POSTGRES}`;
const UNDONE = /\. Everything was put back as it was$/;

interface Fault {
  /** What goes wrong once the run was planned. */
  readonly arrange?: string;
  /** What goes wrong in the run itself, before its first call that matches. */
  readonly amid?: readonly [call: RegExp, command: string];
  /** Sets right what went wrong. */
  readonly tidy?: string;
  readonly result: Outcome["result"];
  readonly reason: RegExp;
}

/** A folder on a small file system of its own, with what was in it and no space left. */
const full = (folder: string): Pick<Fault, "arrange" | "tidy"> => ({
  arrange: `cp -a ${folder} /root/full && mount -t tmpfs -o size=128k,mode=$(stat -c %a ${folder}) full ${folder} &&
    cp -a /root/full/. ${folder} && dd if=/dev/zero of=${folder}/filler bs=1k 2>/dev/null; test -s ${folder}/filler`,
  tidy: `umount ${folder}; rm -rf /root/full`,
});

/** A drop-in by which a service ends half a second after its start while a file has a line. */
const dislikes = (
  unit: string,
  file: string,
  line: string,
  directives: readonly string[],
): Pick<Fault, "arrange" | "tidy"> => {
  const [script, folder] = ["/usr/local/bin/dislikes", `/run/systemd/system/${unit}.service.d`];
  const program = `#!/bin/sh\nsleep 0.5\ngrep -q "^${line}" ${file} && exit 1\nexec "$@"\n`;
  const dropIn = ["[Service]", ...directives.map((one) => one.replace("DISLIKES", script)), ""].join("\n");
  return {
    arrange: `mkdir -p ${folder} && printf %s ${quote(program)} >${script} && chmod +x ${script} &&
      printf %s ${quote(dropIn)} >${folder}/test.conf && systemctl daemon-reload`,
    tidy: `rm -r ${folder} ${script}; systemctl daemon-reload`,
  };
};

const faults: Readonly<Record<string, Fault>> = {
  "no space beside a file": {
    ...full("/opt/wapt/conf"),
    result: "refused",
    reason: /^\/opt\/wapt\/conf\/waptserver.ini: no new version can be written beside it: .*No space left/,
  },
  "no space for the journal": {
    ...full("/var/lib/pulumi-wapt"),
    result: "refused",
    reason: /^\/var\/lib\/pulumi-wapt\/journal can't be written: .*No space left/,
  },
  "no space for the backups": {
    ...full("/var/backups"),
    result: "refused",
    reason: /its old version can't be kept: .*No space left/,
  },
  "a folder mounted read-only": {
    arrange: `mount --bind ${POSTGRES} ${POSTGRES} && mount -o remount,bind,ro ${POSTGRES}`,
    tidy: `umount ${POSTGRES}`,
    result: "refused",
    reason: /^\/etc\/postgresql\/15\/main\/postgresql.conf: .*Read-only file system/,
  },
  "a state folder mounted read-only": {
    arrange: "mount --bind /var/lib/pulumi-wapt /var/lib/pulumi-wapt && mount -o remount,bind,ro /var/lib/pulumi-wapt",
    tidy: "umount /var/lib/pulumi-wapt",
    result: "refused",
    reason: /^\/var\/lib\/pulumi-wapt can't be written: .*Read-only file system/,
  },
  "a file that can't be replaced, found when PostgreSQL runs with its new value": {
    arrange: `mount --bind ${INI} ${INI}`,
    tidy: `umount ${INI}`,
    result: "refused",
    reason: new RegExp(`^${INI} can't be replaced: .*busy${UNDONE.source}`),
  },
  "nginx refuses the new configuration": {
    arrange: `echo 'nonsense on;' >${BROKEN_NGINX}`,
    tidy: `rm ${BROKEN_NGINX}`,
    result: "refused",
    reason: /^nginx refuses the new configuration: .*unknown directive "nonsense"/,
  },
  "nginx refuses its configuration once it is in place": {
    amid: [/^step 'nginx' 'reload'/, `echo 'nonsense on;' >${BROKEN_NGINX}`],
    tidy: `rm ${BROKEN_NGINX}`,
    result: "refused",
    reason: new RegExp(`^nginx refuses its configuration: .*nonsense.*${UNDONE.source}`),
  },
  "nginx refuses, where no mount namespace can be had to find out before": {
    arrange: `echo 'nonsense on;' >${BROKEN_NGINX}; printf '#!/bin/sh\\nexit 1\\n' >/usr/local/sbin/unshare; chmod +x /usr/local/sbin/unshare`,
    tidy: `rm ${BROKEN_NGINX} /usr/local/sbin/unshare`,
    result: "refused",
    reason: new RegExp(`^nginx refuses its configuration: .*nonsense.*${UNDONE.source}`),
  },
  "PostgreSQL refuses the new configuration": {
    arrange: BREAK_POSTGRES,
    tidy: `rm ${BROKEN_POSTGRES}`,
    result: "refused",
    reason: /^PostgreSQL refuses the new configuration: .*unrecognized configuration parameter "nonsense"/,
  },
  "PostgreSQL refuses a file that came after the first test": {
    amid: [/^step 'postgresql' 'placed'/, BREAK_POSTGRES],
    tidy: `rm ${BROKEN_POSTGRES}`,
    result: "refused",
    reason: new RegExp(`^PostgreSQL refuses the new configuration: .*nonsense.*${UNDONE.source}`),
  },
  "PostgreSQL does not start with its new value": {
    ...dislikes("postgresql@15-main", `${POSTGRES}/postgresql.conf`, "max_connections = 625", [
      "ExecStartPre=DISLIKES true",
    ]),
    result: "refused",
    reason: new RegExp(`^PostgreSQL did not start: .*${UNDONE.source}`),
  },
  "waptserver dies of its new values a moment after its start": {
    ...dislikes("waptserver", INI, "db_max_connections = 615", [
      "ExecStart=",
      "ExecStart=DISLIKES python3 /opt/wapt/waptserver/waptserver.py",
    ]),
    result: "refused",
    reason: new RegExp(
      `^waptserver did not stay up after its start; journalctl -u waptserver says why${UNDONE.source}`,
    ),
  },
  "a run that is told to end": {
    amid: [/^step 'postgresql' 'restart'/, "kill -TERM $$"],
    result: "refused",
    reason: new RegExp(`^this run was told to end \\(SIGTERM\\)${UNDONE.source}`),
  },
  "services that were started too often to be started again": {
    arrange: "systemctl reset-failed; for i in 1 2 3 4 5; do systemctl restart waptserver wapttasks; done",
    amid: [/^finish/, "kill -TERM $$"],
    result: "refused",
    reason: UNDONE,
  },
};

describe("a run that fails", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let remote: Remote;
  let observed: Server;
  let untouched: Condition;
  let tidy: string | undefined;

  before(async () => {
    server = await startServer("paris");
    remote = withoutSsh(server);
    await converge(remote, FEW);
    untouched = await conditionOf(server);
    observed = await observe(remote);
  });
  afterEach(async () => {
    if (tidy) await server.exec(tidy);
    tidy = undefined;
  });
  after(() => server?.stop());

  async function failingRun({ arrange, amid, ...fault }: Omit<Fault, "reason" | "result">): Promise<Outcome> {
    tidy = fault.tidy;
    if (arrange) await say(server, arrange);
    const calls = stepsFor(observed, MANY);
    const at = amid ? calls.findIndex((call) => amid[0].test(call)) : 0;
    assert.ok(at >= 0, `no call ${amid?.[0]}`);
    const program = programOf([...calls.slice(0, at), amid?.[1] ?? "", ...calls.slice(at)]);
    return parseOutcome((await remote.run(program)).stdout.toString("latin1"));
  }

  for (const [name, fault] of Object.entries(faults)) {
    test(`${name}: it says so, and all is as it was`, async () => {
      const { result, reason } = await failingRun(fault);
      assert.equal(result, fault.result, reason);
      assert.match(reason, fault.reason);
      if (fault.tidy) await say(server, fault.tidy);
      tidy = undefined;
      assertSame(await conditionOf(server), untouched);
    });
  }

  test("a file that someone changed meanwhile is left alone, and so are all others", async () => {
    const edit = `sed -i '1i # by hand' ${NGINX}`;
    for (const amid of [/^begin/, /^put .*nginx.conf/]) {
      const { result, reason } = await failingRun({ amid: [amid, edit] });
      assert.equal(result, "changed", reason);
      assert.match(reason, new RegExp(`^${NGINX} was changed by someone else .*repeat it`));
      assert.equal(await say(server, `head -n 1 ${NGINX}; sed -i '/^# by hand$/d' ${NGINX}`), "# by hand");
      assertSame(await conditionOf(server), untouched);
    }
  });

  test("an ordinary run plans again when a file was changed meanwhile, and keeps the change", async () => {
    let runs = 0;
    const edited: Remote = {
      ...remote,
      async run(program, options) {
        runs += 1;
        if (runs === 2) await say(server, `sed -i '1i # by hand' ${NGINX}`);
        return remote.run(program, options);
      },
    };
    await converge(edited, MANY);
    assert.equal(runs, 4);
    assert.equal(await say(server, `head -n 1 ${NGINX}; sed -i '/^# by hand$/d' ${NGINX}`), "# by hand");
    await converge(remote, FEW);
    assertSame(await conditionOf(server), untouched);
  });

  test("another run's lock is waited for; then it is said who holds it, and its death frees it", async () => {
    const lock = "/var/lib/pulumi-wapt/lock";
    const other = "the stack organization/wapt-site/lyon, since 2030-01-01T00:00:00Z";
    const holder = await say(
      server,
      `(flock 9; echo ${quote(other)} >${lock}; exec sleep 60) 9>>${lock} >/dev/null 2>&1 & echo $!`,
    );
    const [begin, ...rest] = stepsFor(observed, MANY);
    const impatient = programOf([begin!.replace(" '120' ", " '1' "), ...rest]);
    const { result, reason } = parseOutcome((await remote.run(impatient)).stdout.toString("latin1"));
    assert.equal(result, "busy", reason);
    assert.equal(reason, `another run has held the server's lock for 1 s: ${other}. Wait for it to end, then repeat`);
    assert.equal(await say(server, `cat ${lock}`), other);
    const waiting = remote.run(programOf([begin!, "sed 's/,.*//' \"$state/lock\" >&2", "finish"]));
    await say(server, `sleep 1.5; kill -9 ${holder}`);
    const waited = await waiting;
    assert.equal(parseOutcome(waited.stdout.toString("latin1")).result, "ok");
    assert.equal(waited.stderr.trim(), HOLDER);
    assertSame(await conditionOf(server), untouched);
  });

  test("when not even the old values come back that is said too, and the next run goes on from there", async () => {
    const { result, reason } = await failingRun({
      amid: [/^step 'postgresql' 'restart'/, BREAK_POSTGRES],
      tidy: `rm ${BROKEN_POSTGRES}`,
    });
    assert.equal(result, "broken");
    assert.match(
      reason,
      /^PostgreSQL did not start: .*\. Putting everything back failed too: PostgreSQL did not start: /,
    );
    const condition = await conditionOf(server);
    assert.deepEqual(condition.files, untouched.files);
    assert.equal(condition.http, untouched.http);
    assert.ok(condition.journal.some((line) => line.startsWith("stopped postgresql@15-main ")));
    await say(server, `rm ${BROKEN_POSTGRES}`);
    tidy = undefined;
    await converge(remote, FEW);
    assertSame(await conditionOf(server), untouched);
    assert.ok(isEmpty(planFor(await observe(remote), FEW)));
  });

  test("a run that is killed while it puts everything back: the next one goes on from there", async () => {
    const killed = "undo_systemd_reload() { kill -9 $$; }; kill -TERM $$; sleep 0.1";
    const { result } = await failingRun({ amid: [/^remove_folder/, killed] });
    assert.equal(result, "unknown");
    const condition = await conditionOf(server);
    assert.deepEqual(condition.files, untouched.files);
    assert.equal(condition.sql, "625");
    assertCarried(condition);
    assert.ok(!isEmpty(planFor(await observe(remote), FEW)), "PostgreSQL runs with the new value");
    await converge(remote, FEW);
    assertSame(await conditionOf(server), untouched);
    assert.ok(isEmpty(planFor(await observe(remote), FEW)));
  });

  test("a file that is a link is edited where it leads, and every attribute is kept", async () => {
    const attribute = (value: string) =>
      `python3 -c "import os; os.setxattr('/srv/nginx.conf', 'trusted.note', b'${value}')"`;
    await say(
      server,
      `mv ${NGINX} /srv/nginx.conf && ln -s /srv/nginx.conf ${NGINX} && chmod 604 /srv/nginx.conf && chown www-data /srv/nginx.conf && ${attribute("kept")}`,
    );
    await converge(remote, MANY);
    const look = `readlink ${NGINX}; stat -c '%a %U' /srv/nginx.conf; python3 -c "import os; print(os.getxattr('/srv/nginx.conf', 'trusted.note').decode())"; ls -A /srv /etc/nginx | grep -c pulumi || true`;
    assert.equal(await say(server, look), "/srv/nginx.conf\n604 www-data\nkept\n0");
    assert.match(await say(server, "nginx -T 2>/dev/null"), /worker_connections 6250;/);
  });
});
