/** Servers that are laid out otherwise than Debian 12's: other releases of Debian, and where the RHEL family puts things. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isEmpty } from "../../provider/transaction/plan";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { heldPool, say } from "../support/asking";
import { converge, MANY, observe, planFor, withoutSsh } from "../support/whole-server";

const query = (sql: string) => `cd /; runuser -u postgres -- psql -XAtc '${sql}'`;

/** Tunes a server for 2,500 clients, asks its services, and puts everything back. */
async function tunedAndBack(server: LabServer, postgresqlConf: string, user: string): Promise<void> {
  const remote = withoutSsh(server);
  const configuration = `cat /etc/nginx/nginx.conf ${postgresqlConf} /opt/wapt/conf/waptserver.ini /etc/security/limits.conf`;
  const untouched = await say(server, configuration);
  assert.equal(await say(server, query("SHOW max_connections")), "100");

  await converge(remote, MANY);
  const nginx = await say(server, "nginx -T 2>/dev/null");
  assert.match(nginx, /worker_connections 6250;/);
  assert.match(nginx, /client_body_temp_path \/srv\/uploads-of-many;/);
  assert.equal(await say(server, "stat -c '%a %U' /srv/uploads-of-many"), `700 ${user}`);
  assert.equal(await say(server, query("SHOW max_connections")), "625");
  assert.equal(await say(server, query("SHOW config_file")), postgresqlConf);
  assert.match(
    await say(server, "cat /etc/security/limits.conf"),
    new RegExp(`^${user}\\s+soft\\s+nofile\\s+20000$`, "m"),
  );
  assert.equal(await say(server, `su -s /bin/sh ${user} -c 'ulimit -n'`), "20000");
  assert.equal(await heldPool(server), 615);
  assert.ok(isEmpty(planFor(await observe(remote), MANY)));

  await converge(remote, MANY, "restore");
  assert.equal(await say(server, configuration), untouched);
  assert.equal(await say(server, query("SHOW max_connections")), "100");
  assert.equal(await say(server, "systemctl is-active nginx waptserver wapttasks"), "active\nactive\nactive");
}

describe("other releases of Debian", { skip: skipWithoutLab() }, () => {
  for (const [suite, version] of [
    ["bullseye", "13"],
    ["trixie", "17"],
  ] as const) {
    test(`${suite}, with PostgreSQL ${version}`, async () => {
      const server = await startServer("metz", { suite });
      try {
        assert.match(await say(server, "cat /etc/os-release"), new RegExp(suite));
        await tunedAndBack(server, `/etc/postgresql/${version}/main/postgresql.conf`, "www-data");
      } finally {
        await server.stop();
      }
    });
  }
});

/** PostgreSQL in /var/lib/pgsql/data under a unit without an instance, no tools of Debian's, nginx under its own user. */
const RHEL = `
set -e
systemctl stop waptserver wapttasks postgresql postgresql@15-main
systemctl disable -q postgresql
mv /etc/postgresql /root/
rm /usr/bin/pg_* /lib/systemd/system/postgresql*.service
for program in psql postgres initdb; do ln -sf /usr/lib/postgresql/15/bin/$program /usr/bin/$program; done
install -d -o postgres -g postgres -m 700 /var/lib/pgsql/data
cd /
runuser -u postgres -- initdb -D /var/lib/pgsql/data >/dev/null
cat >/etc/systemd/system/postgresql.service <<END
[Service]
Type=notify
User=postgres
RuntimeDirectory=postgresql
ExecStart=/usr/bin/postgres -D /var/lib/pgsql/data
KillMode=mixed
KillSignal=SIGINT
END
systemctl daemon-reload
systemctl start postgresql
password=$(sed -n 's/^db_password = //p' /opt/wapt/conf/waptserver.ini)
runuser -u postgres -- psql -qX -c "CREATE ROLE wapt LOGIN PASSWORD '$password'" -c 'CREATE DATABASE wapt OWNER wapt'
useradd --system --shell /usr/sbin/nologin nginx
sed -i 's/^user .*/user nginx;/' /etc/nginx/nginx.conf
systemctl restart nginx
systemctl start waptserver wapttasks
`;

describe("the RHEL family's layout", { skip: skipWithoutLab() }, () => {
  test("PostgreSQL in /var/lib/pgsql/data, nginx as nginx", async () => {
    const server = await startServer("dijon");
    try {
      await say(server, RHEL);
      await tunedAndBack(server, "/var/lib/pgsql/data/postgresql.conf", "nginx");
      assert.equal(await say(server, "systemctl is-active postgresql"), "active");
    } finally {
      await server.stop();
    }
  });
});
