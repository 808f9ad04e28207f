import assert from "node:assert/strict";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import type { Connection, Credentials } from "../../provider/ssh/connection";
import { closeAll, open } from "../../provider/ssh/session";
import { account } from "../support/accounts";
import { failure } from "../support/failure";
import { keyPair, Sandbox } from "../support/sandbox";
import { Sshd, whyNoSshd } from "../support/sshd";

const skip = whyNoSshd();
const sandbox = new Sandbox();
const keys = { outer: keyPair(), inner: keyPair(), server: keyPair() };
let outer: Sshd;
let inner: Sshd;
let server: Sshd;
let user: string;

describe("bastions", { skip }, () => {
  before(async () => {
    [outer, inner, server] = await Promise.all([
      Sshd.start(sandbox, "outer"),
      Sshd.start(sandbox, "inner"),
      Sshd.start(sandbox, "server"),
    ]);
    user = account(sandbox, { shell: "/bin/dash" });
    for (const [name, pair] of Object.entries(keys)) sandbox.write(`${name}.key`, `${pair.private}\n`);
    outer.authorize(keys.outer.public);
    inner.authorize(keys.inner.public);
    server.authorize(keys.server.public);
    sandbox.write(".ssh/known_hosts", outer.knownHost() + inner.knownHost() + server.knownHost());
  });
  beforeEach(async () => {
    sandbox.config();
    await Promise.all([outer.log(), inner.log(), server.log()]);
  });
  afterEach(closeAll);

  function proxied(rest: Partial<Connection> = {}): Connection {
    return {
      host: "127.0.0.1",
      port: server.port,
      user,
      privateKey: keys.server.private,
      dialErrorLimit: 1,
      proxy: { host: "127.0.0.1", port: outer.port, user, privateKey: keys.outer.private },
      ...rest,
    };
  }

  async function works(connection: Connection, credentials?: Credentials): Promise<void> {
    const host = await open(connection, credentials);
    const results = await Promise.all(Array.from({ length: 12 }, (_, i) => host.run(`echo ${i}`)));
    assert.deepEqual(
      results.map(({ stdout }) => Number(stdout.toString())),
      Array.from({ length: 12 }, (_, i) => i),
    );
  }

  test("a proxy of the arguments", async () => {
    await works(proxied());
    assert.match(await outer.log(), /Accepted publickey/);
  });

  test("a ProxyJump of two hops, each with its own name, user, port and key", async () => {
    sandbox.config(
      "Host paris",
      "HostName 127.0.0.1",
      `Port ${server.port}`,
      `IdentityFile ${sandbox.path("server.key")}`,
      `ProxyJump outer,${user}@inner:${inner.port}`,
      "Host outer",
      `Port ${outer.port}`,
      `IdentityFile ${sandbox.path("outer.key")}`,
      "Host inner",
      "Port 1",
      `IdentityFile ${sandbox.path("inner.key")}`,
      "Host outer inner",
      "HostName 127.0.0.1",
      `User ${user}`,
    );
    await works({ host: "paris", user });
    for (const bastion of [outer, inner]) assert.match(await bastion.log(), /Accepted publickey/);
  });

  test("a bastion whose own ProxyJump comes before it", async () => {
    const hop = (name: string, sshd: Sshd) => [
      `Host ${name}`,
      "HostName 127.0.0.1",
      `Port ${sshd.port}`,
      `User ${user}`,
      `IdentityFile ${sandbox.path(`${name}.key`)}`,
    ];
    sandbox.config(
      ...hop("server", server),
      "ProxyJump inner",
      ...hop("inner", inner),
      "ProxyJump outer",
      ...hop("outer", outer),
    );
    await works({ host: "server", user });
    assert.match(await outer.log(), /Accepted publickey/);
  });

  test("a ProxyJump in a circle", async () => {
    sandbox.config("Host a", "ProxyJump b", "Host b", "ProxyJump a");
    await failure("config", open({ host: "a" }), /more than 8 servers: does it go in a circle/);
  });

  test("a ProxyCommand is refused with the way out", async () => {
    sandbox.config("Host a", "ProxyCommand nc %h %p");
    await failure(
      "config",
      open({ host: "a" }),
      /reaches a by a ProxyCommand, which is not run here: use ProxyJump, or give/,
    );
    sandbox.config("Host a", "ProxyJump b", "Host b", "ProxyCommand nc %h %p");
    await failure("config", open({ host: "a" }), /reaches b by a ProxyCommand, which is not run here/);
  });

  test("one connection to the bastion for several servers behind it", async () => {
    await Promise.all([works(proxied()), works(proxied({ port: inner.port, privateKey: keys.inner.private }))]);
    assert.equal((await outer.log()).match(/Accepted publickey/g)?.length, 1);
  });

  test("the bastion's key is verified as strictly as the server's", async () => {
    const known = sandbox.write("server-only", server.knownHost());
    await failure("hostkey", open(proxied({ knownHosts: known })), new RegExp(`127.0.0.1:${outer.port} is not known`));
    const bastionOnly = sandbox.write("bastion-only", outer.knownHost());
    await failure(
      "hostkey",
      open(proxied({ knownHosts: bastionOnly })),
      new RegExp(`127.0.0.1:${server.port} is not known.*add it: ssh -o`),
    );
  });

  test("a password that is meant for the server is not shown to the bastion; a key of the environment opens it", async () => {
    const guest = account(sandbox, { shell: "/bin/dash", password: "secret" });
    const bastion = await Sshd.start(sandbox, "passwords", { lines: ["UsePAM yes", "PasswordAuthentication yes"] });
    const known = sandbox.write("known", bastion.knownHost() + server.knownHost());
    const connection = proxied({ knownHosts: known, proxy: { host: "127.0.0.1", port: bastion.port, user: guest } });
    await failure(
      "auth",
      open(connection, { password: "secret" }),
      /there was nothing to try; it accepts publickey, password/,
    );
    assert.doesNotMatch(await bastion.log(), /password/i);
    bastion.authorize(keys.outer.public);
    await works(connection, { privateKey: keys.outer.private });
  });

  test("a server that the bastion can't reach, and a bastion that does not forward", async () => {
    await failure(
      "unreachable",
      open(proxied({ port: 1 })),
      /the bastion \S+@127\.0\.0\.1:\d+ can't connect to it: Connection refused/,
    );
    const closed = await Sshd.start(sandbox, "closed", { lines: ["AllowTcpForwarding no"] });
    closed.authorize(keys.outer.public);
    const known = sandbox.write("known2", closed.knownHost());
    const proxy = { ...proxied().proxy!, port: closed.port };
    await failure(
      "unreachable",
      open(proxied({ proxy, knownHosts: known })),
      /does not permit forwarding to it \(AllowTcpForwarding/,
    );
  });

  test("a bastion that is lost while a command runs, and comes back", async () => {
    const bastion = await Sshd.start(sandbox, "mortal");
    bastion.authorize(keys.outer.public);
    const known = sandbox.write("known3", bastion.knownHost() + server.knownHost());
    const proxy = { ...proxied().proxy!, port: bastion.port };
    const host = await open(proxied({ proxy, knownHosts: known, dialErrorLimit: 3 }));
    const run = host.run("sleep 30");
    setTimeout(() => void bastion.dropConnections(), 300);
    await failure("lost", run, /the connection was lost while a command ran/);
    assert.equal((await host.run("echo again")).stdout.toString(), "again\n");
  });
});
