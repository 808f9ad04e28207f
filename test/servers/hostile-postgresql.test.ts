/**
 * PostgreSQL's own account against what root asks about its clusters: pg_lsclusters, pid files, sockets, programs and
 * includes are all words and files of that account's. No file of root's changes, no program of its own runs as root, and
 * the run works or refuses with a sentence that names what is odd.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { RefusedError } from "../../provider/problem";
import { FormatError } from "../../provider/text/format";
import { quote } from "../../provider/text/shell";
import { type Outcome, parseOutcome } from "../../provider/transaction/program";
import type { Remote } from "../../provider/transaction/server";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { say } from "../support/asking";
import { converge, MANY, observe, programOf, stepsFor, withoutSsh } from "../support/whole-server";

const MAIN = "/etc/postgresql/15/main";
const DATA = "/var/lib/postgresql/15/main";
const EVIL = "/var/tmp/evil";
const UNIT = "postgresql@15-main";

/** What root must never run is this account's program, which leaves a canary. */
const ARRANGE = `
echo victim >/etc/victim; echo victim >/root/victim; chmod 600 /etc/victim /root/victim
mkdir -p ${EVIL}/data; chown -R postgres ${EVIL}; chmod 700 ${EVIL}/data
printf '#!/bin/sh\\n[ "$(id -u)" != 0 ] || touch /root/canary\\nexec sleep 60\\n' >${EVIL}/canary; chmod 755 ${EVIL}/canary; chown postgres ${EVIL}/canary
cp -a /etc/postgresql /root/saved-etc; cp -a ${DATA}/PG_VERSION ${DATA}/postgresql.auto.conf /root/
`;

const TIDY = `
for p in $(cat ${EVIL}/pids 2>/dev/null); do kill $p 2>/dev/null; done
rm -rf /etc/postgresql ${EVIL}/pids ${EVIL}/postgres ${DATA}/PG_VERSION ${DATA}/postgresql.auto.conf
cp -a /root/saved-etc /etc/postgresql; cp -a /root/PG_VERSION /root/postgresql.auto.conf ${DATA}/
[ ! -e ${EVIL}/postmaster.pid ] || { rm -rf ${DATA}/postmaster.pid; mv ${EVIL}/postmaster.pid ${DATA}/; }
systemctl is-active -q ${UNIT} || systemctl start ${UNIT}
`;

const ROOTS = `
sha256sum /etc/passwd /etc/shadow /etc/victim /root/victim /usr/sbin/nginx /usr/bin/timeout /usr/lib/postgresql/15/bin/postgres
stat -c '%n %a %U:%G' /etc /root /tmp /opt/wapt/conf; stat -c '%n %a %U:%G %h' /etc/passwd /etc/shadow /etc/victim /root/victim /usr/sbin/nginx
ls -A /etc /root /etc/cron.d /etc/systemd/system; test ! -e /root/canary && echo no canary
`;

interface Attack {
  /** What the account does in a shell of its own, from its configuration's folder. */
  readonly does: string;
  /** The preview's sentence; none where it may work, or the transaction finds out. */
  readonly refused?: RegExp;
}

const conf = (line: string): string => `printf '%s\\n' ${quote(line)} >>postgresql.conf`;
/** Its true pid file aside, and another one. */
const pidFile = (make: string): string => `mv ${DATA}/postmaster.pid ${EVIL}/; cd ${DATA} && ${make}`;
const pidLine = (line: number, text: string): string =>
  pidFile(`sed ${quote(`${line}s|.*|${text}|`)} ${EVIL}/postmaster.pid >postmaster.pid`);
/** A process of its own in a folder, by a program of the server's name that becomes the canary. */
const server = (folder: string): string =>
  `cp /usr/bin/sleep ${EVIL}/postgres; cd ${folder} && { setsid ${EVIL}/postgres 300 >/dev/null 2>&1 & echo $! >>${EVIL}/pids; }
   sleep 0.2; rm ${EVIL}/postgres; cp ${EVIL}/canary ${EVIL}/postgres`;

const attacks: Readonly<Record<string, Attack>> = {
  "a port that reads like another line of the list, root's": {
    does: conf(`port = '5432 online root ${EVIL}/data /var/log/x'`),
    refused: /15\/main\/postgresql\.conf is of a cluster of which pg_lsclusters says more or less/,
  },
  "a port that ends a line of the list and begins another": {
    does: conf(`port = '5432 online root ${EVIL}/data x\\n15 main 5432'`),
    refused: /15\/main\/postgresql\.conf (is of a cluster|has)/,
  },
  "a port of another account's folder": {
    does: conf("port = '5432 online wapt /opt/wapt/conf'"),
    refused: /15\/main\/postgresql\.conf is of a cluster/,
  },
  "everybody's folder for data": {
    does: conf("data_directory = '/tmp'"),
    refused: /folder \/tmp is not root's, or is root's/,
  },
  "root's folder for data": {
    does: conf("data_directory = '/root'"),
    refused: /folder \/root is not root's, or is root's/,
  },
  "another account's folder for data": {
    does: conf("data_directory = '/var/www/html/../../lib/nginx/body'"),
    refused: /postgresql\.conf is postgres's, but configures a cluster of www-data's/,
  },
  "init's id in its pid file": {
    does: pidLine(1, "1"),
    refused: /postmaster\.pid does not name process \d+, which works there/,
  },
  "a FIFO for its pid file": {
    does: pidFile("mkfifo postmaster.pid"),
    refused: /postmaster\.pid is no file but a fifo/,
  },
  "a link to a file of root's for its pid file": {
    does: pidFile("ln -s /etc/shadow postmaster.pid"),
    refused: /postmaster\.pid does not name process \d+/,
  },
  "an endless device for its pid file": {
    does: pidFile("ln -s /dev/zero postmaster.pid"),
    refused: /postmaster\.pid is no file but a character special file/,
  },
  "another machine for its socket": {
    does: pidLine(5, "10.231.0.1"),
    refused: /its postmaster\.pid names no folder of a socket/,
  },
  "an option for its socket": {
    does: pidLine(5, "/tmp -f /root/victim"),
    refused: /does not answer postgres on its socket: .*\/tmp -f \/root\/victim\/\.s\.PGSQL\.5432/,
  },
  "a FIFO for postgresql.conf": {
    does: "rm postgresql.conf; mkfifo postgresql.conf",
    refused: /15\/main\/postgresql\.conf is no file but a fifo/,
  },
  "a link to a file of root's for postgresql.conf": {
    does: "ln -sf /etc/shadow postgresql.conf",
    refused:
      /\/etc\/postgresql can't be listed: pg_lsclusters ended with \d+ invalid line 1 in \S*15\/main\/postgresql\.conf/,
  },
  "a device for postgresql.auto.conf": {
    does: `ln -sf /dev/zero ${DATA}/postgresql.auto.conf`,
    refused: /postgresql\.auto\.conf is no file but a character special file/,
  },
  "a FIFO for PG_VERSION": {
    does: `rm ${DATA}/PG_VERSION; mkfifo ${DATA}/PG_VERSION`,
    refused: /15\/main\/PG_VERSION is no file but a fifo/,
  },
  "names of clusters with blanks, with a line of their own, with a command": {
    does: `cp -a . '../ma in'; cp -a . '../a\n15 b 5433 online root /root x'; cp -a . '../$(touch /root/canary)'; cp -a . "../$(printf 'e\\033[2J')"`,
    refused: /\/etc\/postgresql\/15\/\S+ ?\S* is of a cluster of which pg_lsclusters says more/,
  },
  "a file in start.conf, environment and pg_ctl.conf that is none of theirs": {
    does: "echo '$(touch /root/canary)' >start.conf",
    refused: /\/etc\/postgresql can't be listed: pg_lsclusters .*start\.conf/,
  },
  "a program for its environment": {
    does: `printf "LD_PRELOAD = '${EVIL}/canary'\\nPATH = '${EVIL}'\\nBASH_ENV = '${EVIL}/canary'\\n" >>environment`,
  },
  "options for pg_ctl with a command": { does: `echo "pg_ctl_options = '; touch /root/canary'" >pg_ctl.conf` },
  "a process of its own for its server, whose program it replaces": {
    does: `${pidFile("true")}; ${server(DATA)}; sed "1s/.*/$(tail -n 1 ${EVIL}/pids)/" ${EVIL}/postmaster.pid >${DATA}/postmaster.pid`,
    refused: /\/etc\/postgresql\/15\/main\/postgresql\.conf/,
  },
  "a process of its own in a folder of its own": {
    does: `${server(`${EVIL}/data`)}; tail -n 1 ${EVIL}/pids >${EVIL}/data/postmaster.pid; printf '%s\\n%s\\n5432\\n/tmp\\n' ${EVIL}/data 1 >>${EVIL}/data/postmaster.pid`,
  },
  "a process of its own in a folder of root's": { does: server("/etc") },
  "an include of a file of root's": {
    does: conf("include '/etc/shadow'"),
    refused: /\/etc\/(shadow|postgresql)/,
  },
  "an include of a FIFO": { does: "mkfifo conf.d/a.conf", refused: /conf\.d\/a\.conf is no file but a fifo/ },
  "includes without an end": {
    does: `for i in $(seq 300); do echo "include 'x$i.conf'" >>conf.d/a.conf; echo >conf.d/x$i.conf; done; mv conf.d/x*.conf .; sed -i 's|x|../x|' conf.d/a.conf`,
    refused: /15\/main\/postgresql\.conf includes more than 100 files/,
  },
};

describe("PostgreSQL's account, against what root asks of its clusters", { skip: skipWithoutLab() }, () => {
  let lab: LabServer;
  let remote: Remote;
  let roots: string;

  before(async () => {
    lab = await startServer("brest");
    remote = withoutSsh(lab);
    await say(lab, ARRANGE);
    roots = await say(lab, ROOTS);
  });
  afterEach(() => say(lab, TIDY));
  after(() => lab?.stop());

  const attack = (commands: string) =>
    say(lab, `runuser -u postgres -- sh -c ${quote(`cd ${MAIN} && { ${commands}\n}`)} </dev/null >/dev/null 2>&1`);

  /** What the preview says; or what the checks of a run say, of which nothing is put in place. */
  async function tried(): Promise<Pick<Outcome, "result" | "reason">> {
    let calls: string[];
    try {
      calls = stepsFor(await observe(remote), MANY);
    } catch (thrown) {
      assert.ok(thrown instanceof RefusedError || thrown instanceof FormatError, String(thrown));
      return { result: "refused", reason: thrown.message };
    }
    const isHarmless = /^(begin|space|file|step 'postgresql' 'check'|finish)/;
    const program = programOf(calls.filter((call) => isHarmless.test(call)));
    return parseOutcome((await remote.run(program, { timeoutSeconds: 120 })).stdout.toString("latin1"));
  }

  for (const [name, { does, refused }] of Object.entries(attacks)) {
    test(`${name}: gains nothing`, async () => {
      await attack(does);
      const begun = Date.now();
      const { result, reason } = await tried();
      assert.ok(Date.now() - begun < 45_000, `${Date.now() - begun} ms`);
      if (refused) assert.match(reason, refused);
      assert.match(result, /^(ok|refused)$/, reason);
      assert.doesNotMatch(reason, /\$y\$|root:[*!$]/);
      assert.equal(await say(lab, ROOTS), roots, reason);
    });
  }

  test("a socket of another account's, which its pid file names, is not asked", async () => {
    const listen =
      "import os, socket; os.mkdir('/tmp/trap', 0o777); s = socket.socket(socket.AF_UNIX); s.bind('/tmp/trap/.s.PGSQL.5432'); os.chmod('/tmp/trap/.s.PGSQL.5432', 0o777); s.listen(); [s.accept() for _ in range(9)]";
    await say(lab, `systemd-run -q --unit=trap -p User=wapt python3 -c ${quote(listen)}; sleep 1`);
    await attack(pidLine(5, "/tmp/trap"));
    const { reason } = await tried();
    assert.match(reason, /requirepeer specifies "postgres", but actual peer user name is "wapt"/);
    await say(lab, "systemctl stop trap; rm -r /tmp/trap");
    assert.equal(await say(lab, ROOTS), roots);
  });

  test("afterwards a whole run goes well beside what it was allowed to leave", async () => {
    for (const { does, refused } of Object.values(attacks))
      if (!refused && !/pg_ctl|environment/.test(does)) await attack(does);
    await converge(remote, MANY);
    assert.equal(await say(lab, "cd / && runuser -u postgres -- psql -XAtc 'SHOW max_connections'"), "625");
    assert.equal(await say(lab, "test ! -e /root/canary && echo none"), "none");
  });
});
