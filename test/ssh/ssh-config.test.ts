/** What a connection takes from ssh's configuration, compared with the right values and with `ssh -G`. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Connection } from "../../provider/ssh/connection";
import { type Destination, resolveDestination } from "../../provider/ssh/destination";
import { routeOf } from "../../provider/ssh/session";
import { failure } from "../support/failure";
import { Sandbox } from "../support/sandbox";

const sandbox = new Sandbox();
const skip = existsSync("/usr/bin/ssh") ? undefined : "needs ssh (package openssh-client)";
if (skip !== undefined && process.env.CI === "true") throw new Error(`under CI this test ${skip}`);
const PATH = process.env.PATH;

/** What `ssh -G` says, in the words of a {@link Destination}. */
function asSsh(host: string, user?: string): Record<string, unknown> {
  const args = ["-F", sandbox.path(".ssh/config"), "-G", ...(user === undefined ? [] : ["-l", user]), host];
  const found = new Map<string, string[]>();
  for (const line of execFileSync("ssh", args, { stdio: ["ignore", "pipe", "pipe"] })
    .toString()
    .split("\n")) {
    const [keyword = "", ...rest] = line.split(" ");
    found.set(keyword, [...(found.get(keyword) ?? []), rest.join(" ")]);
  }
  const first = (keyword: string) => found.get(keyword)?.[0];
  return {
    host: first("hostname"),
    user: first("user"),
    port: Number(first("port")),
    identitiesOnly: first("identitiesonly") === "yes",
    proxyJump: first("proxyjump")?.split(","),
    hostKeyAlias: first("hostkeyalias"),
    serverAliveInterval: Number(first("serveraliveinterval")),
    identityFiles: found.get("identityfile")?.map((file) => file.replace(/^~/, sandbox.home)),
  };
}

async function ours(host: string, user?: string): Promise<Record<string, unknown>> {
  const target = await resolveDestination({ host, ...(user !== undefined && { user }) });
  const wanted = ["host", "user", "port", "identitiesOnly", "proxyJump", "hostKeyAlias", "serverAliveInterval"];
  return Object.fromEntries([...wanted, "identityFiles"].map((name) => [name, target[name as keyof Destination]]));
}

const CONFIGS: Readonly<Record<string, readonly string[]>> = {
  empty: [""],
  "first value counts": ["Host paris", "  Port 2201", "Host *", "  Port 2202", "  User admin"],
  "values before any Host": ["Port 2201", "Host paris", "Port 2202"],
  "other spellings": [
    "HOST=paris",
    '\tport = "2201"',
    "hostname\t10.0.0.7",
    "uSeR=admin",
    "# comment",
    "  ServerAliveInterval 7 # seven",
  ],
  patterns: ["Host par?s !lyon", "Port 2201", "Host * !paris", "Port 2202", "Host *.example ly*", "User wild"],
  "HostName of a pattern": ["Host paris lyon", "HostName %h.example", "Host *.example", "Port 2203"],
  "identity files add up": [
    "Host paris",
    "IdentityFile /one",
    "IdentityFile ~/two",
    "Host *",
    "IdentityFile /three",
    "IdentityFile /one",
    "IdentitiesOnly yes",
  ],
  jumps: ["Host paris", "ProxyJump admin@bastion:2222,inner", "Host lyon", "ProxyJump none"],
  "Match of host names": [
    "Host paris",
    "HostName 10.0.0.7",
    "Match host 10.0.0.*",
    "Port 2204",
    "Match originalhost paris",
    "User matched",
  ],
  "Match of users": ["Match user root", "Port 2205", "Match user admin,other", "Port 2206", "Host *", "User admin"],
  "Match all, final and negated": [
    "Match final",
    "Port 2207",
    "Match !host paris",
    "User notparis",
    "Match all",
    "HostKeyAlias everybody",
  ],
  "a User of the second reading": ["Match final", "User late"],
  "Match exec": ['Match exec "test %n = paris"', "Port 2208", "Match !exec true", "User nobody"],
  includes: ["Include ABSOLUTE/parts/*.conf", "Host *", "Port 2209"],
  "an Include with a set": ["Include ABSOLUTE/parts/[!a].conf", "Host *", "Port 2211"],
  "an Include in a Host": ["Host paris", "Include ABSOLUTE/parts/b.conf", "Host *", "Port 2210"],
};

for (const [name, lines] of Object.entries(CONFIGS)) {
  test(`as ssh -G reads it: ${name}`, { skip }, async () => {
    mkdirSync(sandbox.path("parts"), { recursive: true });
    sandbox.write("parts/a.conf", "Host lyon\nUser included\n");
    sandbox.write("parts/b.conf", "IdentityFile /included\nHost paris\nHostName 10.9.9.9\n");
    sandbox.write("parts/not-included", "Port 1\n");
    sandbox.config(...lines.map((line) => line.replace("ABSOLUTE", sandbox.home)));
    for (const host of ["paris", "lyon", "web.example"]) {
      for (const user of [undefined, "root", "admin"]) {
        // Without any user's name ssh logs in as the local one, a connection as root.
        const asked = user ?? (process.getuid?.() === 0 ? undefined : "root");
        assert.deepEqual(await ours(host, asked), asSsh(host, asked), `${host} ${user}`);
      }
    }
  });
}

describe("the way and the files of paris", { skip }, () => {
  const paris = ["Host paris", "  HostName 10.0.0.7", "  User admin"];
  const cases: Record<string, { lines: string[]; route: string; files?: string[] }> = {
    "a Match before HostName is known is not read again": {
      lines: ["Match host 10.0.0.7", "  Port 2222", ...paris],
      route: "admin@10.0.0.7:22",
    },
    "a Match final is read again": {
      lines: ["Match final host 10.0.0.7", "  Port 2222", ...paris],
      route: "admin@10.0.0.7:2222",
    },
    "both patterns of a criterion that stands twice must fit": {
      lines: ["Match originalhost *lyon originalhost p*", "  Port 2222", ...paris],
      route: "admin@10.0.0.7:22",
    },
    "a ProxyCommand none switches a later ProxyJump off": {
      lines: [...paris, "  ProxyCommand none", "Host *", "  ProxyJump gate.example"],
      route: "admin@10.0.0.7:22",
    },
    "a ProxyJump none switches a later ProxyCommand off": {
      lines: [...paris, "  ProxyJump none", "Host *", "  ProxyJump gate.example"],
      route: "admin@10.0.0.7:22",
    },
    "a ProxyJump switches a later ProxyCommand off": {
      lines: [...paris, "  ProxyJump jump@10.0.0.9:2022", "Host *.7 paris", "  ProxyCommand nc %h %p"],
      route: "admin@10.0.0.7:22 via jump@10.0.0.9:2022",
    },
    "a name with tokens in a ProxyJump": {
      lines: [...paris, "  ProxyJump gate-%n.example", "Host gate-*", "  User jump"],
      route: "admin@10.0.0.7:22 via jump@gate-paris.example:22",
    },
    "a # within a word is no comment": {
      lines: [...paris, "  IdentityFile ABSOLUTE/.ssh/key#2 # the second"],
      route: "admin@10.0.0.7:22",
      files: ["ABSOLUTE/.ssh/key#2"],
    },
    "quotes, blanks, tokens and the home": {
      lines: [...paris, '  IdentityFile "~/.ssh/my key"', "  IdentityFile ~/%r@%h:%p"],
      route: "admin@10.0.0.7:22",
      files: ["ABSOLUTE/.ssh/my key", "ABSOLUTE/admin@10.0.0.7:22"],
    },
    "a link-local address with its zone": {
      lines: ["Host paris", "  HostName fe80::1%%eth0", "  User admin"],
      route: "admin@[fe80::1%eth0]:22",
    },
    "without any user's name it is root, whatever follows": {
      lines: ["Host paris", "  HostName 10.0.0.7", "Host lyon", "  User admin"],
      route: "root@10.0.0.7:22",
    },
  };
  for (const [name, { lines, route, files }] of Object.entries(cases)) {
    test(name, async () => {
      const absolute = (text: string) => text.replace("ABSOLUTE", sandbox.home);
      sandbox.config(...lines.map(absolute));
      assert.equal(await routeOf({ host: "paris" }), route);
      const { identityFiles } = await resolveDestination({ host: "paris" });
      if (files !== undefined) assert.deepEqual(identityFiles, files.map(absolute));
    });
  }

  test("what the connection says goes before it", async () => {
    sandbox.config(...paris, "  Port 2222", "  ProxyJump gate", "Host gate", "  Port 2022", "  User jump");
    assert.equal(await routeOf({ host: "paris" }), "admin@10.0.0.7:2222 via jump@gate:2022");
    assert.equal(await routeOf({ host: "paris", port: 22, user: "root" }), "root@10.0.0.7:22 via jump@gate:2022");
    const proxied: Connection = { host: "paris", proxy: { host: "gate", user: "other" } };
    assert.equal(await routeOf(proxied), "admin@10.0.0.7:2222 via other@gate:2022");
  });

  test("a name that looks like an option of ssh is a name", async () => {
    sandbox.config("Host *", "  User admin", "  Port 2222");
    // Since 9.6, and where that was brought to older ones, ssh refuses such names.
    const said = (connection: Connection) => routeOf(connection).catch((error: Error) => error.message);
    assert.match(await said({ host: "-p23" }), /^(admin@-p23:2222|ssh -G -p23: hostname contains invalid characters)$/);
    const asUser = await said({ host: "paris", user: "-p23" });
    assert.match(asUser, /^(-p23@paris:2222|ssh -G paris: remote username contains invalid characters)$/);
  });
});

describe("settings of a destination", { skip }, () => {
  const paris = () => resolveDestination({ host: "paris" });

  test("several known_hosts files, a name with a blank among them, and none", async () => {
    sandbox.write("b c", "");
    sandbox.config('UserKnownHostsFile ~/a "~/b c" ~/d', "GlobalKnownHostsFile /dev/null");
    assert.deepEqual((await paris()).knownHostsFiles, [
      ...["a", "b c", "d"].map((name) => sandbox.path(name)),
      "/dev/null",
    ]);
    sandbox.config("UserKnownHostsFile none", "GlobalKnownHostsFile none");
    assert.deepEqual((await paris()).knownHostsFiles, []);
    sandbox.config("GlobalKnownHostsFile /dev/null");
    const [own, second, ...rest] = (await paris()).knownHostsFiles;
    assert.deepEqual(
      [own, second, rest],
      [sandbox.path(".ssh/known_hosts"), sandbox.path(".ssh/known_hosts2"), ["/dev/null"]],
    );
  });

  test("an agent's path, a variable that has it, and none", async () => {
    process.env.OTHER_AGENT = "/run/other";
    process.env.SSH_AUTH_SOCK = "/run/usual";
    const found = async (...lines: string[]) => {
      sandbox.config(...lines);
      return (await paris()).agentSocket;
    };
    assert.equal(await found("Port 22"), "/run/usual");
    assert.equal(await found("IdentityAgent SSH_AUTH_SOCK"), "/run/usual");
    assert.equal(await found("IdentityAgent $OTHER_AGENT"), "/run/other");
    assert.equal(await found("IdentityAgent ~/agent"), sandbox.path("agent"));
    assert.equal(await found("IdentityAgent none"), undefined);
    assert.equal(await found("PubkeyAuthentication no"), undefined);
    assert.equal((await resolveDestination({ host: "paris", agentSocketPath: "/run/mine" })).agentSocket, "/run/mine");
    delete process.env.OTHER_AGENT;
    delete process.env.SSH_AUTH_SOCK;
  });

  test("times, and the default where there is none", async () => {
    sandbox.config("ConnectTimeout 1m", "ServerAliveInterval 7", "ServerAliveCountMax 2");
    const { stageSeconds, aliveSeconds, aliveCount } = await paris();
    assert.deepEqual([stageSeconds, aliveSeconds, aliveCount], [60, 7, 2]);
    sandbox.config("Port 22");
    const without = await paris();
    assert.deepEqual([without.stageSeconds, without.aliveSeconds, without.aliveCount], [15, 15, 3]);
    assert.equal((await resolveDestination({ host: "paris", perDialTimeout: 3 })).stageSeconds, 3);
  });
});

describe("ssh -G", { skip }, () => {
  const log = () => (existsSync(sandbox.path("calls")) ? readFileSync(sandbox.path("calls"), "utf8") : "");
  beforeEach(() => {
    sandbox.remove("calls");
    mkdirSync(sandbox.path("bin"), { recursive: true });
    sandbox.write("bin/ssh", `#!/bin/sh\necho "$@" >>'${sandbox.path("calls")}'\nexec /usr/bin/ssh "$@"\n`, 0o755);
    process.env.PATH = `${sandbox.path("bin")}:${PATH}`;
  });
  afterEach(() => {
    process.env.PATH = PATH;
  });

  test("is asked once for each host, port and user, by however many, and for each server on the way", async () => {
    sandbox.config("Host paris", "  ProxyJump gate", "# asked once");
    const all = [{ host: "paris" }, { host: "paris", user: "root" }, { host: "paris", port: 23 }, { host: "lyon" }];
    const many = await Promise.all(Array.from({ length: 40 }, (_, at) => routeOf(all[at % 4]!)));
    assert.equal(new Set(many).size, 3);
    const asked = log()
      .trim()
      .split("\n")
      .map((line) => line.replace(/-F \S+ /, ""));
    const wanted = ["-G -- paris", "-G -l root -- paris", "-G -p 23 -- paris", "-G -- lyon", "-G -- gate"];
    assert.deepEqual(asked.sort(), wanted.sort());
  });

  test("is asked again when the file has changed", async () => {
    sandbox.config("Host changed", "  Port 2201");
    assert.equal(await routeOf({ host: "changed" }), "root@changed:2201");
    sandbox.config("Host changed", "  Port 2202");
    assert.equal(await routeOf({ host: "changed" }), "root@changed:2202");
  });

  test("names what it does not like, without what a terminal would obey", async () => {
    sandbox.config("Host *", "  Bogus\u001b[31mOption yes");
    const error = await failure(
      "config",
      routeOf({ host: "paris" }),
      /^ssh -G paris: .*line 2: Bad configuration option/,
    );
    assert.ok(error.message.includes(sandbox.path(".ssh/config")), error.message);
    assert.doesNotMatch(error.message, /[\u0000-\u001f]/);
    for (const broken of ['Host "paris', "Port", "Include ~/.ssh/config"]) {
      sandbox.config(broken);
      await failure("config", routeOf({ host: "paris" }), /^ssh -G paris: .*config/);
    }
  });

  test("is not waited for when a Match exec leaves something running", async () => {
    const pid = sandbox.path("left");
    sandbox.config(`Match exec "sleep 30 & echo $! >${pid}"`, "  Port 23");
    const begin = Date.now();
    assert.equal(await routeOf({ host: "paris" }), "root@paris:23");
    assert.ok(Date.now() - begin < 10_000);
    process.kill(Number(readFileSync(pid, "utf8")));
  });

  test("has no terminal, and is ended with all that it started when it hangs", async () => {
    const witness = sandbox.path("pid");
    sandbox.config(
      `Match host paris exec "(: </dev/tty) 2>/dev/null || echo none >${sandbox.path("tty")}; echo $$ >${witness}; sleep 600"`,
      "  Port 23",
    );
    await failure("config", routeOf({ host: "paris" }), /^ssh -G paris: it did not end within 20 s: .*Match exec/);
    assert.equal(readFileSync(sandbox.path("tty"), "utf8"), "none\n");
    const gone = () => !existsSync(`/proc/${readFileSync(witness, "utf8").trim()}/fd/0`);
    // Its parent takes a moment to bury it.
    for (let tries = 0; tries < 400 && !gone(); tries++) await sleep(50);
    assert.ok(gone());
  });
});

describe("without ssh", () => {
  test("no configuration is read, and that is said once", async () => {
    sandbox.config("Host paris", "  HostName 10.0.0.7", "  Port 2222");
    const code = `
      const { routeOf } = require(${JSON.stringify(join(__dirname, "../../provider/ssh/session.ts"))});
      const all = ["paris", "lyon"].map((host) => routeOf({ host }));
      Promise.all(all).then((routes) => routeOf({ host: "nice", port: 23 }).then((last) => console.log([...routes, last].join())));`;
    const env = { ...process.env, PATH: sandbox.path("nothing") };
    const run = promisify(execFile)(process.execPath, ["--import", "tsx", "--eval", code], { env, timeout: 30_000 });
    const { stdout, stderr } = await run;
    assert.equal(stdout.trim(), "root@paris:22,root@lyon:22,root@nice:23");
    assert.equal(stderr.match(/no usable ssh on this machine, so no ssh configuration is read/g)?.length, 1, stderr);
  });
});
