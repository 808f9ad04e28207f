/**
 * PostgreSQL as it really serves: which process, with which program and files, under which unit, and what a restart would
 * bring beside our change. A run works on that, or refuses in the preview and says what was found; nothing was touched.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, afterEach, before, describe, test } from "node:test";
import { RefusedError } from "../../provider/problem";
import { checkArguments } from "../../provider/resources/definition";
import { postgresConnections } from "../../provider/resources/postgres-connections";
import type { Server } from "../../provider/services";
import { FormatError } from "../../provider/text/format";
import { quote } from "../../provider/text/shell";
import type { Claim } from "../../provider/transaction/ownership";
import { isEmpty, precheck } from "../../provider/transaction/plan";
import { type Outcome, parseOutcome } from "../../provider/transaction/program";
import type { Remote } from "../../provider/transaction/server";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { heldPool, say } from "../support/asking";
import { converge, FEW, MANY, observe, planFor, programOf, stepsFor, withoutSsh } from "../support/whole-server";

const MAIN = "/etc/postgresql/15/main";
const CONF = `${MAIN}/postgresql.conf`;
const DATA = "/var/lib/postgresql/15/main";
const PROGRAM = "/usr/lib/postgresql/15/bin/postgres";
const UNIT = "postgresql@15-main";
const PG_CTL = "pg_ctlcluster --skip-systemctl-redirect 15 main";
const query = (sql: string) => `cd / && runuser -u postgres -- psql -XAtc ${quote(sql)}`;
const processes = "systemctl show -p MainPID --value ssh waptserver wapttasks nginx | grep .";

describe("PostgreSQL as it serves", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let remote: Remote;

  before(async () => {
    server = await startServer("tours");
    remote = withoutSsh(server);
    await say(server, `rm -rf /root/main && cp -a ${MAIN} /root/main && cp -a ${DATA}/postgresql.auto.conf /root/`);
  });
  after(() => server?.stop());

  /** All files as they were, and the unit runs. */
  async function tidy(): Promise<void> {
    await say(
      server,
      `find ${MAIN} -mindepth 1 -delete; cp -a /root/main/. ${MAIN}; cp -a /root/postgresql.auto.conf ${DATA}/;
       rm -rf /etc/postgresql-site; systemctl reset-failed; systemctl is-active -q ${UNIT} || systemctl start ${UNIT};
       ${query("select pg_reload_conf()")}; systemctl start waptserver wapttasks`,
    );
  }

  const claimOf = (found: Server, maxConnections: number): Claim => {
    const checked = checkArguments(postgresConnections, {
      connection: { host: "tours" },
      clients: 2500,
      maxConnections,
    });
    if (checked.problems) assert.fail(checked.problems.map(({ reason }) => reason).join());
    const owner = { stack: "organization/wapt-site/paris", resource: "WaptServer paris", id: "paris" };
    return { owner, target: postgresConnections.target(checked.settings!, found, checked.args), mode: "apply" };
  };

  /** The preview and `up` refuse, and nothing of it touched anything. */
  async function refusal(): Promise<string> {
    const alive = await say(server, processes);
    const found = await observe(remote);
    const reasons = precheck(found, claimOf(found, 700));
    assert.throws(
      () => planFor(found, { ...MANY, maxConnections: 700 }),
      (thrown) => thrown instanceof RefusedError && reasons.every(({ reason }) => thrown.message.includes(reason)),
    );
    assert.notEqual(reasons.length, 0);
    assert.equal(await say(server, processes), alive);
    return reasons.map(({ reason }) => reason).join("\n");
  }

  /** The calls of a plan, carried out now. */
  async function carryOut(calls: readonly string[]): Promise<Outcome> {
    const program = programOf(calls);
    return parseOutcome((await remote.run(program, { timeoutSeconds: 500 })).stdout.toString("latin1"));
  }

  const warnings = (found: Server, maxConnections: number) =>
    claimOf(found, maxConnections).target.warnings!.join("\n");

  describe("by another program and other files than yesterday", () => {
    afterEach(tidy);

    test("whose program a package upgrade has replaced is restarted with the new one", async () => {
      await say(server, `cp -a ${PROGRAM} ${PROGRAM}.new && mv -f ${PROGRAM}.new ${PROGRAM}`);
      const pid = await say(server, `head -n 1 ${DATA}/postmaster.pid`);
      assert.equal(await say(server, `readlink /proc/${pid}/exe`), `${PROGRAM} (deleted)`);
      await converge(remote, MANY);
      assert.equal(await say(server, query("SHOW max_connections")), "625");
      assert.equal(await heldPool(server), 615);
      assert.ok(isEmpty(planFor(await observe(remote), MANY)));
    });

    test("whose program is gone is refused by its name", async () => {
      await say(
        server,
        `mkdir /root/moved && mv ${PROGRAM} /root/moved/ && cp -a /root/moved/postgres /root/postgres-kept`,
      );
      // The moved file is what runs: removed, it is nobody's name any more.
      await say(server, "rm -r /root/moved");
      try {
        assert.match(await refusal(), /program \/root\/moved\/postgres is gone.*install its package again/);
      } finally {
        await say(server, `mv /root/postgres-kept ${PROGRAM}`);
      }
    });

    test("whose included file elsewhere has only comments is read and tuned", async () => {
      await say(
        server,
        `mkdir -p /etc/postgresql-site && printf '# site tuning, nothing yet\\n#work_mem = 8MB\\n' >/etc/postgresql-site/tuning.conf &&
         chown -R postgres /etc/postgresql-site && echo "include '/etc/postgresql-site/tuning.conf'" >>${CONF} && systemctl restart ${UNIT}`,
      );
      const found = await observe(remote);
      assert.deepEqual(
        [...found.files.keys()].filter((path) => path.includes("postgres")).sort(),
        [CONF, "/etc/postgresql-site/tuning.conf", `${DATA}/postgresql.auto.conf`].sort(),
      );
      await converge(remote, FEW);
      assert.equal(await say(server, query("SHOW max_connections")), "100");
    });

    test("is edited in the file that decides, which PostgreSQL itself names, through includes of each kind", async () => {
      await say(
        server,
        `mkdir -p /etc/postgresql-site/parts.d && cd /etc/postgresql-site &&
         printf "INCLUDE_DIR = 'parts.d/../parts.d/' # all\\ninclude_if_exists 'none.conf'\\n" >first.conf &&
         echo 'max_connections = 150' >parts.d/b.conf && echo 'max_connections = 140' >parts.d/a.conf &&
         echo 'max_connections = 1' >parts.d/.hidden.conf && echo 'max_connections = 1' >parts.d/c.conf~ &&
         chown -R postgres . && printf "include '/etc/postgresql-site/it''s.conf'\\ninclude '/etc/postgresql-site/first.conf'\\n" >>${CONF} &&
         touch "it's.conf" && systemctl restart ${UNIT}`,
      );
      assert.equal(await say(server, query("SHOW max_connections")), "150");
      const plan = planFor(await observe(remote), MANY);
      assert.deepEqual(
        plan.changes.filter(({ stage }) => stage === "postgresql").map(({ path }) => path),
        [await say(server, query("select sourcefile from pg_settings where name = 'max_connections'"))],
      );
    });

    test("refuses an include that it could not follow, by its name, and takes it for nothing else", async () => {
      const line = "include_if_exists '/etc/postgresql-s\\151te.conf'\n";
      await say(server, `printf %s ${quote(line)} >>${CONF}`);
      const found = await observe(remote);
      assert.throws(
        () => planFor(found, MANY),
        (thrown) =>
          thrown instanceof FormatError &&
          /postgresql\.conf:\d+: \/etc\/postgresql-site\.conf is included here, and was not read/.test(thrown.message),
      );
    });
  });

  describe("with a fault that its next start would find", () => {
    afterEach(tidy);

    test("in pg_hba.conf, pg_ident.conf or its settings is refused, by file and line", async () => {
      await say(
        server,
        `echo 'host all wapt 10.0.0.0/8 "shadow password"' >>${MAIN}/pg_hba.conf && echo 'lonely' >>${MAIN}/pg_ident.conf &&
         echo 'work_mem = lots' >>${CONF} && echo 'no_such_setting = on' >>${CONF}`,
      );
      const lines = async (file: string) => say(server, `wc -l <${file}`);
      const said = await refusal();
      const hba = `${MAIN}/pg_hba.conf:${await lines(`${MAIN}/pg_hba.conf`)}: invalid authentication method "..."`;
      assert.ok(said.includes(hba), said);
      assert.ok(said.includes(`${MAIN}/pg_ident.conf:${await lines(`${MAIN}/pg_ident.conf`)}: missing entry`), said);
      assert.ok(said.includes(`${CONF}:${await lines(CONF)}: unrecognized configuration parameter`), said);
      assert.match(said, /PostgreSQL runs, but would not start again/);
      assert.doesNotMatch(said, /shadow|lots/);
      const found = await observe(remote);
      // Where nothing is to be restarted nothing is refused.
      assert.deepEqual(precheck(found, claimOf(found, Number(found.postgresql[0]!.settings!.max_connections))), []);
    });

    test("in shared_buffers is found by a trial, and a restart does not make PostgreSQL fail", async () => {
      await say(server, query("alter system set shared_buffers = '900GB'"));
      const said = await refusal();
      assert.match(
        said,
        /shared_buffers \(128MB → 900GB\): could not map anonymous shared memory: Cannot allocate memory/,
      );
      await say(server, query("alter system set shared_preload_libraries = 'no_such_library'"));
      await say(server, query("alter system reset shared_buffers"));
      const library = await refusal();
      assert.match(library, /files say of shared_preload_libraries: could not access file "\.\.\.": No such file/);
      assert.equal(await say(server, "ls -A /tmp | grep ^tmp || true; pgrep -c -x initdb || true"), "0");
    });

    test("that waits and does no harm is said, tried, and activated with ours", async () => {
      await say(server, query("alter system set max_worker_processes = 9"));
      await say(server, query("alter system set cluster_name = 'secret words'"));
      const found = await observe(remote);
      const said = warnings(found, 625);
      assert.match(said, /restart of PostgreSQL also activates .*cluster_name, max_worker_processes \(8 → 9\)/);
      assert.doesNotMatch(said, /secret/);
      await converge(remote, MANY);
      assert.equal(await say(server, query("SHOW max_worker_processes")), "9");
      assert.equal(await say(server, query("SHOW max_connections")), "625");
    });

    test("that would move it away from WAPT is refused", async () => {
      await say(server, query("alter system set port = 5433"));
      assert.match(await refusal(), /would also activate what its files say of port \(5432 → 5433\), after which WAPT/);
    });

    test("in what Debian starts it by is refused before anything is touched", async () => {
      await say(server, `echo disabled >${MAIN}/start.conf`);
      assert.match(await refusal(), /\/etc\/postgresql\/15\/main\/start\.conf says disabled/);
      await say(server, `echo auto >${MAIN}/start.conf; echo 'SECRET odd words' >>${MAIN}/environment`);
      const alive = await say(server, `${processes}; head -n 1 ${DATA}/postmaster.pid`);
      await assert.rejects(
        converge(remote, MANY),
        /pg_ctlcluster could not start PostgreSQL again: invalid line \d+ in \/etc\/postgresql\/15\/main\/environment(\. Everything|$)/,
      );
      assert.equal(await say(server, `${processes}; head -n 1 ${DATA}/postmaster.pid`), alive);
    });

    test("a max_connections of someone else's that waits for a restart is said, with both values", async () => {
      await say(server, query("alter system reset all"));
      await say(server, `sed -i 's/^max_connections = .*/max_connections = 1000/' ${CONF}`);
      const found = await observe(remote);
      const running = await say(server, query("SHOW max_connections"));
      const waits = `PostgreSQL runs with ${running}; 1000 stands in its files and waits for a restart`;
      for (const wanted of [700, 1000]) assert.ok(warnings(found, wanted).includes(waits), warnings(found, wanted));
      const plan = planFor(found, { ...MANY, maxConnections: 1000 });
      assert.ok(plan.changes.every(({ path }) => path !== CONF));
      assert.ok(plan.steps.some(({ service, verb }) => `${service} ${verb}` === "postgresql restart"));
    });
  });

  describe("by a process that is no unit's main process", () => {
    afterEach(async () => {
      await say(server, `${PG_CTL} stop -m fast || true; sleep 0.5; systemctl reset-failed`);
      await tidy();
    });

    /** As a login would do: what it starts stays in sshd's unit. */
    const fromLogin = (command: string) => {
      const options = [
        "-i",
        server.privateKeyFile,
        "-o",
        `UserKnownHostsFile=${server.knownHosts}`,
        "-o",
        "BatchMode=yes",
      ];
      execFileSync("ssh", [...options, `root@${server.host}`, command], { stdio: "ignore" });
    };

    test("started from a login is refused: neither sshd nor WAPT is restarted", async () => {
      const planned = stepsFor(await observe(remote), { ...MANY, maxConnections: 700 });
      await say(server, `systemctl stop ${UNIT}`);
      fromLogin("setsid su postgres -c 'pg_ctlcluster 15 main start' </dev/null >/dev/null 2>&1; sleep 1");
      const pid = await say(server, `head -n 1 ${DATA}/postmaster.pid`);
      assert.match(await say(server, `tail -n 1 /proc/${pid}/cgroup`), /ssh\.service$/);
      const said = await refusal();
      assert.match(
        said,
        new RegExp(`process ${pid} of postgres\\) runs in ssh\\.service, and is the main process of no`),
      );
      assert.match(said, /systemctl start postgresql@15-main/);
      // One that was planned when the unit ran it finds out as well, at the last moment.
      const begun = Date.now();
      const sshd = await say(server, "systemctl show -p MainPID --value ssh");
      const { result, reason } = await carryOut(planned);
      assert.equal(result, "refused", reason);
      assert.match(reason, /is not the main process of postgresql@15-main.*Everything was put back as it was$/);
      assert.ok(Date.now() - begun < 60_000, `${Date.now() - begun} ms`);
      assert.equal(
        await say(server, `systemctl show -p MainPID --value ssh; head -n 1 ${DATA}/postmaster.pid`),
        `${sshd}\n${pid}`,
      );
      assert.equal(await say(server, "systemctl is-active waptserver wapttasks"), "active\nactive");
    });

    test("under a wrapper is refused by the wrapper's unit", async () => {
      await say(server, `systemctl stop ${UNIT}`);
      const start = `runuser -u postgres -- ${PROGRAM} -D ${DATA} -c config_file=${CONF} & wait`;
      await say(server, `systemd-run -q --unit=wrapper sh -c ${quote(start)}; sleep 2`);
      try {
        assert.match(await refusal(), /runs in wrapper\.service, and is the main process of no unit/);
      } finally {
        await say(server, `${PG_CTL} stop -m fast; systemctl stop wrapper || true`);
      }
    });

    test("in a container is refused by its name", async () => {
      await say(server, `systemctl stop ${UNIT}`);
      const start = `unshare --pid --fork --mount-proc runuser -u postgres -- ${PROGRAM} -D ${DATA} -c config_file=${CONF}`;
      await say(server, `systemd-run -q --unit=box ${start}; sleep 2`);
      try {
        const said = await refusal();
        assert.match(
          said,
          /port 5432 is served by process \d+ \(postgres, in box\.service\), and not by the cluster of/,
        );
      } finally {
        await say(server, `systemctl stop box; rm -f ${DATA}/postmaster.pid /run/postgresql/15-main.pid`);
      }
    });

    test("a port that something else serves is refused by the name of that", async () => {
      await say(server, `systemctl stop ${UNIT}`);
      const listen = "import socket, time; s = socket.create_server(('127.0.0.1', 5432)); time.sleep(600)";
      await say(server, `systemd-run -q --unit=impostor python3 -c ${quote(listen)}; sleep 1`);
      try {
        assert.match(await refusal(), /port 5432 is served by process \d+ \(python3, in impostor\.service\)/);
      } finally {
        await say(server, "systemctl stop impostor");
      }
    });
  });

  describe("that does not come back", () => {
    afterEach(async () => {
      await say(server, `rm -rf /run/systemd/system/${UNIT}.service.d /usr/local/bin/date; systemctl daemon-reload`);
      await say(server, `systemctl stop ${UNIT} || true`);
      await tidy();
    });

    test("is waited for once: WAPT runs again, and no second restart follows", async () => {
      const planned = stepsFor(await observe(remote), { ...MANY, maxConnections: 700 });
      // A start that never ends; and the clock that the waits are measured by is fast.
      const dropIn = "[Service]\nExecStartPre=/bin/sh -c 'echo start >>/run/starts; sleep 900'\n";
      await say(
        server,
        `mkdir -p /run/systemd/system/${UNIT}.service.d && printf %s ${quote(dropIn)} >/run/systemd/system/${UNIT}.service.d/slow.conf &&
         systemctl daemon-reload && echo 0 >/run/clock &&
         printf '#!/bin/sh\\n[ "$*" = +%%s ] || exec /bin/date "$@"\\nn=$(($(cat /run/clock) + 1)); echo $n >/run/clock; [ $n -lt 2 ] || n=285\\necho $(($(/bin/date +%%s) + n))\\n' >/usr/local/bin/date &&
         chmod 755 /usr/local/bin/date`,
      );
      const begun = Date.now();
      const { result, reason } = await carryOut(planned);
      assert.equal(result, "broken", reason);
      assert.match(reason, /PostgreSQL does not answer after its restart/);
      assert.match(reason, /does not answer yet and was left to itself/);
      assert.ok(Date.now() - begun < 90_000, `${Date.now() - begun} ms`);
      assert.equal(await say(server, "cat /run/starts"), "start");
      assert.equal(await say(server, "grep -c 700 /etc/postgresql/15/main/postgresql.conf || true"), "0");
    });
  });

  describe("from a folder of the administrator's", () => {
    before(() => converge(remote, FEW));

    test("with a unit of its own and no list of clusters is found by its process, and tuned", async () => {
      await say(server, ELSEWHERE);
      const conf = "/srv/pgdata/postgresql.conf";
      assert.equal(await say(server, query("SHOW config_file")), conf);
      const given = { ...MANY, postgresqlConf: conf };
      const found = await observe(remote);
      assert.deepEqual(
        found.postgresql.map(({ configuration, unit, online }) => [configuration, unit, online]),
        [[conf, "postgresql", true]],
      );
      assert.throws(
        () => planFor(found, { ...MANY, postgresqlConf: CONF }),
        /no cluster uses .*; there are: \/srv\/pgdata/,
      );
      await converge(remote, given);
      assert.equal(await say(server, query("SHOW max_connections")), "625");
      assert.equal(await heldPool(server), 615);
      const after = await observe(remote);
      // By its port it is the same one.
      assert.ok(isEmpty(planFor(after, given)) && isEmpty(planFor(after, MANY)));
      assert.equal(await say(server, "systemctl is-active postgresql"), "active");
    });
  });
});

const ELSEWHERE = `
systemctl stop waptserver wapttasks
systemctl stop ${UNIT} postgresql
mkdir -p /srv/pgdata; cp -a ${DATA}/. /srv/pgdata/; rm -f /srv/pgdata/postmaster.pid; cp -a ${MAIN}/*.conf /srv/pgdata/
cd /srv/pgdata
sed -i "s#^data_directory.*#data_directory = '/srv/pgdata'#; s#^hba_file.*#hba_file = '/srv/pgdata/pg_hba.conf'#; s#^ident_file.*#ident_file = '/srv/pgdata/pg_ident.conf'#; /^external_pid_file/d; /^include_dir/d" postgresql.conf
chown -R postgres:postgres /srv/pgdata; chmod 700 /srv/pgdata
mv /usr/bin/pg_lsclusters /etc/postgresql /root/; mv /var/lib/postgresql/15 /root/pg15
cat >/etc/systemd/system/postgresql.service <<X
[Service]
User=postgres
RuntimeDirectory=postgresql
Environment=PGDATA=/srv/pgdata
ExecStart=${PROGRAM} -D /srv/pgdata
KillSignal=SIGINT
X
rm -f /lib/systemd/system-generators/postgresql-generator
systemctl daemon-reload && systemctl start postgresql && sleep 1 && systemctl start waptserver wapttasks && sleep 2
`;
