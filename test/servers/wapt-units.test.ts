/**
 * WAPT's other layouts on one real server: the file of 2.x, several servers of WAPT, uwsgi with a pool in each process,
 * and an nginx of a unit of another name. uwsgi is a stand-in: the lab's waptserver under the name and the command line.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, say } from "../support/asking";
import { ResourceLife } from "../support/resource-life";

const INI = "/opt/wapt/conf/waptserver.ini";
const UNITS = "/etc/systemd/system";
const LIMITS = { workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 };

/** It reads its own command line's file no more than the lab's waptserver does, and is called as uwsgi is. */
const UWSGI = `
set -e
cat >/usr/local/bin/uwsgi <<'END'
#!/bin/sh
exec /usr/bin/python3 /opt/wapt/waptserver/waptserver.py
END
chmod 755 /usr/local/bin/uwsgi
sed 's|^ExecStart=.*|ExecStart=/usr/local/bin/uwsgi --ini ${INI}|; s|^RuntimeDirectory=.*|RuntimeDirectory=uwsgi|' ${UNITS}/waptserver.service >${UNITS}/waptserver-uwsgi.service
sed -i '1i [uwsgi]\\nprocesses = 10\\n' ${INI}
sed -i 's/^# db_max_connections.*/db_max_connections = 9/' ${INI}
systemctl disable -q --now waptserver
systemctl daemon-reload
systemctl enable -q --now waptserver-uwsgi
`;

describe("WAPT's other layouts", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  const start = (unit: string) => say(server, `systemctl show -p ExecMainStartTimestampMonotonic --value ${unit}`);
  before(async () => {
    server = await startServer("paris");
  });
  after(() => server?.stop());

  test("several servers of WAPT are refused by name", async () => {
    await say(server, `cp ${INI} /opt/wapt/conf/odaim.ini`);
    const command = `sed 's|waptserver.py$|& -c /opt/wapt/conf/odaim.ini|' ${UNITS}/waptserver.service >${UNITS}/waptserver-odaim.service`;
    await say(server, `${command}; systemctl daemon-reload; systemctl enable -q waptserver-odaim`);
    const whole = new ResourceLife(server, "WaptServer");
    await assert.rejects(
      whole.up({ clients: 2500, ...LIMITS }),
      /several servers of WAPT run here: waptserver reads .*odaim\.ini/,
    );
    await say(
      server,
      `systemctl disable -q waptserver-odaim; rm ${UNITS}/waptserver-odaim.service /opt/wapt/conf/odaim.ini; systemctl daemon-reload`,
    );
  });

  test("uwsgi's unit gets its limit and its restart, each process its part of the pool, and all is as before", async () => {
    await say(server, UWSGI);
    // One that only has such a name is no server, and one that is masked is no unit.
    await say(server, `printf '[Service]\\nType=oneshot\\nExecStart=/bin/true\\n' >${UNITS}/waptserver-backup.service`);
    await say(
      server,
      `mv ${UNITS}/waptserver.service /root/; ln -s /dev/null ${UNITS}/waptserver.service; systemctl daemon-reload`,
    );
    const untouched = await files(server);
    const whole = new ResourceLife(server, "WaptServer");
    const begun = await start("waptserver-uwsgi");
    await whole.up({ clients: 2500, ...LIMITS });
    assert.equal((whole.outs.settings as Record<string, unknown>).db_max_connections, 61);
    assert.equal(await say(server, `sed -n 's/^db_max_connections = //p' ${INI}`), "61");
    assert.equal(await say(server, "runuser -u postgres -- psql -XAtc 'SHOW max_connections'"), "625");
    assert.notEqual(await start("waptserver-uwsgi"), begun);
    assert.equal(await say(server, "systemctl is-active waptserver-uwsgi wapttasks"), "active\nactive");
    assert.equal(await say(server, "systemctl show -p LimitNOFILE --value waptserver-uwsgi"), "20000");
    assert.equal(await say(server, "systemctl is-active waptserver || true"), "inactive");

    const again = await start("waptserver-uwsgi");
    await whole.up({ clients: 2500, ...LIMITS });
    assert.equal(whole.outs.pending, undefined);
    assert.equal(await start("waptserver-uwsgi"), again, "a second run changes nothing");
    await whole.destroy();
    assert.deepEqual(await files(server), untouched);
    await say(server, `rm ${UNITS}/waptserver.service; mv /root/waptserver.service ${UNITS}/; systemctl daemon-reload`);
  });

  test("a limit whose unit is gone is given back", async () => {
    const limits = new ResourceLife(server, "KernelLimits");
    await limits.up({ clients: 2500, limitNofile: 20000, nofile: 20000 });
    assert.equal(await say(server, `ls ${UNITS}/waptserver-uwsgi.service.d`), "zz-pulumi-wapt.conf");
    await say(
      server,
      `systemctl disable -q --now waptserver-uwsgi; rm ${UNITS}/waptserver-uwsgi.service; systemctl daemon-reload`,
    );
    await say(server, "systemctl enable -q --now waptserver");
    await limits.up({ clients: 2500, limitNofile: 20000, nofile: 20000 });
    assert.equal(await say(server, `ls -d ${UNITS}/waptserver-uwsgi.service.d 2>/dev/null || true`), "");
    assert.equal((await limits.refresh()).pending, undefined);
    await limits.destroy();
  });

  test("an nginx of another unit gets its limit there, and one of no unit is refused", async () => {
    const unit = await say(server, "systemctl show -p FragmentPath --value nginx");
    await say(
      server,
      `systemctl stop nginx; sed 's|nginx.pid|web.pid|' ${unit} >${UNITS}/web.service; sed -i 's|^PIDFile=.*|PIDFile=/run/nginx.pid|' ${UNITS}/web.service; systemctl daemon-reload; systemctl start web`,
    );
    const limits = new ResourceLife(server, "KernelLimits");
    await limits.up({ clients: 2500, limitNofile: 20000, nofile: 20000 });
    assert.equal(await say(server, "systemctl show -p LimitNOFILE --value web"), "20000");
    assert.equal(await say(server, `ls ${UNITS}/web.service.d`), "zz-pulumi-wapt.conf");
    await limits.destroy();
    assert.equal(await say(server, `ls -d ${UNITS}/web.service.d 2>/dev/null || true`), "");

    await say(server, "systemctl stop web; nginx");
    const refused = new ResourceLife(server, "KernelLimits");
    await assert.rejects(refused.up({ clients: 2500, limitNofile: 20000, nofile: 20000 }), /systemd can't reload it/);
    await say(server, `nginx -s quit; rm ${UNITS}/web.service; systemctl daemon-reload; systemctl start nginx`);
  });

  test("SELinux's httpd_setrlimit is set with the rest and put back with it: by stand-ins of its tools", async () => {
    const tools = `
      echo off >/root/boolean
      printf '#!/bin/sh\necho "$1 --> $(cat /root/boolean)"\n' >/usr/local/sbin/getsebool
      printf '#!/bin/sh\n[ "$1 $2" = "-P httpd_setrlimit" ] && echo "$3" >/root/boolean\n' >/usr/local/sbin/setsebool
      chmod 755 /usr/local/sbin/*sebool`;
    await say(server, tools);
    const boolean = () => say(server, "cat /root/boolean");
    const args = { clients: 2500, workerRlimitNofile: 20000 };
    const tuning = new ResourceLife(server, "NginxTuning");
    await tuning.up(args);
    assert.equal(await boolean(), "on");
    assert.equal((tuning.outs.settings as Record<string, unknown>).httpd_setrlimit, "on");
    assert.equal((tuning.outs.before as Record<string, unknown>).httpd_setrlimit, "off");
    await say(server, "echo off >/root/boolean");
    assert.equal(((await tuning.refresh()).settings as Record<string, unknown>).httpd_setrlimit, "off");
    await tuning.up(args);
    assert.equal(await boolean(), "on");
    await tuning.destroy();
    assert.equal(await boolean(), "off");

    const drop = "/run/systemd/system/nginx.service.d";
    const once = "test -e /root/failed && kill -HUP $MAINPID || { touch /root/failed; exit 1; }";
    await say(
      server,
      `mkdir -p ${drop}; printf '%s\\n' '[Service]' ExecReload= 'ExecReload=/bin/sh -c "${once}"' >${drop}/x.conf; systemctl daemon-reload`,
    );
    const failing = new ResourceLife(server, "NginxTuning");
    await assert.rejects(failing.up(args), /systemctl reload nginx.*Everything was put back as it was/s);
    assert.equal(await boolean(), "off");
    await say(server, `rm -r ${drop}; systemctl daemon-reload; systemctl restart nginx`);

    await say(server, "printf '#!/bin/sh\\necho not allowed >&2; exit 1\\n' >/usr/local/sbin/setsebool");
    await assert.rejects(
      new ResourceLife(server, "NginxTuning").up(args),
      /SELinux's httpd_setrlimit is off after setsebool -P .*not allowed/,
    );
    await say(server, "rm /usr/local/sbin/*sebool");
  });

  test("waptserver.ini of 2.x is found in its place", async () => {
    await say(
      server,
      `systemctl stop wapttasks waptserver-uwsgi; systemctl disable -q waptserver-uwsgi; rm ${UNITS}/waptserver-uwsgi.service; systemctl daemon-reload`,
    );
    await say(
      server,
      `mv ${INI} /opt/wapt/waptserver/waptserver.ini; sed -i 's|${INI}|/opt/wapt/waptserver/waptserver.ini|' /opt/wapt/waptserver/waptserver.py`,
    );
    await say(server, "systemctl start waptserver wapttasks");
    const whole = new ResourceLife(server, "WaptServer");
    await whole.up({ clients: 2500, ...LIMITS });
    const status = await fetch(`http://${server.host}/status`).then(
      (answer) => answer.json() as Promise<Record<string, unknown>>,
    );
    assert.equal(status.db_max_connections, 615);
  });
});
