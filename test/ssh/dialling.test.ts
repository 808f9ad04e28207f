import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { AgentProtocol, utils } from "ssh2";
import { closeAll, open, SshError } from "../../provider/ssh/session";
import { failure } from "../support/failure";
import { type Behaviour, type InProcess, inProcess, plainTcp, to } from "../support/in-process-server";
import { keyPair, Sandbox } from "../support/sandbox";

const sandbox = new Sandbox();
const hasty = { perDialTimeout: 0.4 };
afterEach(closeAll);

test("a port that accepts and says nothing", async () => {
  const server = await plainTcp(() => {});
  await failure("timeout", open(to(server, hasty)), /sent no SSH banner .* within 0\.4 s/);
});

test("a port that speaks something else", async () => {
  const server = await plainTcp((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await failure("timeout", open(to(server, hasty)), /key exchange did not come to its end|no SSH banner/);
});

test("a server that stops after its banner", async () => {
  const server = await plainTcp((socket) => socket.write("SSH-2.0-Stall\r\n"));
  await failure("timeout", open(to(server, hasty)), /the key exchange did not come to its end within 0\.4 s/);
});

test("a server that never decides a login", async () => {
  const server = await inProcess({ authenticate: () => {} });
  await failure("timeout", open(to(server, hasty)), /the login was not decided within 0\.4 s/);
});

test("a server that hangs up at once is dialled again, as often as asked", async () => {
  const server = await plainTcp((socket) => socket.destroy());
  await failure("unreachable", open(to(server, { dialErrorLimit: 2 })), /hung up|reset.*\(2 attempts\)/);
  assert.equal(server.connections(), 2);
});

test("a port where nothing listens", async () => {
  const server = await plainTcp(() => {});
  const closed = { ...to(server), port: 1 };
  const start = Date.now();
  await failure("unreachable", open({ ...closed, host: "localhost" }), /refused: does sshd listen on that port\?$/);
  await failure("unreachable", open({ ...closed, dialErrorLimit: 3 }), /refused: does sshd listen.*\(3 attempts\)/);
  assert.ok(Date.now() - start > 500, "the attempts are apart");
});

test("BindAddress, BindInterface and AddressFamily of the ssh configuration", async () => {
  const from: (string | undefined)[] = [];
  const server = await plainTcp((socket) => {
    from.push(socket.remoteAddress);
    socket.destroy();
  });
  const dial = (...lines: string[]) => {
    sandbox.config("Host *", ...lines);
    return failure("unreachable", open({ ...to(server), host: "localhost" }), /^root@localhost/);
  };
  await dial("BindAddress 127.0.0.2");
  await dial("BindInterface lo", "AddressFamily inet");
  assert.deepEqual(from, ["127.0.0.2", "127.0.0.1"]);
  assert.match((await dial("AddressFamily inet6")).message, /refused|no route|can't be reached|no such name/);
  assert.match(
    (await dial("BindInterface none0")).message,
    /BindInterface none0 of the ssh configuration is no address/,
  );
  assert.match((await dial("BindAddress 192.0.2.1")).message, /can't be reached \(EADDRNOTAVAIL\)/);
  assert.equal(from.length, 2);
  sandbox.config();
});

test("algorithms that the ssh configuration does not allow are not used", async () => {
  const server = await inProcess();
  sandbox.config("Host *", "Ciphers aes256-ctr", "MACs hmac-sha2-512", "KexAlgorithms ecdh-sha2-nistp384");
  const host = await open(to(server));
  assert.equal((await host.run("echo in")).stdout.toString(), "in\n");
  assert.deepEqual(server.negotiated(), ["ecdh-sha2-nistp384", "aes256-ctr", "hmac-sha2-512"]);
  sandbox.config("Host *", "KexAlgorithms sntrup761x25519-sha512@openssh.com");
  await failure(
    "unreachable",
    open(to(server)),
    /no matching key exchange algorithm. Compare its sshd_config with Ciphers/,
  );
  sandbox.config();
});

test("a name that does not exist is not tried again", async () => {
  const server = await plainTcp(() => {});
  const start = Date.now();
  await failure("unreachable", open({ ...to(server), host: "no-such-host.invalid" }), /no such name|name server/);
  assert.ok(Date.now() - start < 20_000);
});

test("a refused login is made once, and remembered", async () => {
  const server = await inProcess({ authenticate: (context) => context.reject(["password"]) });
  const refused = () => open(to(server, { dialErrorLimit: 5 }));
  await failure("auth", Promise.all([refused(), refused()]), /tried connection\.password; it accepts password/);
  await failure("auth", refused(), /refused the login/);
  assert.equal(server.connections(), 1);
});

test("a server that hangs up during the login is not tried again", async () => {
  const server = await inProcess({ authenticate: (_context, client) => void client.end() });
  const login = open(to(server, { privateKey: keyPair().private, dialErrorLimit: 5 }));
  await failure("auth", login, /hung up during the login: tried connection.privateKey/);
  assert.equal(server.connections(), 1);
});

test("an agent that answers after the login was given up", async () => {
  const path = join(sandbox.home, "slow-agent");
  const key = utils.parseKey(keyPair().private);
  assert.ok(!(key instanceof Error));
  const agent = createServer((socket) => {
    const protocol = new AgentProtocol(false);
    protocol.on("identities", (request) => protocol.getIdentitiesReply(request, [key]));
    protocol.on("sign", (request, _key, data) => {
      setTimeout(() => protocol.signReply(request, key.sign(data)), 600);
    });
    socket.on("error", () => {});
    socket.pipe(protocol).pipe(socket);
  }).listen(path);
  const authenticate: Behaviour["authenticate"] = (context) =>
    context.method === "publickey" ? context.accept() : context.reject(["publickey"]);
  const server = await inProcess({ authenticate });
  const login = open(to(server, { ...hasty, password: undefined, agentSocketPath: path }));
  await failure("timeout", login, /the login was not decided within 0\.4 s/);
  await sleep(500);
  await open(to(server, { password: undefined, agentSocketPath: path }));
  agent.close();
});

test("whatever a server sends, it ends in an error", async () => {
  const property = fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, banner) => {
    const server = await plainTcp((socket) =>
      socket.end(Buffer.concat([Buffer.from(banner ? "SSH-2.0-x\r\n" : ""), bytes])),
    );
    await assert.rejects(open(to(server, hasty)), SshError);
  });
  await fc.assert(property, { numRuns: 30 });
});

test("one connection for all who open the same server at once, another for another login", async () => {
  const server = await inProcess();
  const hosts = await Promise.all([open(to(server)), open(to(server)), open(to(server, { sudo: true }))]);
  assert.equal(server.connections(), 1);
  assert.equal(hosts[0]?.key, `root@127.0.0.1:${server.port}`);
  await open(to(server, { password: "another" }));
  assert.equal(server.connections(), 2, "a wrong password must not ride on a right one's connection");
  await open(to(server, { hostKey: undefined, hostKeyChecking: "off" }));
  assert.equal(server.connections(), 3, "nor a verified login on one that is not");
});

test("an idle connection does not keep the process alive", async () => {
  const server = await inProcess();
  const code = `
    const { open } = require(${JSON.stringify(join(__dirname, "../../provider/ssh/session.ts"))});
    open(${JSON.stringify(to(server))}).then((host) => host.run("echo ran")).then((result) => console.log(String(result.stdout)));`;
  const child = execFile(process.execPath, ["--import", "tsx", "--eval", code], {
    timeout: 20_000,
  });
  assert.ok(child.stdout);
  let printed = "";
  child.stdout.on("data", (data) => (printed += data));
  const status = await new Promise((resolve) => child.on("close", (code) => resolve(code)));
  assert.deepEqual([printed.trim(), status], ["ran", 0]);
});

test("all connections closed while one is dialled: it is given up", async () => {
  const authenticate: Behaviour["authenticate"] = (context) => {
    void closeAll();
    setTimeout(() => context.accept(), 150);
  };
  await failure("lost", open(to(await inProcess({ authenticate }))), /closed while this one was dialled/);
});

test("a server that comes up while it is dialled", async () => {
  const real = await inProcess();
  let early = 0;
  const server = await plainTcp((socket) => {
    if (++early <= 2) socket.destroy();
    else
      socket
        .pipe(connect(real.port, "127.0.0.1"))
        .on("error", () => {})
        .pipe(socket);
  });
  const host = await open(to(server, { hostKey: real.hostKey, dialErrorLimit: undefined }));
  assert.equal((await host.run("echo up")).stdout.toString(), "up\n");
  assert.equal(early, 3);
});

test("at most eight logins at a time at one server, and more at several", async () => {
  let now = 0;
  const most = { one: 0, several: 0 };
  const counting = (which: keyof typeof most): Behaviour => ({
    authenticate: async (context) => {
      most[which] = Math.max(most[which], ++now);
      await sleep(100);
      now--;
      context.accept();
    },
  });
  const logins = (server: InProcess) =>
    Array.from({ length: 24 }, (_, i) => open(to(server, { password: `secret ${i}` })));
  const one = await inProcess(counting("one"));
  await Promise.all(logins(one));
  assert.equal(one.connections(), 24);
  assert.ok(most.one > 1 && most.one <= 8, String(most.one));
  const several = await Promise.all(Array.from({ length: 3 }, () => inProcess(counting("several"))));
  await Promise.all(several.flatMap(logins));
  assert.ok(most.several > 8 && most.several <= 24, String(most.several));
});
