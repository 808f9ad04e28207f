import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import type { Connection } from "../../provider/ssh/connection";
import { closeAll, open, SshError, type SshErrorKind } from "../../provider/ssh/session";
import { type Behaviour, type InProcess, inProcess, plainTcp, runShell } from "./in-process-server";
import { keyPair, Sandbox } from "./sandbox";

new Sandbox();
afterEach(closeAll);

function to(server: InProcess, rest: Partial<Connection> = {}): Connection {
  return {
    host: "127.0.0.1",
    port: server.port,
    hostKey: server.hostKey,
    password: "pass word",
    perDialTimeout: 0.4,
    dialErrorLimit: 1,
    ...rest,
  };
}

async function failure(kind: SshErrorKind, what: Promise<unknown>, message: RegExp): Promise<SshError> {
  const error = await what.then(
    () => assert.fail("it did not fail"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SshError, String(error));
  assert.match(error.message, message);
  assert.equal(error.kind, kind);
  assert.doesNotMatch(error.stack ?? "", /pass word/);
  return error;
}

test("a port that accepts and says nothing", async () => {
  const server = await plainTcp(() => {});
  await failure("timeout", open(to(server)), /sent no SSH banner .* within 0\.4 s/);
});

test("a port that speaks something else", async () => {
  const server = await plainTcp((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await failure("timeout", open(to(server)), /key exchange did not come to its end|no SSH banner/);
});

test("a server that stops after its banner", async () => {
  const server = await plainTcp((socket) => socket.write("SSH-2.0-Stall\r\n"));
  await failure("timeout", open(to(server)), /the key exchange did not come to its end within 0\.4 s/);
});

test("a server that never decides a login", async () => {
  const server = await inProcess({ authenticate: () => {} });
  await failure("timeout", open(to(server)), /the login was not decided within 0\.4 s/);
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
  await failure("unreachable", open({ ...closed, dialErrorLimit: 3 }), /refused: does sshd listen.*\(3 attempts\)/);
  assert.ok(Date.now() - start > 500, "the attempts are apart");
});

test("a name that does not exist is not tried again", async () => {
  const server = await plainTcp(() => {});
  const start = Date.now();
  await failure(
    "unreachable",
    open({ ...to(server), host: "no-such-host.invalid", perDialTimeout: 9 }),
    /no such name|name server/,
  );
  assert.ok(Date.now() - start < 5000);
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

test("a session that is never opened", async () => {
  const server = await inProcess({ session: () => {} });
  const host = await open(to(server));
  await failure("timeout", host.run("true"), /opened no session within 0\.4 s/);
  assert.equal(server.connections(), 2, "tried once more on a new connection, as nothing had been sent");
});

test("a command whose start is never confirmed", async () => {
  const server = await inProcess({ session: (accept) => accept().on("exec", () => {}) });
  const host = await open(to(server));
  await failure("timeout", host.run("true"), /opened no session/);
});

test("a server that runs no commands", async () => {
  const session: Behaviour["session"] = (accept) => void accept().on("exec", (_accept, reject) => reject());
  const host = await open(to(await inProcess({ session })));
  await failure("config", host.run("true"), /runs no commands for this user/);
});

test("a command that does not end", async () => {
  const host = await open(to(await inProcess()));
  const start = Date.now();
  await failure("timeout", host.run("sleep 5", { timeoutSeconds: 0.3 }), /did not end within 0\.3 s; it may still be/);
  assert.ok(Date.now() - start < 2000);
  assert.equal((await host.run("echo on")).stdout.toString(), "on\n", "the connection is still good");
});

test("a connection cut in the middle of the output", async () => {
  const server = await inProcess();
  const host = await open(to(server));
  const run = host.run("printf started; sleep 5");
  setTimeout(() => server.cut(), 200);
  await failure("lost", run, /lost while a command ran; whether it came to its end is not known/);
  assert.equal((await host.run("echo anew")).stdout.toString(), "anew\n");
  assert.equal(server.connections(), 2);
});

test("a connection that dies unnoticed between two commands is dialled anew", async () => {
  const server = await inProcess();
  const host = await open(to(server));
  server.cut();
  const { stdout } = await host.run("echo anew");
  assert.equal(stdout.toString(), "anew\n");
});

test("a server that falls silent while a command runs is given up by keepalive", async () => {
  let silence = () => {};
  const server = await inProcess({
    execute: (channel, client, command) => {
      runShell(channel, command);
      const { _protocol: protocol } = client as unknown as { _protocol: { parse: unknown } };
      silence = () => {
        protocol.parse = () => {};
      };
    },
  });
  new Sandbox().config("Host *", "ServerAliveInterval 1", "ServerAliveCountMax 1");
  const host = await open(to(server));
  const run = host.run("sleep 60");
  setTimeout(() => silence(), 200);
  const start = Date.now();
  await failure("lost", run, /lost while a command ran/);
  assert.ok(Date.now() - start < 5000);
});

test("a command killed by a signal", async () => {
  const execute: Behaviour["execute"] = (channel) => {
    channel.exit("KILL", false, "");
    channel.end();
  };
  const host = await open(to(await inProcess({ execute })));
  await failure("lost", host.run("true"), /killed on the server \(SIGKILL\)/);
});

test("a session that ends without an exit status", async () => {
  const host = await open(to(await inProcess({ execute: (channel) => channel.end() })));
  await failure("lost", host.run("true"), /not known/);
});

test("one session at a time where the server allows no more", async () => {
  const server = await inProcess({ maxSessions: 1 });
  const host = await open(to(server));
  const results = await Promise.all(Array.from({ length: 12 }, (_, i) => host.run(`sleep 0.02; echo ${i}`)));
  assert.deepEqual(
    results.map(({ stdout }) => Number(stdout.toString())),
    Array.from({ length: 12 }, (_, i) => i),
  );
  assert.equal(server.connections(), 1);
});

test("a server that allows no session at all", async () => {
  const host = await open(to(await inProcess({ maxSessions: 0 })));
  await failure("unreachable", host.run("true"), /opens no session: see MaxSessions/);
});

test("never more than eight sessions at once", async () => {
  let now = 0;
  let most = 0;
  const execute = (channel: Parameters<typeof runShell>[0], _client: unknown, command: string) => {
    most = Math.max(most, ++now);
    channel.on("close", () => now--);
    runShell(channel, command);
  };
  const host = await open(to(await inProcess({ maxSessions: 100, execute })));
  await Promise.all(Array.from({ length: 30 }, () => host.run("sleep 0.02")));
  assert.ok(most > 1 && most <= 8, String(most));
});

test("a banner, and profiles that print before the program", async () => {
  const noise = Buffer.concat([Buffer.from("Welcome\nprintf "), Buffer.from([0xff, 0xfe]), Buffer.alloc(70_000, "n")]);
  const server = await inProcess({
    config: { banner: "authorised staff only", greeting: "hello" },
    execute: (channel, _client, command) => {
      channel.write(noise);
      channel.stderr.write("stdin: is not a tty");
      runShell(channel, command);
    },
  });
  const host = await open(to(server));
  const { stdout, stderr, code } = await host.run("echo out; echo err >&2; exit 7");
  assert.deepEqual([stdout.toString(), stderr, code], ["out\n", "err\n", 7]);
});

test("a profile that prints without end", async () => {
  const execute = (channel: Parameters<typeof runShell>[0]) => runShell(channel, "yes");
  const host = await open(to(await inProcess({ execute })));
  await failure("lost", host.run("true"), /more than/);
});

test("a login shell that does not run the program: what it says is quoted, without secrets", async () => {
  const execute = (channel: Parameters<typeof runShell>[0]) =>
    runShell(channel, "echo 'This account is not available: pass word'; exit 1");
  const host = await open(to(await inProcess({ execute })));
  await failure(
    "config",
    host.run("true"),
    /did not start \/bin\/sh \(exit status 1\); it printed: This account is not available: \*\*\*$/,
  );
});

test("bytes come back as they are", async () => {
  const host = await open(to(await inProcess()));
  const { stdout, stderr } = await host.run("printf '\\377\\000\\n\\303('; printf 'a\\377b' >&2");
  assert.deepEqual([...stdout], [0xff, 0, 0x0a, 0xc3, 0x28]);
  assert.equal(stderr, "a\ufffdb");
});

test("100 MB of output, and a megabyte of program", async () => {
  const host = await open(to(await inProcess()));
  const program = `${"# a line that is here for its length alone\n".repeat(25_000)}head -c 100000000 /dev/zero; echo end`;
  const { stdout } = await host.run(program);
  assert.equal(stdout.length, 100_000_004);
  assert.equal(stdout.subarray(-4).toString(), "end\n");
});

test("the program's own stdin is empty after its last line", async () => {
  const host = await open(to(await inProcess()));
  const { stdout } = await host.run("main() { cat; echo done; }\nmain");
  assert.equal(stdout.toString(), "done\n");
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
    open(${JSON.stringify(to(server, { perDialTimeout: 9 }))}).then((host) => host.run("echo ran")).then((result) => console.log(String(result.stdout)));`;
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
  const server = await inProcess({ authenticate: (context) => void setTimeout(() => context.accept(), 150) });
  const opening = open(to(server));
  setTimeout(() => void closeAll(), 50);
  await failure("lost", opening, /closed while this one was dialled/);
});
