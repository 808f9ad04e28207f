import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { userInfo } from "node:os";
import { test } from "node:test";
import { type HostSettings, hostSettings } from "../../provider/ssh/ssh-config";
import { SshError } from "../../provider/ssh/ssh-error";
import { Sandbox } from "../support/sandbox";

const sandbox = new Sandbox();
const noSsh = existsSync("/usr/bin/ssh") ? undefined : "needs ssh (package openssh-client)";
if (noSsh !== undefined && process.env.CI === "true") throw new Error(`under CI this test ${noSsh}`);

/** What `ssh -G` says, in the words of {@link HostSettings}; ssh fills in defaults, which are left out here. */
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
    hostName: first("hostname"),
    user: first("user"),
    port: Number(first("port")),
    identitiesOnly: first("identitiesonly") === "yes",
    proxyJump: first("proxyjump")?.split(","),
    hostKeyAlias: first("hostkeyalias"),
    serverAliveInterval: Number(first("serveraliveinterval")),
    identityFiles: found.get("identityfile")?.filter((file) => !file.startsWith("~/.ssh/id_")),
  };
}

function ours(settings: HostSettings, user: string | undefined): Record<string, unknown> {
  return {
    hostName: settings.hostName,
    user: user ?? settings.user ?? userInfo().username,
    port: settings.port ?? 22,
    identitiesOnly: settings.identitiesOnly,
    proxyJump: settings.proxyJump,
    hostKeyAlias: settings.hostKeyAlias,
    serverAliveInterval: settings.serverAliveInterval ?? 0,
    identityFiles: settings.identityFiles.length > 0 ? settings.identityFiles : [],
  };
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
    "IdentityFile /two",
    "Host *",
    "IdentityFile /three",
    "IdentityFile /one",
    "IdentitiesOnly yes",
  ],
  jumps: [
    "Host paris",
    "ProxyJump admin@bastion:2222,inner",
    "Host lyon",
    "ProxyJump none",
    "Host *",
    "ProxyJump other",
  ],
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
  "Match exec does not count": ["Host *", "Port 2208"],
  includes: ["Include ABSOLUTE/parts/*.conf", "Host *", "Port 2209"],
  "an Include with a set": ["Include ABSOLUTE/parts/[!a].conf", "Host *", "Port 2211"],
  "an Include in a Host": ["Host paris", "Include ABSOLUTE/parts/b.conf", "Host *", "Port 2210"],
};

for (const [name, lines] of Object.entries(CONFIGS)) {
  test(`as ssh -G reads it: ${name}`, { skip: noSsh }, () => {
    mkdirSync(sandbox.path("parts"), { recursive: true });
    sandbox.write("parts/a.conf", "Host lyon\nUser included\n");
    sandbox.write("parts/b.conf", "IdentityFile /included\nHost paris\nHostName 10.9.9.9\n");
    sandbox.write("parts/not-included", "Port 1\n");
    sandbox.config(...lines.map((line) => line.replace("ABSOLUTE", sandbox.home)));
    for (const host of ["paris", "lyon", "web.example"]) {
      for (const user of [undefined, "root", "admin"]) {
        assert.deepEqual(ours(hostSettings(host, user), user), asSsh(host, user), `${host} ${user}`);
      }
    }
  });
}

test("an Include that is relative to ~/.ssh, or to the home folder", () => {
  sandbox.write(".ssh/more", "Port 2211\n");
  sandbox.config("Include more");
  assert.equal(hostSettings("paris", undefined).port, 2211);
  sandbox.config("Include ~/.ssh/mor?");
  assert.equal(hostSettings("paris", undefined).port, 2211);
});

test("an Include of itself ends", () => {
  sandbox.config("Include config");
  assert.throws(() => hostSettings("paris", undefined), /Include goes deeper than 16 files/);
});

test("Match exec runs nothing and does not count, negated or not", () => {
  const witness = sandbox.path("ran");
  sandbox.config(
    `Match exec "touch ${witness}"`,
    "Port 1",
    `Match !exec "touch ${witness}"`,
    "Port 2",
    "Host *",
    "Port 3",
  );
  assert.equal(hostSettings("paris", undefined).port, 3);
  assert.ok(!existsSync(witness));
});

test("what can't be parsed is an error that shows nothing of the file", () => {
  for (const broken of ['Host "paris', "Host", 'ProxyCommand "secret']) {
    sandbox.config("Port 22", broken);
    assert.throws(
      () => hostSettings("paris", undefined),
      (error) =>
        error instanceof SshError &&
        error.kind === "config" &&
        /config can't be read/.test(error.message) &&
        !/paris|secret/.test(error.message),
    );
  }
});

test("an agent's path, and none; a ProxyCommand, unless a ProxyJump came first", () => {
  sandbox.config(
    "Host a",
    "IdentityAgent none",
    "Host b",
    "IdentityAgent /run/agent",
    "Host c",
    "ProxyCommand nc %h %p",
  );
  assert.equal(hostSettings("a", undefined).identityAgent, null);
  assert.equal(hostSettings("b", undefined).identityAgent, "/run/agent");
  assert.equal(hostSettings("c", undefined).proxyCommand, true);
  sandbox.config("ProxyJump bastion", "ProxyCommand nc %h %p");
  assert.equal(hostSettings("c", undefined).proxyCommand, false);
});

test("several known_hosts files", () => {
  sandbox.config('UserKnownHostsFile ~/a "b c"', "GlobalKnownHostsFile /dev/null");
  const settings = hostSettings("paris", undefined);
  assert.deepEqual([settings.userKnownHostsFiles, settings.globalKnownHostsFiles], [["~/a", "b c"], ["/dev/null"]]);
});
