/** The nginx that serves, on a real server: what a run makes of one that is started, laid out or confined in other ways. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RefusedError } from "../../provider/problem";
import { checkArguments } from "../../provider/resources/definition";
import { type WaptServerArguments, waptServer } from "../../provider/resources/wapt-server";
import { type Server, services } from "../../provider/services";
import { call } from "../../provider/text/shell";
import type { Claim } from "../../provider/transaction/ownership";
import { isEmpty, pendingOf, planOf } from "../../provider/transaction/plan";
import { parseOutcome } from "../../provider/transaction/program";
import { ManagedServer } from "../../provider/transaction/server";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { say } from "../support/asking";
import { NOTHING_LEFT } from "../support/image";
import { HOLDER, programOf, withoutSsh } from "../support/whole-server";

const UPLOADS = "/srv/uploads";
const CONF = "/etc/nginx/nginx.conf";

/** What a first run changes: nginx's own file, and the sites that hand connections on to a program of the server. */
const CHANGED = [CONF, "/etc/nginx/conf.d/up.conf", "/etc/nginx/sites-enabled/wapt.conf"];

/** A proxied location with nothing behind it: 502 says that the upload was taken, 500 that it could not be written. */
const UPLOAD_SITE =
  "server { listen 8099; client_max_body_size 100m; location / { proxy_pass http://127.0.0.1:8098; } }";

describe("the nginx that serves", { skip: skipWithoutLab() }, () => {
  let server: LabServer;

  const args = (more: Partial<WaptServerArguments> = {}): WaptServerArguments => ({
    connection: { host: "rouen" },
    clients: 2500,
    workerRlimitNofile: 20000,
    uploads: { path: UPLOADS, minFree: "1MiB" },
    omit: ["KernelLimits", "PostgresConnections", "WaptServerIni"],
    ...more,
  });
  const scope = (given: WaptServerArguments) => {
    return { root: "", probes: waptServer.probes(given), folders: waptServer.folders!(given) };
  };
  const claimOn =
    (given: WaptServerArguments, mode: Claim["mode"] = "apply") =>
    (found: Server): Claim => {
      const checked = checkArguments(waptServer, { ...given });
      if (checked.problems) assert.fail(checked.problems.map(({ reason }) => reason).join());
      const owner = { stack: "organization/wapt-site/rouen", resource: "WaptServer rouen", id: "rouen" };
      return { owner, target: waptServer.target(checked.settings!, found, checked.args), mode };
    };
  const managed = () => new ManagedServer(services, async () => withoutSsh(server), HOLDER);
  const observe = (given = args()) => managed().observe(scope(given));
  const up = (given = args()) => managed().converge(scope(given), claimOn(given));
  const destroy = (given = args()) => managed().converge(scope(given), claimOn(given, "restore"));

  /** What a preview says that there is to do; throws what it refuses. */
  const toDo = async (given = args()): Promise<string[]> => {
    const found = await observe(given);
    const claim = claimOn(given)(found);
    const plan = planOf(found, claim);
    assert.equal(isEmpty(plan), plan.steps.length + plan.changes.length + plan.folders.length === 0);
    return isEmpty(plan) ? [] : [...plan.changes.map(({ path }) => path), ...pendingOf(claim.target, found)];
  };
  const refusal = async (given = args()): Promise<string> => {
    const error = await toDo(given).then(
      (all) => assert.fail(`not refused: ${all}`),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof RefusedError, String(error));
    const before = await say(server, `cat ${CONF}; ls /srv`);
    await assert.rejects(up(given), RefusedError);
    assert.equal(await say(server, `cat ${CONF}; ls /srv`), before, "nothing was touched");
    return error.message;
  };

  const upload = () =>
    say(
      server,
      `head -c 300000 /dev/zero >/tmp/body; python3 -c "
import urllib.request as u, urllib.error as e
try: print(u.urlopen(u.Request('http://127.0.0.1:8099/x', data=open('/tmp/body', 'rb').read(), method='PUT')).status)
except e.HTTPError as error: print(error.code)"`,
    );
  const workers = () => say(server, "pgrep -f '^nginx: worker process$' | sort | tr '\\n' ' '");
  const users = () => say(server, "ps -o user= -C nginx | sort -u | grep -v root");
  const limits = () =>
    say(
      server,
      "for p in $(pgrep -f '^nginx: worker process$'); do awk '/^Max open files/ { print $4 }' /proc/$p/limits; done | sort -u",
    );
  /** After a reload, when the new workers are there. */
  const reload = async () => {
    const old = await workers();
    await say(server, "systemctl reload nginx");
    for (let tries = 0; tries < 600 && ((await workers()) === old || (await workers()) === ""); tries++)
      await sleep(50);
  };
  const dropIn = (text: string) =>
    say(
      server,
      `mkdir -p /etc/systemd/system/nginx.service.d; printf '[Service]\\n%s\\n' '${text}' >/etc/systemd/system/nginx.service.d/test.conf; systemctl daemon-reload; systemctl restart nginx`,
    );

  before(async () => {
    server = await startServer("rouen");
    await say(
      server,
      `echo '${UPLOAD_SITE}' >/etc/nginx/conf.d/up.conf; cp -a /etc/nginx /root/nginx; systemctl reload nginx`,
    );
  });
  // Each test begins with the server as it was.
  afterEach(async () => {
    await say(
      server,
      `rm -f /etc/systemd/system/nginx.service.d/test.conf /etc/systemd/system/wapt-nginx.service; systemctl daemon-reload
       systemctl stop nginx; pkill -x nginx; for i in $(seq 50); do pgrep -x nginx >/dev/null || break; sleep 0.1; done
       rm -rf /etc/nginx ${UPLOADS} /data /var/lib/pulumi-wapt/record.json; cp -a /root/nginx /etc/nginx
       systemctl reset-failed nginx; systemctl start nginx`,
    );
  });
  after(() => server?.stop());

  test("without a user directive the folder is its real user's", async () => {
    await say(server, `sed -i '/^user /d' ${CONF}; systemctl restart nginx`);
    assert.equal(await users(), "nobody");
    await up();
    assert.deepEqual(await toDo(), []);
    assert.equal(await say(server, `stat -c '%U %a' ${UPLOADS}`), "nobody 700");
    assert.equal(await upload(), "502");
  });

  test("a file that is right and was not read is a difference, and a reload takes it away", async () => {
    await up();
    for (let time = 0; time < 3; time++) assert.deepEqual(await toDo(), [], "also within the same second");
    await say(server, `sed -i 's/worker_connections 6250/worker_connections 64/' ${CONF}`);
    await reload();
    await say(server, `sed -i 's/worker_connections 64/worker_connections 6250/' ${CONF}`);
    const held = () =>
      say(
        server,
        `python3 -c "
import socket
def answered(one):
    try:
        one.sendall(b'GET /wapt/ HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')
        return one.recv(4096).startswith(b'HTTP/1.1')
    except OSError: return False
held = [socket.create_connection(('127.0.0.1', 80), 5) for _ in range(300)]
for one in held: answered(one)
# One that was dropped for another has no second answer.
print(sum(map(answered, held)))"`,
      );
    assert.ok(Number(await held()) < 300, "the old value runs");
    assert.match(
      (await toDo()).join(),
      /^nginx runs with what it read before \/etc\/nginx\/nginx\.conf was changed at 20/,
    );
    await up();
    assert.equal(await held(), "300");
    assert.deepEqual(await toDo(), []);
  });

  test("a run that is refused half-way leaves no difference behind", async () => {
    await up();
    await dropIn('ExecReload=\nExecReload=/bin/sh -c "! grep -q 8750 /etc/nginx/nginx.conf && kill -HUP $MAINPID"');
    await assert.rejects(up(args({ workerConnections: 8750 })), /systemctl reload nginx.*Everything was put back/);
    assert.deepEqual(await toDo(), []);
  });

  test("touched bytes that are the same are no difference after a reload of our own", async () => {
    await up();
    await say(server, `cp ${CONF} /root/c && cat /root/c >${CONF}`);
    assert.deepEqual(await toDo(), []);
    await say(server, "echo '# more' >>/etc/nginx/conf.d/up.conf");
    assert.match((await toDo()).join(), /before \/etc\/nginx\/conf\.d\/up\.conf was changed/);
  });

  test("started by hand it is refused, with its process", async () => {
    await say(server, "systemctl stop nginx; nginx >/dev/null 2>&1");
    const pid = await say(server, "cat /run/nginx.pid");
    const reason = await refusal();
    assert.match(
      reason,
      new RegExp(
        `nginx serves as process ${pid} of no unit, on the ports 80 443 8099 \\(nginx: master process nginx\\)`,
      ),
    );
    assert.match(reason, new RegExp(`kill -QUIT ${pid}`));
    await say(server, `pkill -x nginx; sleep 1; nginx -g 'daemon off; master_process off;' >/dev/null 2>&1 & sleep 1`);
    assert.match(await refusal(), /process \d+ without a master process \(root\) of no unit, on the ports 80 443 8099/);
  });

  test("what it was given is taken back where it is started by hand, and that is said", async () => {
    await up();
    await say(server, "systemctl stop nginx; nginx >/dev/null 2>&1");
    const pid = await say(server, "cat /run/nginx.pid");
    const { notes } = await destroy();
    assert.match(
      notes.join(),
      new RegExp(`nginx was not reloaded: its process ${pid} is not the main process of the unit nginx`),
    );
    assert.match(await say(server, `cat ${CONF}`), /worker_connections 768;/);
  });

  test("the unit running another nginx than the one on port 80", async () => {
    await say(
      server,
      `printf 'pid /run/other.pid;\\nevents { }\\nhttp { server { listen 8081; } }\\n' >/etc/nginx/other.conf`,
    );
    await dropIn(
      "PIDFile=/run/other.pid\nExecStartPre=\nExecStart=\nExecStart=/usr/sbin/nginx -c /etc/nginx/other.conf",
    );
    await say(server, "nginx >/dev/null 2>&1");
    assert.match(await refusal(), /nginx serves as process \d+ of no unit, on the ports 80 443 8099/);
    // The other way round the unit's is the one that serves.
    await say(
      server,
      "rm /etc/systemd/system/nginx.service.d/test.conf; systemctl daemon-reload; pkill -x nginx; sleep 1; systemctl start nginx; nginx -c /etc/nginx/other.conf >/dev/null 2>&1",
    );
    await up();
    assert.deepEqual(await toDo(), []);
    assert.match(await say(server, `cat ${CONF}`), /worker_connections 6250;/);
  });

  test("two of them on WAPT's ports are told apart by nginxConf alone", async () => {
    await say(
      server,
      `sed -i '/listen .*80 default/d' /etc/nginx/sites-available/wapt.conf; systemctl restart nginx
       printf 'pid /run/other.pid;\\nevents { }\\nhttp { server { listen 80; } }\\n' >/etc/nginx/other.conf; nginx -c /etc/nginx/other.conf >/dev/null 2>&1`,
    );
    assert.match(
      await refusal(),
      /several nginx run on this server: process .* of the unit nginx, .*; process .* of no unit, on the ports 80 \(/,
    );
    assert.deepEqual(await toDo(args({ nginxConf: CONF })), [
      ...CHANGED,
      `the folder ${UPLOADS} (mode 700, owner www-data)`,
    ]);
    assert.match(await refusal(args({ nginxConf: "/etc/nginx/other.conf" })), /of no unit, on the ports 80 \(/);
  });

  test("with -c its own file is the one that is managed", async () => {
    await say(
      server,
      `cp ${CONF} /etc/nginx/wapt-nginx.conf; sed -i 's/worker_connections 768/worker_connections 1500/; 2a worker_rlimit_nofile 20000;' /etc/nginx/wapt-nginx.conf`,
    );
    await dropIn(
      'ExecStartPre=\nExecStart=\nExecStart=/usr/sbin/nginx -c /etc/nginx/wapt-nginx.conf -g "daemon on; master_process on;"\nExecReload=\nExecReload=/usr/sbin/nginx -c /etc/nginx/wapt-nginx.conf -s reload',
    );
    const [stock, own] = await Promise.all([say(server, `cat ${CONF}`), say(server, "cat /etc/nginx/wapt-nginx.conf")]);
    assert.match(
      await refusal(args({ nginxConf: CONF })),
      /nginxConf is \/etc\/nginx\/nginx\.conf, but the nginx that serves .* reads \/etc\/nginx\/wapt-nginx\.conf/,
    );
    assert.deepEqual(await toDo(args({ nginxConf: "/etc/nginx/./wapt-nginx.conf" })), await toDo());
    const was = await workers();
    await up();
    assert.match(await say(server, "cat /etc/nginx/wapt-nginx.conf"), /worker_connections 6250;/);
    assert.equal(await say(server, `cat ${CONF}`), stock);
    assert.notEqual(await workers(), was);
    assert.deepEqual(await toDo(), []);
    await destroy();
    assert.equal(await say(server, "cat /etc/nginx/wapt-nginx.conf"), own);
    // The unit says it where none runs.
    await say(server, "systemctl stop nginx");
    assert.equal((await observe()).nginx.tree.root, "/etc/nginx/wapt-nginx.conf");
    assert.match(await refusal(args({ nginxConf: CONF })), /the unit nginx, which does not run, reads/);
  });

  test("with -p and -g: its own folder, its own user", async () => {
    await say(
      server,
      `mkdir -p /data/web/conf /data/web/logs; sed '/^user /d; /modules-enabled/d; s|/etc/nginx/|/data/web/conf/|' ${CONF} >/data/web/conf/n.conf; cp -r /etc/nginx/. /data/web/conf/`,
    );
    await dropIn(
      'ExecStartPre=\nExecStart=\nExecStart=/usr/sbin/nginx -p /data/web -c conf/n.conf -g "daemon on; user games;"\nExecReload=\nExecReload=/bin/kill -HUP $MAINPID',
    );
    assert.equal(await users(), "games");
    await up();
    assert.match(await say(server, "cat /data/web/conf/n.conf"), /worker_connections 6250;/);
    assert.equal(await say(server, `stat -c %U ${UPLOADS}`), "games");
    assert.deepEqual(await toDo(), []);
    assert.equal(await upload(), "502");
  });

  test("in a unit of another name, which has no ExecReload", async () => {
    await say(
      server,
      `systemctl stop nginx; printf '[Service]\\nExecStart=/usr/sbin/nginx -g "daemon off;"\\n' >/etc/systemd/system/wapt-nginx.service; systemctl daemon-reload; systemctl start wapt-nginx; sleep 1`,
    );
    const was = await workers();
    assert.equal((await observe()).nginx.unit, "wapt-nginx");
    await up();
    assert.notEqual(await workers(), was);
    assert.equal(await limits(), "20000");
    assert.deepEqual(await toDo(), []);
    assert.equal(await say(server, "systemctl is-active nginx || true"), "inactive");
    await say(server, "systemctl stop wapt-nginx");
  });

  test("its program replaced by an upgrade", async () => {
    await say(
      server,
      "cp -a /usr/sbin/nginx /root/program; mv /root/program /usr/sbin/nginx; readlink /proc/$(cat /run/nginx.pid)/exe | grep deleted",
    );
    await up();
    assert.deepEqual(await toDo(), []);
    assert.equal(await limits(), "20000");
    const found = await observe();
    assert.match(
      (claimOn(args())(found).target.warnings ?? []).join(),
      /runs a program that was replaced since, \/usr\/sbin\/nginx/,
    );
  });

  test("one in a container is none of this server's", async () => {
    await say(
      server,
      `printf 'pid /run/other.pid;\\nevents { }\\nhttp { server { listen 8081; } }\\n' >/etc/nginx/other.conf
       unshare -p -f --mount-proc nginx -c /etc/nginx/other.conf -g 'daemon off;' >/dev/null 2>&1 & sleep 1`,
    );
    await up();
    assert.deepEqual(await toDo(), []);
    await say(server, "systemctl stop nginx");
    assert.match(
      await refusal(),
      /the nginx that runs is none that this server's systemd can reload: process \d+ in a container \(root\)/,
    );
  });

  test("a title alone makes no nginx of another account's process", async () => {
    await say(
      server,
      `printf 'load_module /tmp/evil.so;\\nevents { }\\n' >/tmp/evil.conf
       runuser -u admin -- python3 -c "
import os
os.execv('/bin/sleep', ['nginx: master process nginx -c /tmp/evil.conf', '60'])" >/dev/null 2>&1 & sleep 1`,
    );
    assert.equal((await observe()).nginx.tree.root, CONF);
    assert.deepEqual(await toDo(), [...CHANGED, `the folder ${UPLOADS} (mode 700, owner www-data)`]);
    await say(server, "pkill -f '^nginx: master process nginx -c /tmp/evil'");
  });

  test("where none runs, the files are changed and none is started", async () => {
    await say(server, "systemctl stop nginx");
    const { notes } = await up();
    assert.match(notes.join(), /nginx is not running: its configuration is in place, it was not started/);
    assert.deepEqual(await toDo(), []);
    assert.equal(await say(server, "pgrep -x nginx || true"), "");
  });

  test("a folder that its unit makes read-only is refused, until the unit lets it write there", async () => {
    const strict = "ProtectSystem=strict\nReadWritePaths=/run /var/log/nginx /var/lib/nginx";
    await dropIn(strict);
    const reason = await refusal();
    assert.match(
      reason,
      /\/srv\/uploads: \/srv is read-only for nginx: the unit nginx confines it \(ProtectSystem=strict/,
    );
    assert.match(reason, /systemctl edit nginx: under \[Service\] a line ReadWritePaths=/);
    assert.equal(await upload(), "502");
    await say(server, `mkdir ${UPLOADS}`);
    assert.match(await refusal(), /\/srv\/uploads is read-only for nginx/);
    await dropIn(`${strict} ${UPLOADS}`);
    await up();
    assert.deepEqual(await toDo(), []);
    assert.equal(await upload(), "502");
    // Once it is used, too.
    await dropIn(strict);
    assert.equal(await upload(), "500");
    assert.match(await refusal(), /\/srv\/uploads is read-only for nginx/);
  });

  for (const [option, words] of [
    [
      "TemporaryFileSystem=/srv",
      /nginx sees something else at \/srv: the unit nginx hides it \(TemporaryFileSystem=\/srv/,
    ],
    ["InaccessiblePaths=/srv", /nginx sees something else at \/srv: the unit nginx hides it \(InaccessiblePaths=\/srv/],
    ["ReadOnlyPaths=/srv", /\/srv is read-only for nginx: the unit nginx confines it \(ReadOnlyPaths=\/srv/],
  ] as const) {
    test(`a folder behind ${option} is refused`, async () => {
      await dropIn(option);
      assert.match(await refusal(), words);
    });
  }

  test("a folder that becomes read-only while the run goes on is put back", async () => {
    const { nginx } = await observe();
    await dropIn("ReadOnlyPaths=/srv");
    const program = programOf([
      call("begin", "", "5", HOLDER, NOTHING_LEFT, "uploads", "nginx", "systemd"),
      call("folder", UPLOADS, "700", "www-data:", "httpd_var_lib_t"),
      call("step", "uploads", "check", UPLOADS, "www-data", nginx.unit),
      call("finish"),
    ]);
    const { stdout } = await withoutSsh(server).run(program);
    const { result, reason } = parseOutcome(stdout.toString("latin1"));
    assert.equal(result, "refused");
    assert.match(reason, /nginx's user www-data can't write there as the unit nginx lets it see the folder/);
    assert.equal(await say(server, "ls /srv"), "");
  });

  test("the queue of each address where agents come is as long as backlog says, and 511 again behind a destroy", async () => {
    const queues = () => say(server, "ss -ltnH '( sport = :80 or sport = :443 )' | awk '{ print $4, $3 }' | sort");
    const all = (queue: number) =>
      ["0.0.0.0:443", "0.0.0.0:80", "[::]:443", "[::]:80"].map((at) => `${at} ${queue}`).join("\n");
    assert.equal(await queues(), all(511));
    await up();
    assert.equal(await queues(), all(4096));
    assert.deepEqual(await toDo(), []);
    // As WAPT's postconf does, which writes the site anew.
    await say(server, "sed -i 's/ backlog=4096//' /etc/nginx/sites-available/wapt.conf; nginx -s reload; sleep 1");
    assert.equal(await queues(), all(511));
    assert.deepEqual(await toDo(), ["/etc/nginx/sites-enabled/wapt.conf"]);
    await up();
    assert.equal(await queues(), all(4096));
    await destroy();
    assert.equal(await queues(), all(511));
  });

  test("logins beyond their pace get a 503 and nothing else does, until a destroy", async () => {
    const file = "/etc/nginx/conf.d/pulumi-wapt-logins.conf";
    const paced = args({ loginsPerSecond: 2 });
    /** What so many requests that come at once are answered with, and after how many seconds the last one is. */
    const answers = async (path: string, scheme = "https") =>
      JSON.parse(
        await say(
          server,
          `python3 -c "
import collections as c, concurrent.futures as f, json, ssl, time, urllib.request as u, urllib.error as e
def ask(_):
    try: return u.urlopen('${scheme}://127.0.0.1${path}', context=ssl._create_unverified_context() if '${scheme}' == 'https' else None).status
    except e.HTTPError as error: return error.code
start = time.time()
with f.ThreadPoolExecutor(30) as pool: print(json.dumps(c.Counter(pool.map(ask, range(30))) | {'seconds': int(time.time() - start)}))"`,
        ),
      ) as Record<string, number>;
    const site = await say(server, "sha256sum /etc/nginx/sites-available/wapt.conf");
    await up();
    assert.equal((await answers("/get_websocket_auth_token"))[200], 30);
    await up(paced);
    assert.deepEqual(await toDo(paced), []);
    const logins = await answers("/get_websocket_auth_token?uuid=x");
    // One at once, 8 in their turn within the 4 s that an agent waits; a slow machine spreads them, so that some more come through.
    assert.ok(logins[200]! >= 9 && logins[200]! <= 15 && logins[200]! + logins[503]! === 30, JSON.stringify(logins));
    assert.ok(logins.seconds! >= 3, "they wait for their turn");
    assert.deepEqual((await answers("/", "http"))[200], 30);
    // Whatever another changes in our file is put right.
    await say(server, `echo '# more' >>${file}; nginx -s reload; sleep 1`);
    assert.deepEqual(await toDo(paced), [file]);
    await up(paced);
    assert.deepEqual(await toDo(paced), []);
    await say(
      server,
      "sed -i 's/location \\/ {/location \\/ { limit_req zone=pulumi_wapt_logins burst=1;/' /etc/nginx/sites-available/wapt.conf",
    );
    const { warnings = [] } = claimOn(paced)(await observe(paced)).target;
    assert.match(
      warnings.join("\n"),
      /wapt\.conf:\d+: limit_req zone=pulumi_wapt_logins burst=1 stands inside location and wins there/,
    );
    await say(server, "sed -i 's/ limit_req zone=pulumi_wapt_logins burst=1;//' /etc/nginx/sites-available/wapt.conf");
    await destroy(paced);
    assert.equal(await say(server, `ls ${file} 2>/dev/null; ls /etc/nginx/conf.d`), "up.conf");
    assert.equal((await answers("/get_websocket_auth_token"))[200], 30);
    assert.equal(await say(server, "sha256sum /etc/nginx/sites-available/wapt.conf"), site);
  });

  test("a backlog above somaxconn is refused before it, and verified with it", async () => {
    assert.match(
      await refusal(args({ somaxconn: 7500 })),
      /a backlog of 7500 is above net\.core\.somaxconn 4096.*dependsOn/,
    );
    await say(server, "sysctl -qw net.core.somaxconn=7500");
    await up(args({ somaxconn: 7500 }));
    assert.match(await say(server, "ss -ltnH sport = :443"), /LISTEN +0 +7500 /);
    // nginx asks the kernel for a queue only when its own value is another one.
    await destroy(args({ somaxconn: 7500 }));
    await say(server, "sysctl -qw net.core.somaxconn=4096");
    await say(
      server,
      "sed -i 's/listen      443 ssl/listen 443 ssl backlog=7500/' /etc/nginx/sites-available/wapt.conf; nginx -s reload; sleep 1",
    );
    await say(server, "sysctl -qw net.core.somaxconn=7500");
    const found = await observe(args({ somaxconn: 7500 }));
    assert.match(
      claimOn(args({ somaxconn: 7500 }))(found).target.warnings!.join("\n"),
      /0\.0\.0\.0:443 has a queue of 4096 in the kernel, though its listen asks for 7500.*systemctl restart nginx/,
    );
  });

  test("a folder below one that nginx's user can't enter is refused", async () => {
    await say(server, "mkdir -m 700 /data /data/x");
    const given = args({ uploads: { path: "/data/x/uploads", minFree: "1MiB" } });
    assert.match(
      await refusal(given),
      /nginx's user www-data can't enter \/data\/x: give it the right to, there and above/,
    );
    await say(server, "chmod o+x /data /data/x");
    await up(given);
    assert.deepEqual(await toDo(given), []);
    assert.equal(await upload(), "502");
    await say(server, "chmod o-x /data");
    assert.match(await refusal(given), /can't enter \/data\/x\/uploads/);
  });

  test("a link to a folder is that folder", async () => {
    await say(
      server,
      `mkdir -p /data/uploads; ln -s /data/uploads ${UPLOADS}; chown www-data /data/uploads; chmod 700 /data/uploads; nginx -t`,
    );
    await up();
    assert.deepEqual(await toDo(), []);
    assert.equal(await upload(), "502");
    assert.equal(
      await say(server, `readlink ${UPLOADS}; stat -c '%U %a' /data/uploads`),
      "/data/uploads\nwww-data 700",
    );
    await say(server, "chmod 755 /data/uploads; chown root /data/uploads");
    assert.deepEqual(await toDo(), [`the folder ${UPLOADS} (mode 700, owner www-data)`]);
    await up();
    assert.deepEqual(await toDo(), []);
    await destroy();
    assert.equal(
      await say(server, `readlink ${UPLOADS}; stat -c '%U %a' /data/uploads`),
      "/data/uploads\nwww-data 700",
    );
  });
});
