/** What the provider makes of a server's report. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { postgresConnections } from "../../provider/resources/postgres-connections";
import { type Server, services } from "../../provider/services";
import { clusterProblems, findCluster } from "../../provider/services/postgresql/postgresql";
import { restartProblems, restartWarnings } from "../../provider/services/postgresql/restart";
import { demandRoot, diskProblems, serverOf } from "../../provider/transaction/observation";
import { parseReport } from "../../provider/transaction/report";
import { journalHash } from "../support/image";

const line = (...fields: string[]) => `${Buffer.from(`${fields.join("\0")}\0`, "latin1").toString("base64")}\n`;
const file = (path: string, text: string) => `${Buffer.from(`file\0${path}\0${text}`, "latin1").toString("base64")}\n`;
const END = line("base", "end");

const ALL = new Set(Object.keys(services.byName));
const server = (report: string, root = "", asked: ReadonlySet<string> = ALL): Server =>
  serverOf(report + END, root, services.byName, asked);

describe("a report", () => {
  it("gives each field and file back as it was, whatever bytes they hold", () => {
    const bytes = fc.uint8Array().map((array) => Buffer.from(array).toString("latin1"));
    const field = bytes.map((text) => text.replaceAll("\0", ""));
    fc.assert(
      fc.property(fc.array(field, { minLength: 1 }), bytes, (fields, text) => {
        const { files, facts } = parseReport(line("nginx", "name", ...fields) + file("/etc/x", text) + END);
        assert.deepEqual(facts("nginx").named("name"), [fields]);
        assert.equal(files.get("/etc/x"), text);
        assert.equal(facts("kernel").one("cpus"), undefined);
      }),
    );
  });

  it("is refused wherever it is cut off", () => {
    const report = line("base", "user", "0", "root") + file("/etc/x", "text") + END;
    for (let length = 0; length < report.length - 3; length++) {
      assert.throws(() => parseReport(report.slice(0, length)), /the server's report is not whole/);
    }
  });

  it("may have lines that a login shell printed between its own", () => {
    const { facts } = parseReport(`Welcome to paris!\n${line("base", "user", "0", "root")}\n${END}`);
    assert.deepEqual(facts("base").named("user"), [["0", "root"]]);
  });
});

describe("an observed server", () => {
  it("has who logged in, its machine, folders and disks", () => {
    const found = server(
      line("base", "user", "1000", "admin") +
        line("base", "machine-id", "abc\n") +
        line("base", "disk", "/etc", "4096", "writable") +
        line("base", "disk", "/opt", "4096", "read-only") +
        line("base", "folder", "/srv/up", "700", "www-data", "directory", "5000", "33:33", "/data/up", "a\nb") +
        line("base", "folder", "/srv/none", "", "", "missing", "5000") +
        line("base", "folder", "/var/www", "755", "root", "directory", "5000", "0:0", "/var/www", "") +
        line("base", "package", "/data/up", "") +
        line("base", "package", "/var/www", "nginx-common"),
    );
    assert.deepEqual(found.user, { id: 1000, name: "admin" });
    assert.equal(found.machineId, "abc");
    assert.deepEqual(found.folders["/srv/up"], {
      mode: "700",
      owner: "www-data",
      ids: "33:33",
      isFolder: true,
      real: "/data/up",
      package: undefined,
      entries: ["a", "b"],
      freeKilobytes: 5000,
    });
    assert.equal(found.folders["/srv/none"]?.mode, undefined);
    assert.equal(found.folders["/var/www"]?.package, "nginx-common");
    assert.throws(() => demandRoot(found), /logged in as admin, who is not root: give connection.sudo: true/);
    assert.deepEqual(
      diskProblems(found, ["/etc/nginx", "/opt"], "connection").map(({ reason }) => reason),
      ["preflight, disk: /opt is on a file system mounted read-only: remount it"],
    );
  });

  it("has what earlier runs left, in today's names", () => {
    const journal =
      "temporary /image/etc/x\npending sysctl\npending nginx reload\nstopped waptserver\nmade /image/srv/up";
    const found = server(line("base", "journal", journal), "/image");
    assert.deepEqual(found.journal, {
      made: ["/srv/up"],
      hash: journalHash("pending sysctl", "pending nginx reload", "stopped waptserver", "made /image/srv/up"),
    });
  });

  it("has no state of a service that was not asked, and says so when it is used", () => {
    const found = server(line("nginx", "conf", "/etc/nginx/nginx.conf"), "", new Set(["nginx"]));
    assert.equal(found.nginx.tree.root, "/etc/nginx/nginx.conf");
    assert.throws(() => found.postgresql, /postgresql was not asked: name its probe/);
    // A copy does not ask either.
    assert.equal({ ...found }.nginx.tree.root, "/etc/nginx/nginx.conf");
  });

  it("is refused with a record that another version wrote", () => {
    const record = file("/var/lib/pulumi-wapt/record.json", '{"version":9}');
    assert.throws(
      () => server(record),
      /record\.json is no record of this version of pulumi-wapt: upgrade the package/,
    );
  });
});

describe("the services of an observed server", () => {
  it("kernel: sysctls by their dotted names, the ceiling only where root has one", () => {
    const { kernel } = server(
      line("kernel", "sysctl", "net/core/somaxconn", "4096") +
        line("kernel", "memory", "1000") +
        line("kernel", "login", "wapt", "1500", "unlimited", "/etc/security/limits.d/a.conf:1:wapt soft NOFILE 1500"),
    );
    assert.deepEqual(kernel, {
      sysctl: { "net.core.somaxconn": "4096" },
      memoryKilobytes: 1000,
      cpus: 1,
      ceiling: undefined,
      managers: [],
      logins: {
        wapt: {
          soft: 1500,
          hard: Number.POSITIVE_INFINITY,
          lines: "/etc/security/limits.d/a.conf:1:wapt soft NOFILE 1500",
        },
      },
    });
    assert.equal(server(line("kernel", "ceiling", "20000")).kernel.ceiling, 20000);
  });

  it("systemd: units with the limits of their next and of their running process", () => {
    const show =
      "Id=nginx.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=42\nLimitNOFILE=32768\nLimitNOFILESoft=1024\nTasksMax=infinity\n\nId=waptserver.service\nLoadState=not-found\nActiveState=inactive\nMainPID=0";
    const { systemd } = server(
      line("systemd", "units", show) +
        line("systemd", "process", "42", "20000", "20001", "1700000000") +
        line("systemd", "changed", "nginx", "1600000000") +
        line("systemd", "fragment", "nginx", "/lib/systemd/system/nginx.service") +
        line("systemd", "left", "waptserver") +
        line("systemd", "verified", "nginx", "bad", "nginx.service: Command /x is not executable"),
    );
    assert.deepEqual(systemd("nginx"), {
      installed: true,
      fragment: "/lib/systemd/system/nginx.service",
      active: true,
      enabled: true,
      limitNofile: { soft: 1024, hard: 32768 },
      process: { soft: 20000, hard: 20001, start: 1700000000 },
      changed: 1600000000,
      unloaded: { isGood: false, found: "nginx.service: Command /x is not executable" },
      tasksMax: Number.POSITIVE_INFINITY,
    });
    assert.deepEqual([systemd("waptserver").installed, systemd("waptserver").active], [false, false]);
    assert.deepEqual(systemd.left, ["waptserver"]);
    assert.deepEqual(systemd.names, ["nginx"]);
    assert.equal(server(line("systemd", "unit-file", "wapttasks"), "/image").systemd("wapttasks").installed, true);
  });

  it("postgresql: each cluster with its own answer, or why it gave none", () => {
    const cluster = (data: string) =>
      line("postgresql", "cluster", data, "15", "main", "5432", "online", "postgres", "/c");
    const [first, second] = server(
      cluster("/a") +
        cluster("/b") +
        line("postgresql", "answer", "/a", "max_connections 100\nfile /etc/x\n") +
        line("postgresql", "error", "/b", "psql: no password") +
        line("postgresql", "process", "/a", "/usr/bin/postgres", "postgresql@15-main", "654"),
    ).postgresql;
    assert.deepEqual([first?.settings, first?.error, first?.tasksMax], [{ max_connections: "100" }, undefined, 654]);
    assert.deepEqual([second?.settings, second?.error], [undefined, "psql: no password"]);
    assert.equal(second?.tasksMax, Number.POSITIVE_INFINITY);
  });

  it("postgresql: what serves, what waits for a restart, what is wrong in its files, and who else is there", () => {
    const of = (...fields: string[]) => line("postgresql", ...fields);
    const { postgresql } = server(
      of("cluster", "/a", "15", "main", "5432", "online", "postgres", "/c") +
        of("process", "/a", "/usr/bin/postgres (deleted)", "", "", "42", "ssh.service") +
        of("pending", "/a", "shared_buffers\t128MB\t900GB") +
        of("pending", "/a", "cluster_name\t\t") +
        of("fault", "/a", "/h\t7\tinvalid") +
        of("listener", "/a", "9 (python3, in x.service)") +
        of("absent", "/c.d/none.conf") +
        of("folder", "/c.d") +
        of("container", "77", "docker-1.scope"),
    );
    const [cluster] = postgresql;
    assert.deepEqual(cluster?.process, { id: "42", isMain: false, group: "ssh.service" });
    assert.deepEqual(cluster?.pending[0], { name: "shared_buffers", running: "128MB", file: "900GB" });
    assert.deepEqual(cluster?.faults, [{ file: "/h", line: 7, error: "invalid" }]);
    assert.deepEqual(
      [...cluster!.named],
      [
        ["/c.d/none.conf", "absent"],
        ["/c.d", "folder"],
      ],
    );
    const said = restartProblems(cluster!).map(({ reason }) => reason);
    assert.match(said[0]!, /process 42 of postgres\) runs in ssh\.service.*systemctl start postgresql@15-main/);
    assert.match(said[1]!, /program \/usr\/bin\/postgres is gone/);
    assert.match(said[2]!, /^\/h:7: invalid: PostgreSQL runs, but would not start again/);
    assert.match(restartWarnings(cluster!)[0]!, /shared_buffers \(128MB → 900GB\), cluster_name/);
    assert.match(
      clusterProblems(cluster!, "625")[0]!.reason,
      /port 5432 is served by process 9 \(python3, in x\.service\)/,
    );
    const database = { host: "localhost", isHere: true, port: "5433", pool: 90 };
    const found = findCluster(postgresql, new Map(), database, undefined);
    assert.ok("problem" in found && found.problem.reason.includes("process 77 in a container (docker-1.scope)"));
  });

  it("postgresql: a cluster that was not read is not gone, so that what stood before is kept", () => {
    const target = (report: string) =>
      postgresConnections.target({ max_connections: 625 }, server(report), {
        connection: { host: "paris" },
        clients: 2500,
      });
    const unread = target(line("base", "unread", "postgresql", "/c", "is no file but a fifo"));
    assert.deepEqual([unread.isUnreadable, unread.gone], [true, undefined]);
    assert.deepEqual(
      target("").gone?.map(({ ids }) => ids),
      [["max_connections"]],
    );
  });

  it("wapt: the database that its file names, WAPT's own defaults where it names none", () => {
    const ini = (text: string) => server(line("wapt", "ini", "/w.ini") + file("/w.ini", text)).wapt.database;
    assert.deepEqual(ini("[options]\ndb_port = 5433\n"), { host: "", isHere: true, port: "5433", pool: 90 });
    assert.equal(server(line("wapt", "ini", "/w.ini")).wapt.database, undefined);
  });
});
