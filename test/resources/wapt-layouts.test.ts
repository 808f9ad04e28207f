/** Where WAPT's file and units are by its versions, and how many pools there are. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { waptServer } from "../../provider/resources/wapt-server";
import { services } from "../../provider/services";
import { planOf } from "../../provider/transaction/plan";
import { ManagedServer } from "../../provider/transaction/server";
import { claimOf, HOLDER, shells } from "../support/image";
import { localRemote, untunedServer } from "../support/local-remote";

const [FIRST, SECOND] = ["/opt/wapt/conf/waptserver.ini", "/opt/wapt/waptserver/waptserver.ini"];
const SERVER = "/etc/systemd/system/waptserver.service";
const UWSGI = "/etc/systemd/system/waptserver-uwsgi.service";

function serverWith(context: TestContext, files: Readonly<Record<string, string>> = {}) {
  const root = untunedServer(context);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  const atBoot = (unit: string) => {
    mkdirSync(join(root, "etc/systemd/system/multi-user.target.wants"), { recursive: true });
    symlinkSync(
      `/etc/systemd/system/${unit}.service`,
      join(root, `etc/systemd/system/multi-user.target.wants/${unit}.service`),
    );
  };
  return { root, write, atBoot };
}

const unit = (start: string) => `[Unit]\nDescription=WAPT\n\n[Service]\nLimitNOFILE=32768\nExecStart=${start}\n`;
const OF_UWSGI = unit(`/usr/bin/uwsgi --ini ${FIRST}`);
const ini = (processes: string) =>
  `[uwsgi]\n${processes}\nenv = CONFIG_FILE=${FIRST}\n\n[options]\ndb_host =\ndb_name = wapt\ndb_password = secret\n\n[tftpserver]\nroot_dir = /srv\n`;

/** What a resource asks for, by place, with its warnings and problems. */
async function asked(root: string, type: string, clients = 2500, args: object = {}, shell?: readonly string[]) {
  const probes = waptServer.probes({ connection: { host: "paris" }, clients, ...args });
  const managed = new ManagedServer(services, async () => localRemote(shell), HOLDER);
  const server = await managed.observe({ root, probes, folders: [] });
  const claim = claimOf(server, type, clients, { args: { uploads: undefined, ...args } });
  const { places, problems = [], warnings = [] } = claim.target;
  const plan = () => planOf(server, claim);
  const values = Object.fromEntries(places.map(({ id, value }) => [id, value]));
  return { values, problems: problems.map(({ reason }) => reason), warnings, plan, server, places };
}

describe("waptserver.ini", () => {
  it("is the second place's where the first has none, and the one that the unit names", async (context) => {
    const { root, write } = serverWith(context);
    mkdirSync(join(root, "opt/wapt/waptserver"));
    renameSync(join(root, FIRST), join(root, SECOND));
    assert.equal((await asked(root, "WaptServerIni")).server.wapt.tree.root, SECOND);

    write("/srv/wapt/paris.ini", readFileSync(join(root, SECOND), "latin1"));
    write(SERVER, unit("/opt/wapt/bin/python /opt/wapt/waptserver/server.py -c /srv/wapt/paris.ini"));
    const { places } = await asked(root, "WaptServerIni");
    assert.deepEqual(
      places.map(({ tree }) => tree.root),
      ["/srv/wapt/paris.ini", "/srv/wapt/paris.ini"],
    );
  });

  it("is named in the refusal where there is none", async (context) => {
    const { root } = serverWith(context);
    rmSync(join(root, FIRST));
    assert.match(
      (await asked(root, "WaptServerIni")).problems.join(),
      /there is no \/opt\/wapt\/conf\/waptserver\.ini/,
    );
  });

  it("has to be given where several servers of WAPT run", async (context) => {
    const { root, write, atBoot } = serverWith(context);
    write(
      "/etc/systemd/system/waptserver-odaim.service",
      unit("/opt/wapt/bin/python server.py -c /opt/wapt/conf/odaim.ini"),
    );
    write("/opt/wapt/conf/odaim.ini", "[options]\ndb_name = odaim\n");
    assert.deepEqual((await asked(root, "WaptServerIni")).problems, [], "it is not started");
    atBoot("waptserver");
    atBoot("waptserver-odaim");
    for (const type of ["WaptServerIni", "PostgresConnections", "WaptServer"]) {
      assert.deepEqual((await asked(root, type)).problems, [
        "several servers of WAPT run here: waptserver reads /opt/wapt/conf/waptserver.ini, waptserver-odaim reads /opt/wapt/conf/odaim.ini. " +
          "Give waptserverIni, the file of the one that is meant",
      ]);
    }
    const given = { waptserverIni: "/opt/wapt/conf/odaim.ini", maxConnections: 1000, dbMaxConnections: 80 };
    const { places, problems } = await asked(root, "WaptServerIni", 2500, given);
    assert.deepEqual([places[0]!.tree.root, problems], ["/opt/wapt/conf/odaim.ini", []]);
    const { warnings } = await asked(root, "WaptServerIni", 2500, { waptserverIni: FIRST });
    assert.match(warnings.join(), /waptserver-odaim reads \/opt\/wapt\/conf\/odaim\.ini and has a pool of its own/);
  });
});

describe("the pools", () => {
  for (const shell of shells) {
    it(`of uwsgi's processes and of waptserver are together what PostgreSQL gives: ${shell.join(" ")}`, async (context) => {
      const { root, atBoot } = serverWith(context, { [UWSGI]: OF_UWSGI, [FIRST]: ini("processes = 10") });
      assert.equal((await asked(root, "WaptServer")).values.db_max_connections, "615", "it is not started");
      atBoot("waptserver-uwsgi");
      assert.equal((await asked(root, "WaptServer")).values.db_max_connections, "61", "in place of waptserver");
      atBoot("waptserver");
      const { values, plan } = await asked(root, "WaptServer", 2500, {}, shell);
      assert.equal(values.db_max_connections, "55", "615 by the eleven of uwsgi and waptserver");
      assert.ok("waptserver-uwsgi.service LimitNOFILE" in values);
      assert.ok(plan().changes.length > 0);
    });
  }

  it("are one where uwsgi says nothing of processes", async (context) => {
    const { root, atBoot } = serverWith(context, { [UWSGI]: OF_UWSGI, [FIRST]: ini("master = true") });
    atBoot("waptserver-uwsgi");
    assert.equal((await asked(root, "WaptServer")).values.db_max_connections, "615");
  });

  it("are warned of where it is not known how many there are", async (context) => {
    const { root, atBoot } = serverWith(context, { [UWSGI]: OF_UWSGI, [FIRST]: ini("processes = %k") });
    atBoot("waptserver-uwsgi");
    const text = "/opt/wapt/conf/waptserver.ini does not say in [uwsgi] how many processes waptserver-uwsgi runs";
    assert.match(
      (await asked(root, "WaptServerIni", 400)).warnings.join(),
      new RegExp(text.replaceAll(/[.[\]]/g, "\\$&")),
    );
    assert.deepEqual((await asked(root, "WaptServerIni", 400, { dbMaxConnections: 9 })).warnings, []);
  });

  it("are refused where they are together above what PostgreSQL gives", async (context) => {
    const { root, atBoot } = serverWith(context, { [UWSGI]: OF_UWSGI, [FIRST]: ini("workers = 10") });
    atBoot("waptserver-uwsgi");
    const { plan } = await asked(root, "WaptServer", 2500, { dbMaxConnections: 100 });
    assert.throws(
      plan,
      /a pool of 100 in each of 10 processes of waptserver, 1000 together, is above what PostgreSQL gives it: max_connections 625/,
    );
    assert.ok((await asked(root, "WaptServer", 2500, { dbMaxConnections: 62 })).plan().changes.length > 0);
  });

  it("follow a max_connections that is lower, all together", async (context) => {
    const { root, atBoot } = serverWith(context, { [UWSGI]: OF_UWSGI, [FIRST]: ini("processes = 4") });
    atBoot("waptserver-uwsgi");
    const { plan } = await asked(root, "PostgresConnections", 1000);
    const change = plan().changes.find(({ path }) => path === FIRST);
    assert.deepEqual([change?.isFirst, change?.splices?.[0]?.text.trim()], [true, "db_max_connections = 60"]);
  });
});
