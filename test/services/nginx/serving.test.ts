/** Which nginx serves, and what is said where no change would reach it. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  commandLineProblems,
  type NginxState,
  nginx,
  nginxProblems,
  nginxUser,
} from "../../../provider/services/nginx/nginx";
import { replacedWarnings, servingProblems } from "../../../provider/services/nginx/serving";
import { Facts } from "../../../provider/transaction/report";

const CONF = "/etc/nginx/nginx.conf";
const TITLE = "nginx: master process /usr/sbin/nginx";

const state = (text: string, ...facts: string[][]): NginxState =>
  nginx.parse(new Facts([["conf", CONF], ["version", ""], ...facts]), new Map([[CONF, text]]), "");

const master = (pid: string, unit: string, where = "here", ports = "80 443", title = TITLE) => [
  "master",
  pid,
  unit,
  where === "account" ? "alice" : "root",
  where,
  ports,
  title,
];
const serving = (pid: string, binary = "/usr/sbin/nginx") => ["serving", pid, binary];
const said = (found: NginxState) => [...nginxProblems(found), ...servingProblems(found)].map(({ reason }) => reason);

describe("the nginx that serves", () => {
  it("is the main process of its unit, whatever that is called", () => {
    const found = state("events { }", master("12", "wapt-nginx"), serving("12"));
    assert.deepEqual(said(found), []);
    assert.equal(found.unit, "wapt-nginx");
  });

  it("may be none: then the unit is nginx's own", () => {
    const found = state("events { }");
    assert.deepEqual([said(found), found.unit], [[], "nginx"]);
  });

  it("is refused where no unit can reload it, with what it is", () => {
    const [reason] = said(state("events { }", master("12", ""), serving("12")));
    assert.match(
      reason ?? "",
      /^nginx serves as process 12 of no unit, on the ports 80 443 \(nginx: master process \/usr/,
    );
    assert.match(reason ?? "", /End it \(kill -QUIT 12\) and start nginx by its unit/);
  });

  it("is not guessed among several", () => {
    const [reason] = said(
      state("events { }", master("12", "nginx"), master("13", "", "here", "443", `${TITLE} -c /b`)),
    );
    assert.match(
      reason ?? "",
      /several nginx run on this server: process 12 of the unit nginx, .*; process 13 of no unit/,
    );
    assert.match(reason ?? "", /give nginxConf/);
  });

  for (const [where, words] of [
    ["container", /in a container \(root\)/],
    ["account", /as an account other than root \(alice\)/],
    ["root", /below a root folder of its own/],
    ["single", /without a master process/],
  ] as const) {
    it(`is not one of another ${where}`, () => {
      const [reason] = said(state("events { }", master("12", "", where)));
      assert.match(reason ?? "", /the nginx that runs is none that this server's systemd can reload: process 12/);
      assert.match(reason ?? "", words);
      assert.deepEqual(said(state("events { }", master("11", "nginx"), master("12", "", where), serving("11"))), []);
    });
  }

  it("is refused beside a nginxConf that it does not read, with both", () => {
    const [reason] = said(
      state("events { }", master("12", "nginx"), serving("12"), ["given", "/etc/nginx/other.conf"]),
    );
    assert.match(reason ?? "", /nginxConf is \/etc\/nginx\/other\.conf, but .* reads \/etc\/nginx\/nginx\.conf/);
  });

  it("may run a program that was replaced since, which is said", () => {
    const [warning] = replacedWarnings(state("", master("12", "nginx"), serving("12", "/usr/sbin/nginx (deleted)")));
    assert.match(warning ?? "", /runs a program that was replaced since, \/usr\/sbin\/nginx: restart it/);
    assert.deepEqual(replacedWarnings(state("", master("12", "nginx"), serving("12"))), []);
  });

  it("may have directives on its command line, where no file can have them too", () => {
    const options = ["options", "-g\ndaemon on; worker_rlimit_nofile 4000;"];
    const found = state("events { }", master("12", "nginx"), serving("12"), options);
    const [problem] = commandLineProblems(found, "worker_rlimit_nofile");
    assert.match(problem?.reason ?? "", /worker_rlimit_nofile 4000 is on the command line of nginx/);
    assert.deepEqual(commandLineProblems(found, "worker_connections"), []);
  });
});

describe("the user of nginx's workers", () => {
  const runs = [master("12", "nginx"), serving("12"), ["worker", "20", "1024", "1024", "daemon", "100"]];
  const stale = [
    ["clock", "1000.00", "5000.5", "4000", "100"],
    ["changed", "4999.5 /etc/nginx/nginx.conf", ""],
  ];

  it("is whom they run as, before any directive", () => {
    assert.equal(nginxUser(state("user www-data;", ...runs)), "daemon");
    assert.equal(nginxUser(state("user www-data;", ...runs), "given"), "given");
  });

  it("is whom a reload gives them, where nginx has not read its file", () => {
    assert.equal(nginxUser(state("user www-data;", ...runs, ...stale)), "www-data");
    assert.equal(nginxUser(state("events { }", ...runs, ...stale)), "nobody");
    const options = ["options", "-p\n/opt/web\n-g\nuser games;"];
    assert.equal(nginxUser(state("events { }", ...runs, ...stale, options)), "games");
  });

  it("is that of the directive, then of the build, then nobody, where none runs", () => {
    assert.equal(nginxUser(state("user wapt www-data;")), "wapt");
    const built = (name: string) =>
      nginx.parse(
        new Facts([
          ["conf", CONF],
          [name, "--prefix=/etc/nginx --user=nginx --group=nginx"],
        ]),
        new Map(),
        "",
      );
    assert.equal(nginxUser(built("version")), "nginx");
    assert.equal(nginxUser(built("built")), "nginx");
    assert.equal(nginxUser(state("events { }")), "nobody");
  });
});

/** Titles that nginx gives itself, as /proc shows them, and the options in them. */
const TITLES: [string, string[]][] = [
  ["/usr/sbin/nginx", []],
  ["nginx -g daemon on; master_process on;", ["-g", "daemon on; master_process on;"]],
  [
    "/usr/sbin/nginx -c /etc/w.conf -g daemon on; master_process on;",
    ["-c", "/etc/w.conf", "-g", "daemon on; master_process on;"],
  ],
  ["./nginx -p/opt/web -cconf/n.conf", ["-p", "/opt/web", "-c", "conf/n.conf"]],
  ["nginx -g env A=-b; user x; -qc /etc/n.conf", ["-g", "env A=-b; user x;", "-c", "/etc/n.conf"]],
  ["nginx -g user -x; pid /run/n.pid; -e stderr", ["-g", "user -x; pid /run/n.pid;", "-e", "stderr"]],
];

describe("the options of a master's title", () => {
  const program = join(__dirname, "../../../provider/services/nginx/nginx.sh");
  for (const [words, expected] of TITLES) {
    it(words, (context) => {
      const child = spawn("cat", { argv0: `nginx: master process ${words}`, stdio: ["pipe", "ignore", "ignore"] });
      context.after(() => child.kill());
      for (const shell of [["sh"], ["busybox", "sh"]]) {
        const { stdout, error } = spawnSync(
          shell[0]!,
          [...shell.slice(1), "-c", `. ${program}; nginx_of ${child.pid}; printf '%s\\n' "$options"`],
          {
            encoding: "utf8",
          },
        );
        if (!error) assert.deepEqual(stdout.split("\n").filter(Boolean), expected);
      }
    });
  }
});
