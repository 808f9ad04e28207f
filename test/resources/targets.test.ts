/** What each resource asks of a server: on an untuned one whose services run, and with one thing of it being otherwise. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { kernelLimits } from "../../provider/resources/kernel-limits";
import { nginxTuning } from "../../provider/resources/nginx-tuning";
import { postgresConnections } from "../../provider/resources/postgres-connections";
import { kilobytes, proxyTempPath } from "../../provider/resources/proxy-temp-path";
import { waptServerIni } from "../../provider/resources/waptserver-ini";
import type { Server } from "../../provider/services";
import type { FolderState } from "../../provider/transaction/observation";
import { planOf } from "../../provider/transaction/plan";
import type { Entry } from "../../provider/transaction/record";
import type { Target } from "../../provider/transaction/target";
import { claimOf } from "../support/image";
import { liveServer } from "../support/live-server";

const INI = "/opt/wapt/conf/waptserver.ini";
const CONF = "/etc/postgresql/15/main/postgresql.conf";
const NGINX = "/etc/nginx/nginx.conf";

let live: Server;
before(async () => {
  live = await liveServer();
});

const asked = (type: string, server: Server, args: object = {}, clients = 2500): Target =>
  claimOf(server, type, clients, { args }).target;
const ids = (places: Target["places"] = []): string[] => places.map(({ id }) => id);
const reasons = (target: Target): string[] => (target.problems ?? []).map(({ reason }) => reason);
const entry = (value: string): Entry => ({ stack: "o/p/s", resource: "r", id: "i", value, before: null });

type Unit = ReturnType<Server["systemd"]>;
/** The server with its units changed, each by its name. */
function withUnits(
  server: Server,
  change: (name: string) => Partial<Unit>,
  more: Partial<Server["systemd"]> = {},
): Server {
  const { names, left } = { names: server.systemd.names, left: server.systemd.left, ...more };
  return {
    ...server,
    systemd: Object.assign((name: string) => ({ ...server.systemd(name), ...change(name) }), { names, left }),
  };
}
const process = (soft: number, start = 0) => ({ soft, hard: soft, start });
const withCluster = (server: Server, more: Partial<Server["postgresql"][number]>): Server => ({
  ...server,
  postgresql: [{ ...server.postgresql[0]!, ...more }],
});
const withFile = (server: Server, path: string, change: (text: string) => string): Server => {
  const files = new Map(server.files).set(path, change(server.files.get(path) ?? ""));
  const tree = (known: { root: string }) => ({ ...known, files });
  return {
    ...server,
    files,
    nginx: { ...server.nginx, tree: tree(server.nginx.tree) },
    wapt: { ...server.wapt, tree: tree(server.wapt.tree) },
  };
};
const fullDisk = (server: Server, path: string): Server => ({
  ...server,
  disks: [{ path, freeKilobytes: 1, writable: true }],
});
const stopped = { what: "start waptserver", steps: [{ service: "systemd", verb: "start", words: ["waptserver"] }] };
const left = (server: Server): Server => withUnits(server, () => ({}), { left: ["waptserver"] });
/** nginx refuses its configuration as it stands. */
const refusing = (server: Server): Server => ({ ...server, nginx: { ...server.nginx, test: "emerg" } });
const serving = {
  pid: "7",
  user: "root",
  where: "here",
  ports: "80",
  title: "nginx: master",
  binary: "/usr/sbin/nginx",
  globals: "",
};
const servedBy = (server: Server, unit: string | undefined): Server => ({
  ...server,
  nginx: { ...server.nginx, unit: unit ?? "nginx", serving: { ...serving, unit }, masters: [{ ...serving, unit }] },
});

describe("every resource", () => {
  const ALL: [string, object][] = [
    ["KernelLimits", {}],
    ["NginxTuning", {}],
    ["ProxyTempPath", {}],
    ["PostgresConnections", {}],
    ["WaptServerIni", {}],
  ];
  for (const [type, args] of ALL) {
    it(`such as ${type} starts what a run that was cut off had stopped`, () => {
      assert.deepEqual(asked(type, left(live), args).left, [stopped]);
      assert.deepEqual(asked(type, live, args).left, []);
    });
  }

  it("asks what it needs to know", () => {
    const args = { connection: { host: "a" }, clients: 1, nginxConf: "/n", waptserverIni: "/w", path: "/srv/u" };
    const probes = (definition: {
      probes(given: typeof args): readonly { service: string; words: readonly string[] }[];
    }) => definition.probes(args).map(({ service, words }) => [service, ...words].join(" "));
    const systemd = "systemd nginx waptserver waptserver-* wapttasks wapttasks-*";
    assert.deepEqual(probes(kernelLimits), ["kernel", systemd, "nginx /n", "wapt /w"]);
    assert.deepEqual(probes(nginxTuning), ["kernel", systemd, "nginx /n", "selinux httpd_setrlimit"]);
    assert.deepEqual(probes(proxyTempPath), [systemd, "nginx /n", "uploads /srv/u"]);
    assert.deepEqual(probes(postgresConnections), ["kernel", systemd, "wapt /w", "postgresql"]);
    assert.deepEqual(probes(waptServerIni), ["kernel", systemd, "wapt /w", "postgresql"]);
    assert.deepEqual(proxyTempPath.folders?.(args), ["/srv/u"]);
  });
});

describe("KernelLimits", () => {
  const of = (server: Server, args: object = {}) => asked("KernelLimits", server, args);
  const LOGINS = ["wapt hard nofile", "wapt soft nofile", "www-data hard nofile", "www-data soft nofile"];
  const SYSCTLS = ["net.ipv4.tcp_max_syn_backlog", "net.core.somaxconn"];
  const limitsOf = (...units: string[]) => units.map((unit) => `${unit}.service LimitNOFILE`);

  it("asks for two sysctls, the limits of both users, and that of nginx's unit and WAPT's", () => {
    const { places, abandoned } = of(live);
    assert.deepEqual(ids(places), [...SYSCTLS, ...LOGINS, ...limitsOf("nginx", "wapttasks", "waptserver")]);
    const values = places.map(({ value }) => value);
    assert.deepEqual(values, ["4096", "4096", ...LOGINS.map(() => "500000"), "32768", "32768", "32768"]);
    assert.deepEqual(abandoned, []);
  });

  it("asks each user once, where nginx runs as wapt", () => {
    assert.deepEqual(
      ids(of(live, { nginxUser: "wapt" }).places).filter((id) => id.endsWith("nofile")),
      LOGINS.slice(0, 2),
    );
  });

  it("asks nothing of units that are not installed, and of the unit that serves nginx", () => {
    const missing = withUnits(live, (name) => ({ installed: name !== "wapttasks" }));
    const limits = (server: Server) => ids(of(server).places).filter((id) => id.endsWith("LimitNOFILE"));
    assert.deepEqual(limits(missing), limitsOf("nginx", "waptserver"));
    assert.deepEqual(limits(servedBy(live, "openresty")), limitsOf("openresty", "wapttasks", "waptserver"));
  });

  it("gives back the limits of units and users that no longer count", () => {
    const record = Object.fromEntries(
      [
        ...limitsOf("nginx", "openresty", "waptserver-old"),
        "web hard nofile",
        "wapt hard nofile",
        "nofile",
        "a b hard nofile",
      ].map((id) => [id, entry("1")]),
    );
    const { places, abandoned } = of({ ...servedBy(live, "nginx"), record });
    assert.deepEqual(ids(abandoned), [
      ...limitsOf("openresty", "waptserver-old"),
      "web hard nofile",
      "web soft nofile",
    ]);
    assert.ok(!ids(places).includes("openresty.service LimitNOFILE"));
  });

  it("keeps the limit of a unit that served nginx before, where none serves, but not that of a former unit of WAPT's", () => {
    const record = Object.fromEntries(limitsOf("openresty", "waptserver-old").map((id) => [id, entry("1")]));
    const { places, abandoned } = of({ ...live, record });
    assert.ok(ids(places).includes("openresty.service LimitNOFILE"));
    assert.deepEqual(ids(abandoned), limitsOf("waptserver-old"));
  });

  it("can't be read where nginx can't read its own configuration, and goes without an nginx", () => {
    const refused = of(refusing(live));
    assert.deepEqual([refused.isUnreadable, refused.places], [true, []]);
    const none = { ...refusing(live), nginx: { ...live.nginx, installed: false, test: "emerg" } };
    assert.deepEqual([of(none).isUnreadable, reasons(of(none))], [undefined, []]);
  });

  it("needs a restart of WAPT where a unit was started with a lower limit", () => {
    const low = withUnits(live, (name) => (name === "waptserver" ? { process: process(32767) } : {}));
    assert.deepEqual(of(low).needs, [
      {
        what: "waptserver runs with LimitNOFILE 32767",
        steps: [
          { service: "systemd", verb: "reload", words: [] },
          {
            service: "wapt",
            verb: "restart",
            words: ["wapttasks", "waptserver"],
            interrupts: true,
            restarts: "waptserver",
          },
        ],
      },
    ]);
    assert.deepEqual(of(live).needs, []);
    assert.deepEqual(of(withUnits(live, () => ({ process: undefined }))).needs, []);
    assert.deepEqual(of({ ...low, root: "/srv/image" }).needs, []);
    assert.equal(of(withUnits(live, () => ({ process: process(32767) }))).needs?.length, 2);
  });

  it("says instead that a unit limits itself, where it was started after it was given the limit", () => {
    const given = (more: Partial<Unit>) =>
      withUnits(live, (name) =>
        name === "waptserver"
          ? { process: process(1024, 102), changed: 100, limitNofile: process(32768), ...more }
          : {},
      );
    assert.deepEqual(of(given({})).needs, []);
    const said = (server: Server) => of(server).warnings?.filter((text) => text.includes("a limit of its own"));
    assert.deepEqual(said(given({})), [
      "waptserver was given 32768 open files at its start and has 1024: what starts it sets a limit of its own " +
        '(systemctl cat waptserver; an "ulimit -n" in its script); remove that, then restart it',
    ]);
    const restarts: Partial<Unit>[] = [
      { process: process(1024, 101) },
      { changed: undefined },
      { limitNofile: process(32767) },
      { limitNofile: undefined },
    ];
    for (const more of restarts) {
      assert.equal(of(given(more)).needs?.length, 1, JSON.stringify(more));
      assert.deepEqual(said(given(more)), [], JSON.stringify(more));
    }
    assert.deepEqual(said(given({ process: process(32768, 102) })), [], "it has what it was given");
    assert.deepEqual(said(given({ process: undefined })), []);
  });

  it("is refused what the kernel, a login, systemd, the disk or a foreign nginx stands against", () => {
    const said = (server: Server, args: object = {}) => reasons(of(server, args)).join("\n");
    assert.equal(said(live), "");
    const small = { ...live, kernel: { ...live.kernel, ceiling: 40000 } };
    assert.deepEqual(
      of(small).problems?.map(({ property }) => property),
      ["nofile"],
    );
    assert.deepEqual(
      of({ ...live, kernel: { ...live.kernel, ceiling: 400 } }).problems?.map(({ property }) => property),
      ["nofile", "limitNofile"],
    );
    const limits = "/etc/security/limits.conf";
    const files = new Map(live.files).set(limits, "wapt hard nofile 500000\n");
    const logins = { wapt: { soft: 1, hard: 9, lines: "" } };
    assert.match(said({ ...live, files, kernel: { ...live.kernel, logins } }), /a login of wapt gets 9 open files/);
    const bad = withUnits(live, (name) => (name === "nginx" ? { unloaded: { isGood: false, found: "bad" } } : {}));
    assert.match(said(bad), /the files of nginx\.service were changed since .*it finds: bad/);
    for (const folder of ["/etc", "/var/lib", "/var/backups"])
      assert.match(said(fullDisk(live, folder)), new RegExp(`^preflight, disk: ${folder} has 1 kB`));
    assert.equal(said(fullDisk(live, "/opt")), "");
    assert.match(said(servedBy(live, undefined)), /systemd can't reload it/);
  });

  it("warns of the hardware, of others that set its values, and of what a daemon-reload makes effective", () => {
    const warned = (server: Server) => (of(server).warnings ?? []).join("\n");
    assert.match(
      warned({ ...live, kernel: { ...live.kernel, cpus: 1, memoryKilobytes: 1024 } }),
      /^preflight, hardware: for 2500/,
    );
    const managers = [{ who: "tuned", file: "/t.conf", key: "net.core.somaxconn" }];
    assert.match(warned({ ...live, kernel: { ...live.kernel, managers } }), /^preflight, sysctl: tuned/m);
    const good = withUnits(live, (name) => (name === "nginx" ? { unloaded: { isGood: true, found: "" } } : {}));
    assert.match(warned(good), /a daemon-reload of this run makes that effective/);
    assert.deepEqual(of({ ...live, kernel: { ...live.kernel, memoryKilobytes: 0 } }).warnings, []);
  });
});

describe("NginxTuning", () => {
  const of = (server: Server, args: object = {}) => asked("NginxTuning", server, args);
  const BASE = ["worker_connections", "worker_rlimit_nofile", "backlog of 0.0.0.0:80"];

  it("asks for connections, descriptors and the queues, and beside that for what is given or SELinux needs", () => {
    const { places } = of(live);
    assert.deepEqual(
      places.map(({ id, value }) => `${id} ${value}`),
      ["worker_connections 6250", "worker_rlimit_nofile 32768", "backlog of 0.0.0.0:80 4096"],
    );
    assert.deepEqual(
      places.map(({ key, running }) => [key, running]),
      [
        ["events.worker_connections", undefined],
        ["worker_rlimit_nofile", "1024"],
        ["backlog of 0.0.0.0:80", undefined],
      ],
    );
    const selinux = { booleans: { httpd_setrlimit: "off" } };
    assert.deepEqual(ids(of({ ...live, selinux }).places), [...BASE, "httpd_setrlimit"]);
    const paced = of(live, { loginsPerSecond: 50 });
    assert.equal(paced.places.length, BASE.length + 1);
    assert.equal(paced.places.at(-1)?.value.includes("50"), true);
    assert.equal(paced.gone?.length, 0);
  });

  it("asks the workers for their descriptors again, and only where the least of them has others", () => {
    const workers = [process(40000), process(32768)];
    const tuned = withFile(
      { ...live, nginx: { ...live.nginx, workers } },
      NGINX,
      (text) => `worker_rlimit_nofile 32768;\n${text}`,
    );
    const [, limit] = of(tuned).places;
    assert.equal(limit?.running, "32768");
    assert.deepEqual(limit?.steps("32768")[0]?.words.at(-1), "32768");
    assert.deepEqual(of(live).places[0]?.steps("6250")[0]?.words.at(-1), "-");
  });

  it("gives back the queue of an address that is no longer there", () => {
    const record = { "backlog of 0.0.0.0:80": entry("1"), "backlog of 0.0.0.0:81": entry("1") };
    assert.deepEqual(ids(of({ ...live, record }).abandoned), ["backlog of 0.0.0.0:81"]);
  });

  it("can't be read where nginx can't read its own configuration", () => {
    assert.equal(of(refusing(live)).isUnreadable, true);
  });

  it("is refused a queue that the kernel would cut, where there is one", () => {
    const planned = (somaxconn?: string) => (id: string) => (id === "net.core.somaxconn" ? somaxconn : undefined);
    const conflicts = (server: Server, somaxconn?: string) =>
      of(server, { backlog: 4096 }).conflicts?.(planned(somaxconn));
    assert.deepEqual(conflicts(live), []);
    assert.equal(conflicts(live, "4095")?.length, 1);
    const low = { ...live, kernel: { ...live.kernel, sysctl: { "net.core.somaxconn": "128" } } };
    assert.equal(conflicts(low)?.length, 1);
    const without = withFile(low, "/etc/nginx/sites-enabled/wapt", () => "");
    assert.deepEqual(conflicts(without), []);
  });

  it("reloads an nginx that has not read its files", () => {
    const stale = { ...servedBy(live, "nginx") };
    const reading = { since: 100, now: 300, changed: new Map([[NGINX, 200]]) };
    const { needs } = of({ ...stale, nginx: { ...stale.nginx, reading } });
    assert.match(needs?.[0]?.what ?? "", /^nginx runs with what it read before/);
    assert.deepEqual(of(stale).needs, []);
  });

  it("is refused what stands against it", () => {
    const said = (server: Server, args: object = {}) =>
      (of(server, args).problems ?? []).map(({ property, reason }) => `${property}: ${reason}`).join("\n");
    assert.equal(said(live), "");
    assert.match(said(servedBy(live, undefined)), /systemd can't reload it/);
    const served = servedBy(live, "nginx");
    const globals = { ...served.nginx.serving!, globals: "worker_rlimit_nofile 5;" };
    assert.match(
      said({ ...served, nginx: { ...served.nginx, serving: globals } }),
      /worker_rlimit_nofile 5 is on the command line/,
    );
    assert.match(
      said({ ...live, kernel: { ...live.kernel, ceiling: 4096 } }),
      /^workerRlimitNofile: a limit of 32768 .*6250 connections need 12500/,
    );
    for (const folder of ["/etc/nginx", "/var/lib", "/var/backups"])
      assert.match(said(fullDisk(live, folder)), new RegExp(`^workerConnections: preflight, disk: ${folder} has`));
  });

  it("needs a folder that nginx includes for the pace of logins, and only then", () => {
    const without = withFile(live, NGINX, (text) => text.replace("include /etc/nginx/sites-enabled/*;", ""));
    assert.deepEqual(reasons(of(without)), []);
    assert.equal(reasons(of(without, { loginsPerSecond: 50 })).length, 1);
    assert.deepEqual(of(without).gone, []);
    assert.equal(of(without, { loginsPerSecond: 50 }).gone?.length, 1);
  });

  it("warns of ports, workers, queues, a replaced program and a clock", () => {
    const warned = (server: Server, args: object = {}) => (of(server, args).warnings ?? []).join("\n");
    const sysctl = { ...live.kernel.sysctl, "net.ipv4.ip_local_port_range": "32768 32769" };
    assert.match(
      warned({ ...live, kernel: { ...live.kernel, sysctl } }),
      /^preflight, ports: .* has 2 ports, .* need 3125/m,
    );
    const one = withFile({ ...live, kernel: { ...live.kernel, cpus: 4 } }, NGINX, (text) =>
      text.replace("worker_processes auto;", ""),
    );
    assert.match(warned(one), /^preflight, workers: nginx runs one worker on 4 processors/m);
    assert.match(
      warned(withFile(live, "/etc/nginx/sites-enabled/wapt", () => "")),
      /^preflight, backlog: no server block/m,
    );
    const served = servedBy(live, "nginx");
    const replaced = { ...served.nginx.serving!, binary: "/usr/sbin/nginx (deleted)" };
    assert.match(
      warned({ ...served, nginx: { ...served.nginx, serving: replaced } }),
      /runs a program that was replaced/,
    );
    const reading = { now: 100, changed: new Map([[NGINX, 200]]) };
    assert.match(warned({ ...live, nginx: { ...live.nginx, reading } }), /was changed in the future/);
  });
});

describe("ProxyTempPath", () => {
  const PATH = "/srv/wapt-uploads";
  const of = (server: Server, args: object = {}) => asked("ProxyTempPath", server, { path: PATH, ...args });
  const state: FolderState = {
    mode: "700",
    owner: "www-data",
    ids: "33:33",
    isFolder: true,
    real: PATH,
    entries: [],
    freeKilobytes: 1e9,
  };
  const withFolder = (more: Partial<FolderState>, server = live): Server => ({
    ...server,
    folders: { [PATH]: { ...state, ...more } },
  });
  const own = (server: Server): Server => ({ ...server, record: { [`folder ${PATH}`]: entry(PATH) } });

  it("reads a size as it is written, in kilobytes that are rounded up", () => {
    const sizes: [string, number][] = [
      ["1KiB", 1],
      ["1kB", 1],
      ["2kB", 2],
      ["1024kB", 1000],
      ["1MiB", 1024],
      ["1 MB", 977],
      ["1.5MiB", 1536],
      ["10GiB", 10 * 1024 ** 2],
      ["1GB", 976563],
      ["1TiB", 1024 ** 3],
      ["1TB", 976562500],
      ["0.001KiB", 1],
      ["999999GiB", 999999 * 1024 ** 2],
    ];
    for (const [text, value] of sizes) assert.equal(kilobytes(text), value, text);
    for (const text of [
      "",
      "10",
      "GiB",
      "1B",
      "1gib",
      "-1GiB",
      "1e3GiB",
      "1,5GiB",
      "1.GiB",
      "1  GiB",
      "1.2345GiB",
      "1234567GiB",
      "x1GiB",
      "1GiBx",
      "1PiB",
    ])
      assert.equal(kilobytes(text), undefined, text);
  });

  it("asks for the directive and for a folder that is nginx's alone", () => {
    const { places, folder } = of(live, { minFree: undefined });
    assert.deepEqual(
      places.map(({ id, key, value }) => [id, key, value]),
      [["client_body_temp_path", "http.client_body_temp_path", PATH]],
    );
    assert.deepEqual(folder, {
      path: PATH,
      mode: "700",
      owner: "www-data",
      selinuxType: "httpd_var_lib_t",
      minFree: { text: "10GiB", kilobytes: 10 * 1024 ** 2 },
    });
    assert.equal(of(live, { nginxUser: "web" }).folder?.owner, "web");
    assert.deepEqual(of(live, { minFree: "5MiB" }).folder?.minFree, { text: "5MiB", kilobytes: 5120 });
  });

  it("tries the folder as nginx's user before its configuration, and not what comes back", () => {
    const [place] = of(live).places;
    const verbs = (text: string | undefined) => place?.checks?.(text).map(({ service, verb }) => `${service} ${verb}`);
    assert.deepEqual(verbs(PATH), ["uploads check", "nginx check"]);
    assert.deepEqual(place?.checks?.(PATH)[0]?.words, [PATH, "www-data", "nginx"]);
    assert.deepEqual(verbs(undefined), ["nginx check"]);
    assert.deepEqual(verbs("/var/lib/nginx/body"), ["nginx check"]);
  });

  it("is refused a partition with too little space before its first use, and is warned of it afterwards", () => {
    const said = `${PATH}: its partition has 9 MiB free, minFree asks for 10MiB: choose another path, or a smaller minFree`;
    const little = withFolder({ mode: undefined, freeKilobytes: 10 * 1024 - 1 });
    const args = { minFree: "10MiB" };
    assert.deepEqual(of(little, args).problems, [{ property: "path", reason: said }]);
    assert.deepEqual([reasons(of(own(little), args)), of(own(little), args).warnings], [[], [said]]);
    const enough = withFolder({ mode: undefined, freeKilobytes: 10 * 1024 });
    assert.deepEqual([reasons(of(enough, args)), of(enough, args).warnings], [[], []]);
    assert.deepEqual(reasons(of(live, args)), [], "it was not asked");
  });

  it("is refused a folder that holds something, unless it is this one's or nginx's already", () => {
    const full = withFolder({ entries: ["a"] });
    assert.match(reasons(of(full)).join(), /is not empty, it holds a/);
    assert.deepEqual(reasons(of(own(full))), []);
    const used = (server: Server, path: string) =>
      withFile(server, NGINX, (text) => text.replace("http {", `http {\n client_body_temp_path ${path} 1 2;`));
    assert.deepEqual(reasons(of(used(full, PATH))), []);
    assert.equal(reasons(of(used(full, "/srv/other"))).length, 1);
    assert.deepEqual(
      reasons(of(used(withFolder({ entries: ["a"], real: "/data/up" }), "/data/up"))),
      [],
      "by another name",
    );
  });

  it("is refused a folder that nginx can't see, on the server itself, beside whether it stands", () => {
    const seen = {
      there: PATH,
      isSame: true,
      isWritable: true,
      isWritableHere: true,
      user: "www-data",
      mayEnter: true,
      mayWrite: false,
    };
    const uploads = { views: new Map([[PATH, seen]]), confined: [] };
    assert.match(reasons(of(withFolder({}, { ...live, uploads }))).join(), /can't write there/);
    assert.deepEqual(reasons(of(withFolder({ mode: "755" }, { ...live, uploads }))), [], "it will be given to nginx");
    assert.deepEqual(reasons(of(withFolder({}, { ...live, uploads, root: "/srv/image" }))), []);
  });

  it("can't be read where nginx can't read its own configuration, and is refused beside a foreign nginx", () => {
    assert.equal(of(refusing(live)).isUnreadable, true);
    assert.match(reasons(of(servedBy(live, undefined))).join(), /systemd can't reload it/);
  });

  it("reloads an nginx that has not read its files, and warns of what wins over it, a replaced program and a clock", () => {
    const served = servedBy(live, "nginx");
    const reading = { since: 100, now: 300, changed: new Map([[NGINX, 200]]) };
    assert.equal(of({ ...served, nginx: { ...served.nginx, reading } }).needs?.length, 1);
    const inner = withFile(live, "/etc/nginx/sites-enabled/wapt", (text) =>
      text.replace("listen", "client_body_temp_path /x;\n listen"),
    );
    assert.match((of(inner).warnings ?? []).join(), /client_body_temp_path \/x stands inside server and wins there/);
    const replaced = { ...served.nginx.serving!, binary: "/usr/sbin/nginx (deleted)" };
    assert.match(
      (of({ ...served, nginx: { ...served.nginx, serving: replaced } }).warnings ?? []).join(),
      /was replaced since/,
    );
    const future = { now: 100, changed: new Map([[NGINX, 200]]) };
    assert.match((of({ ...live, nginx: { ...live.nginx, reading: future } }).warnings ?? []).join(), /in the future/);
  });
});

describe("PostgresConnections", () => {
  const of = (server: Server, args: object = {}) => asked("PostgresConnections", server, args);
  const planned = (value?: string) => (id: string) => (id === "max_connections" ? value : undefined);

  it("asks for one value, which a restart of PostgreSQL and WAPT makes effective, tested before", () => {
    const [place, ...others] = of(live).places;
    assert.deepEqual(others, []);
    assert.deepEqual(
      [place?.id, place?.value, place?.running, place?.default],
      ["max_connections", "625", "100", "100"],
    );
    assert.deepEqual(
      place?.steps("625").map(({ service, verb, words }) => [service, verb, words.at(-1)]),
      [
        ["postgresql", "restart", "625"],
        ["wapt", "restart", "waptserver"],
      ],
    );
    assert.deepEqual(
      place?.checks?.("625").map(({ service, verb, words }) => [service, verb, words.at(-2)]),
      [["postgresql", "check", "625"]],
    );
  });

  it("is decided by WAPT's file as well, which says which cluster is WAPT's", () => {
    assert.deepEqual(of(live).reads, ["wapt"]);
  });

  it("starts no PostgreSQL that is stopped, unless a run that was cut off stopped it, and says so", () => {
    const down = withCluster(live, { online: false, settings: undefined, unit: "postgresql@15-main" });
    assert.deepEqual(of(down).places[0]?.steps("625"), []);
    assert.deepEqual(of(down).warnings, [
      "PostgreSQL (postgresql@15-main) is not running: its file is right, it was not started",
    ]);
    const cut = withUnits(down, () => ({}), { left: ["postgresql@15-main"] });
    assert.deepEqual([of(cut).places[0]?.steps("625").length, of(cut).warnings], [2, []]);
    const image = { ...down, root: "/srv/image" };
    assert.deepEqual([of(image).places[0]?.steps("625"), of(image).warnings], [[], []]);
    assert.deepEqual(of({ ...live, root: "/srv/image" }).places[0]?.steps("625"), []);
    assert.deepEqual(of(live).warnings, []);
  });

  it("is gone with PostgreSQL, and can't be read where one is there that can't be found", () => {
    const none = of({ ...live, postgresql: [] });
    assert.deepEqual([none.isUnreadable, none.gone?.map(({ ids: all }) => all)], [undefined, [["max_connections"]]]);
    assert.match(reasons(none).join(), /0 clusters/);
    const two = { ...live, postgresql: [live.postgresql[0]!, { ...live.postgresql[0]!, configuration: "/b.conf" }] };
    assert.deepEqual([of(two).isUnreadable, of(two).gone], [true, undefined]);
    const unread = [{ service: "postgresql", path: CONF, why: "is a FIFO" }];
    assert.equal(of({ ...live, postgresql: [], unread }).isUnreadable, true);
    assert.equal(
      of({ ...live, postgresql: [], unread: [{ ...unread[0]!, service: "nginx" }] }).isUnreadable,
      undefined,
    );
  });

  it("is refused what stands against so many connections", () => {
    const said = (server: Server, clients = 2500) =>
      (asked("PostgresConnections", server, {}, clients).problems ?? [])
        .map(({ property, reason }) => `${property}: ${reason}`)
        .join("\n");
    assert.equal(said({ ...live, kernel: { ...live.kernel, memoryKilobytes: 1e9 } }), "");
    assert.match(
      said(withCluster(live, { command: ["postgres", "-N", "50"] })),
      /max_connections 50 on its command line/,
    );
    assert.match(
      said({ ...live, kernel: { ...live.kernel, memoryKilobytes: 1000 } }),
      /^maxConnections: preflight, memory: max_connections 625/,
    );
    assert.equal(said({ ...live, root: "/srv/image", kernel: { ...live.kernel, memoryKilobytes: 1000 } }), "");
    assert.match(said(withCluster(live, { tasksMax: 600 })), /^maxConnections: preflight, tasks: /);
    assert.match(said(fullDisk(live, "/etc/postgresql/15/main")), /^maxConnections: preflight, disk: /);
  });

  it("is refused a restart that would not come up, where its value needs one", () => {
    const main = { id: "9", isMain: true, group: "g" };
    const faulty = withCluster(live, { process: main, disabled: true });
    const conflicts = (server: Server, value?: string) => of(server).conflicts?.(planned(value)) ?? [];
    const [conflict, ...others] = conflicts(faulty, "625");
    assert.deepEqual(others, []);
    assert.match(conflict?.reason ?? "", /start\.conf says disabled/);
    assert.deepEqual([conflict?.beside, conflict?.needsRestart], ["max_connections", true]);
    assert.deepEqual(conflicts(faulty, "100"), [], "it runs with that");
    assert.deepEqual(conflicts(faulty), [], "nobody gives it a value");
    assert.deepEqual(conflicts({ ...faulty, root: "/srv/image" }, "625"), []);
    assert.deepEqual(
      conflicts(withCluster(live, { disabled: true, process: undefined }), "625"),
      [],
      "it does not run",
    );
  });

  it("warns of what else a restart activates, where its value needs one, and of a value that waits", () => {
    const pending = [{ name: "shared_buffers", running: "1", file: "2" }];
    const waiting = (running: string) => withCluster(live, { pending, settings: { max_connections: running } });
    assert.match(
      (of(waiting("100")).warnings ?? []).join(),
      /the restart of PostgreSQL also activates .*shared_buffers/,
    );
    assert.deepEqual(of(waiting("625")).warnings, []);
    const own = [{ name: "max_connections", running: "100", file: "300" }];
    assert.match((of(withCluster(live, { pending: own })).warnings ?? []).join(), /300 stands in its files/);
  });

  it("takes WAPT's pool along, has it for a guest, and holds it where there is one", () => {
    const tuned = { ...live, wapt: { ...live.wapt, database: { ...live.wapt.database!, pool: 700 } } };
    const target = of(tuned);
    assert.deepEqual(
      target.followers?.(planned("500")).map(({ id, value }) => `${id} ${value}`),
      ["db_max_connections 490"],
    );
    assert.deepEqual(target.followers?.(planned()), []);
    assert.deepEqual(ids(target.guests), ["db_max_connections"]);
    assert.deepEqual(
      [target.holds?.("db_max_connections", { file: "700" }), target.holds?.("db_max_connections", { file: "90" })],
      [true, false],
    );
    assert.deepEqual(target.heldBack?.(planned("50")), [
      { id: "max_connections", why: "max_connections stays 100 until WAPT, which may hold more, was restarted" },
    ]);
    const back = (id: string) => ({ db_max_connections: "800" })[id];
    assert.deepEqual(ids(target.keeps?.(back) as never), ["db_max_connections"]);
    assert.deepEqual(of({ ...live, wapt: { ...live.wapt, database: undefined } }).guests, []);
  });
});

describe("WaptServerIni", () => {
  const of = (server: Server, args: object = {}) => asked("WaptServerIni", server, args);
  const values = (server: Server, args: object = {}) =>
    of(server, args).places.map(({ id, value }) => `${id} ${value}`);
  const NOTHING = () => undefined;

  it("asks for the pool of each process and for the websockets, beside PostgreSQL's files", () => {
    assert.deepEqual(values(live), ["db_max_connections 615", "max_clients 4096"]);
    const four = { ...live, wapt: { ...live.wapt, pools: { count: 4 } } };
    assert.deepEqual(values(four), ["db_max_connections 153", "max_clients 4096"]);
    assert.deepEqual(values(four, { dbMaxConnections: 200 }), ["db_max_connections 200", "max_clients 4096"]);
    assert.deepEqual(of(live).reads, ["postgresql"]);
  });

  it("is gone with its file, can't be read where that was not read, and has to be told which of several", () => {
    const files = new Map([...live.files].filter(([path]) => path !== INI));
    const without = { ...live, files, wapt: { ...live.wapt, tree: { root: INI, files }, database: undefined } };
    const gone = of(without);
    assert.deepEqual([gone.isUnreadable, gone.gone?.[0]?.ids], [undefined, ["db_max_connections", "max_clients"]]);
    assert.match(reasons(gone).join(), /there is no \/opt\/wapt\/conf\/waptserver\.ini/);
    const unread = [{ service: "wapt", path: INI, why: "is a FIFO" }];
    assert.deepEqual([of({ ...without, unread }).isUnreadable, of({ ...without, unread }).gone], [true, undefined]);
    assert.equal(of({ ...without, unread: [{ ...unread[0]!, path: "/other" }] }).isUnreadable, undefined);
    const unit = (name: string, ini: string) => ({ name, ini, program: "python", processes: "" });
    const units = [unit("waptserver", INI), unit("waptserver-b", "/b.ini")];
    const several = { ...live, wapt: { ...live.wapt, units } };
    for (const type of ["WaptServerIni", "PostgresConnections"]) {
      assert.match(reasons(asked(type, several)).join(), /several servers of WAPT run here/);
      assert.equal(asked(type, several).isUnreadable, true);
      assert.equal(asked(type, several, { waptserverIni: INI }).isUnreadable, undefined);
    }
  });

  it("needs a restart of WAPT for each unit that was started before the file's last change", () => {
    const stale = { ...live, wapt: { ...live.wapt, changed: 100 } };
    assert.deepEqual(
      of(stale).needs?.map(({ what, steps }) => [what, steps.map(({ verb }) => verb)]),
      ["wapttasks", "waptserver"].map((unit) => [`${unit} was started before ${INI} was last changed`, ["restart"]]),
    );
    assert.deepEqual(of(live).needs, []);
  });

  it("is refused what stands against so large a pool, a foreign listener and a full disk", () => {
    const said = (server: Server, args: object = {}) => reasons(of(server, args)).join("\n");
    const little = { ...live, kernel: { ...live.kernel, memoryKilobytes: 1000 } };
    assert.match(said(little), /^preflight, memory: when all PCs come back at once the pool of 615 fills/);
    assert.equal(said(little, { accept: ["memory"] }), "");
    const listener = { port: "8080", pid: "7", unit: "", program: "python" };
    const foreign = withUnits({ ...live, wapt: { ...live.wapt, listener } }, () => ({ active: false }));
    const large = { ...foreign, kernel: { ...live.kernel, memoryKilobytes: 0 } };
    assert.match(said(large), /process 7 \(python\) of no unit listens on waptserver's port 8080/);
    assert.equal(said(withUnits(large, (name) => ({ active: name === "waptserver" }))), "");
    assert.match(said(withUnits(large, (name) => ({ active: name === "wapttasks" }))), /process 7/);
    assert.match(
      said(fullDisk({ ...live, kernel: { ...live.kernel, memoryKilobytes: 0 } }, "/opt/wapt/conf")),
      /^preflight, disk: /,
    );
  });

  it("is refused a pool above PostgreSQL, and a restart of WAPT whose PostgreSQL is down where it changes something", () => {
    const conflicts = (server: Server, args: object = {}) =>
      (of(server, args).conflicts?.(NOTHING) ?? []).map(({ reason }) => reason).join("\n");
    assert.match(conflicts(live), /^a pool of 615 is above what PostgreSQL gives it: max_connections 100 less 3/);
    assert.equal(conflicts(live, { dbMaxConnections: 90 }), "");
    const down = withCluster(live, { online: false, settings: undefined });
    assert.match(conflicts(down, { dbMaxConnections: 90 }), /^WAPT runs and PostgreSQL .* does not/);
    const same = withFile(down, INI, (text) =>
      text.replace("[options]\n", "[options]\ndb_max_connections = 90\nmax_clients = 4096\n"),
    );
    assert.equal(conflicts(same, { dbMaxConnections: 90 }), "");
    assert.match(conflicts(same, { dbMaxConnections: 91 }), /^WAPT runs/);
  });

  it("waits and is kept beside PostgreSQL", () => {
    const pool = (value: string) => (id: string) => ({ db_max_connections: value })[id];
    assert.equal(of(live).heldBack?.(pool("98")).length, 1);
    assert.equal(of(live).keeps?.(pool("98")).length, 1);
    assert.deepEqual([of(live).heldBack?.(pool("97")), of(live).keeps?.(pool("97"))], [[], []]);
  });

  it("says that another machine's PostgreSQL is not known, and of pools how many there may be", () => {
    const database = { ...live.wapt.database!, isHere: false, host: "db.example" };
    assert.deepEqual(of({ ...live, wapt: { ...live.wapt, database } }).warnings, [
      "waptserver.ini's db_host is db.example, another machine: whether its PostgreSQL gives a pool of 615 " +
        "is not known here. Tune it with a PostgresConnections of that host, of 625 or more",
    ]);
    const unknown = { ...live, wapt: { ...live.wapt, pools: { count: 1, unknown: "it does not say" } } };
    assert.match((of(unknown).warnings ?? []).join(), /^it does not say, each with a pool of its own/);
    assert.deepEqual(of(unknown, { dbMaxConnections: 50 }).warnings, []);
    assert.deepEqual(of(live).warnings, []);
  });
});

describe("a plan of a former target", () => {
  it("gives a unit of WAPT's its own limit back once that is gone", () => {
    const record = { "waptserver-old.service LimitNOFILE": { ...entry("32768"), id: "id-KernelLimits" } };
    const claim = claimOf({ ...live, record }, "KernelLimits", 2500);
    assert.deepEqual(ids(claim.target.abandoned), ["waptserver-old.service LimitNOFILE"]);
    assert.ok(planOf({ ...live, record }, claim).record !== undefined);
  });
});
