import assert from "node:assert/strict";
import { test } from "node:test";
import type { remote } from "@pulumi/command/types/input";
import { connectionSchema, environmentCredentials, secretFields } from "../../provider/ssh/connection";

function problems(value: unknown): string[] {
  return (connectionSchema.safeParse(value).error?.issues ?? []).map((issue) => issue.message);
}

test("every field of @pulumi/command's connections, and ours", () => {
  const proxy: Required<remote.ProxyConnectionArgs> = {
    agentSocketPath: "/run/agent",
    dialErrorLimit: -1,
    host: "bastion",
    hostKey: "ssh-ed25519 AAAA",
    password: "p",
    perDialTimeout: 0,
    port: 22,
    privateKey: "k",
    privateKeyPassword: "q",
    user: "root",
  };
  const theirs: Required<remote.ConnectionArgs> = { ...proxy, host: "paris", proxy };
  const ours = { sudo: true, sudoPassword: "s", hostKeyChecking: "strict", knownHosts: ["/a", "/b"] };
  assert.deepEqual(problems({ ...theirs, ...ours }), []);
  assert.deepEqual(problems({ host: "fe80::1%eth0" }), []);
});

test("what is wrong is said in a sentence, without the value", () => {
  const cases: [unknown, RegExp][] = [
    [{}, /^give connection\.host, the name or address of the server$/],
    [{ host: "" }, /^give connection\.host/],
    [{ host: "root@paris" }, /give the user as connection\.user/],
    [{ host: "paris:2222" }, /give the port as connection\.port/],
    [{ host: "-oProxyCommand=x" }, /does not begin with a hyphen/],
    [{ host: "a b" }, /has no blanks/],
    [{ host: "a", port: 0 }, /from 1 to 65535/],
    [{ host: "a", port: 70000 }, /from 1 to 65535/],
    [{ host: "a", port: "22" }, /from 1 to 65535/],
    [{ host: "a", prot: 22 }, /^prot: no such field of a connection: did you mean port\?$/],
    [{ host: "a", proxy: { host: "b", secret: 1 } }, /^secret: no such field/],
    [{ host: "a", proxy: {} }, /^give connection\.host/],
    [{ host: "a", user: "" }, /connection\.user is empty/],
    [{ host: "a", password: "top\nsecret" }, /connection\.password is one line/],
    [{ host: "a", hostKeyChecking: "maybe" }, /"strict", "accept-new" or "off"/],
    [{ host: "a", dialErrorLimit: -2 }, /whole number, or -1/],
    [{ host: "a", perDialTimeout: -1 }, /number of seconds/],
    [{ host: "a", sudoPassword: "top secret" }, /sudoPassword is given, but not sudo: add sudo: true/],
  ];
  for (const [value, message] of cases) {
    const found = problems(value);
    assert.equal(found.length, 1, JSON.stringify(found));
    assert.match(found[0] ?? "", message);
    assert.doesNotMatch(found.join(), /top|secret\b(?!:)/);
  }
});

test("the secret fields are fields", () => {
  for (const field of secretFields) assert.deepEqual(problems({ host: "a", sudo: true, [field]: "x" }), []);
});

test("credentials of the environment; an empty variable is none", () => {
  const environment = {
    PULUMI_WAPT_SSH_PASSWORD: "a",
    PULUMI_WAPT_SUDO_PASSWORD: "b",
    PULUMI_WAPT_SSH_PRIVATE_KEY: "",
  };
  assert.deepEqual(environmentCredentials(environment), {
    password: "a",
    privateKey: undefined,
    privateKeyPassword: undefined,
    sudoPassword: "b",
  });
});
