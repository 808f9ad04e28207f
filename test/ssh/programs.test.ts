import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { closeAll, open } from "../../provider/ssh/session";
import { failure } from "../support/failure";
import { type Behaviour, inProcess, runShell, to } from "../support/in-process-server";
import { Sandbox } from "../support/sandbox";

const sandbox = new Sandbox();
afterEach(closeAll);

test("a session that is never opened", async () => {
  const server = await inProcess({ session: () => {} });
  const host = await open(to(server, { perDialTimeout: 1 }));
  await failure("timeout", host.run("true"), /opened no session within 1 s/);
  assert.equal(server.connections(), 2, "tried once more on a new connection, as nothing had been sent");
});

test("a command whose start is never confirmed", async () => {
  const server = await inProcess({ session: (accept) => accept().on("exec", () => {}) });
  const host = await open(to(server, { perDialTimeout: 1 }));
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
  await failure("timeout", host.run("sleep 30", { timeoutSeconds: 0.3 }), /did not end within 0\.3 s; it may still be/);
  assert.ok(Date.now() - start < 8000);
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
  sandbox.config("Host *", "ServerAliveInterval 1", "ServerAliveCountMax 1");
  const host = await open(to(server));
  const run = host.run("sleep 60");
  setTimeout(() => silence(), 200);
  const start = Date.now();
  await failure("lost", run, /lost while a command ran/);
  assert.ok(Date.now() - start < 20_000);
  sandbox.config();
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

test("something that a command leaves behind does not hold it up", async () => {
  const host = await open(to(await inProcess()));
  const { stdout, code } = await host.run("sleep 20 & echo started; exit 3");
  assert.deepEqual([stdout.toString(), code], ["started\n", 3]);
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
  await failure("lost", host.run("true"), /the login shell printed more than 1 MiB/);
});

test("a program that says nothing is given up after a time, however long it may run; one that goes on is not", async () => {
  const host = await open(to(await inProcess()));
  const silent = host.run("echo one; sleep 5", { silenceSeconds: 0.5 });
  await failure("timeout", silent, /said nothing for 0\.5 s; it may still be/);
  const { stdout } = await host.run("for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done", { silenceSeconds: 1 });
  assert.equal(stdout.length, 12);
});

test("a program that prints more than it may is given up", async () => {
  const host = await open(to(await inProcess()));
  await failure("lost", host.run("yes", { outputLimit: 1000 }), /printed more than 1000 bytes/);
  await failure("lost", host.run("yes"), /printed more than 1 MiB/);
});

test("a login shell that does not run the program: what it says is quoted, without secrets", async () => {
  const execute = (channel: Parameters<typeof runShell>[0]) =>
    runShell(channel, "echo 'This account is not available: secret word'; exit 1");
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
  const { stdout } = await host.run(program, { outputLimit: 2 ** 27 });
  assert.equal(stdout.length, 100_000_004);
  assert.equal(stdout.subarray(-4).toString(), "end\n");
});

test("the program's own stdin is empty after its last line", async () => {
  const host = await open(to(await inProcess()));
  const { stdout } = await host.run("main() { cat; echo done; }\nmain");
  assert.equal(stdout.toString(), "done\n");
});

test("a command that ends in the very packet that opens it", async () => {
  const execute: Behaviour["execute"] = (channel) => {
    channel.resume().write("gone");
    channel.exit(3);
    channel.close();
  };
  const host = await open(to(await inProcess({ execute })));
  for (let i = 0; i < 20; i++)
    await failure("config", host.run("true", { timeoutSeconds: 5 }), "(exit status 3); it printed: gone");
});

test("a server that hangs up right after the login is dialled anew", async () => {
  let logins = 0;
  const authenticate: Behaviour["authenticate"] = (context, client) => {
    context.accept();
    if (++logins === 1) client.end();
  };
  const server = await inProcess({ authenticate });
  const host = await open(to(server));
  assert.equal((await host.run("echo again")).stdout.toString(), "again\n");
  assert.equal(server.connections(), 2);
});
