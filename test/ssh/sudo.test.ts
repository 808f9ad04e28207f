import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { afterEach, before, describe, test } from "node:test";
import type { Connection } from "../../provider/ssh/connection";
import { closeAll, type Host, open } from "../../provider/ssh/session";
import { type AccountOptions, account } from "../support/accounts";
import { failure } from "../support/failure";
import { keyPair, Sandbox } from "../support/sandbox";
import { Sshd, whyNoSshd } from "../support/sshd";

const PASSWORD = `it's "a" \\n pass$word! `;
const skip = whyNoSshd("/usr/bin/sudo");
const sandbox = new Sandbox();
const key = keyPair();
let sshd: Sshd;

function connectionOf(user: string, rest: Partial<Connection> = {}): Connection {
  return {
    host: "127.0.0.1",
    port: sshd.port,
    user,
    privateKey: key.private,
    hostKeyChecking: "off",
    sudo: true,
    ...rest,
  };
}

async function as(options: AccountOptions, rest: Partial<Connection> = {}): Promise<Host> {
  return open(connectionOf(account(sandbox, { password: PASSWORD, ...options }), rest));
}

async function refused(host: Host, message: RegExp): Promise<void> {
  const error = await failure("sudo", host.run("id -u"), message);
  assert.ok(!(error.stack ?? "").includes(PASSWORD.trim()), "the password is not shown");
}

async function runsAsRoot(host: Host): Promise<void> {
  const { stdout, stderr, code } = await host.run(`id -u; echo "$LC_ALL"; cat; echo err >&2; exit 5`);
  assert.deepEqual([stdout.toString(), stderr, code], ["0\nC\n", "err\n", 5]);
}

const WRONG = /sudo refused the password: correct connection\.sudoPassword/;

describe("sudo", { skip }, () => {
  before(async () => {
    sshd = await Sshd.start(sandbox, "sudo");
    sshd.authorize(key.public);
  });
  afterEach(closeAll);

  test("without a password (NOPASSWD), none given", async () => {
    await runsAsRoot(await as({ sudoers: ["USER ALL=(root) NOPASSWD: ALL"] }));
  });

  test("without a password (NOPASSWD), one given all the same: it reaches no command", async () => {
    const host = await as({ sudoers: ["USER ALL=(root) NOPASSWD: ALL"] }, { sudoPassword: PASSWORD });
    await runsAsRoot(host);
    const { stderr } = await host.run("set; env");
    assert.equal(stderr, "");
  });

  test("with a password", async () => {
    const host = await as({ sudoers: ["USER ALL=(root) ALL"] }, { sudoPassword: PASSWORD });
    await runsAsRoot(host);
    await runsAsRoot(host);
  });

  test("with a password, where only /bin/sh is permitted", async () => {
    await runsAsRoot(await as({ sudoers: ["USER ALL=(root) /bin/sh"] }, { sudoPassword: PASSWORD }));
  });

  test("with a password, where sudo keeps no ticket", async () => {
    const sudoers = ["Defaults:USER timestamp_timeout=0", "USER ALL=(root) ALL"];
    await runsAsRoot(await as({ sudoers }, { sudoPassword: PASSWORD }));
  });

  test("with a password and a ticket that any session may use", async () => {
    const sudoers = ["Defaults:USER timestamp_type=global", "USER ALL=(root) ALL"];
    const host = await as({ sudoers }, { sudoPassword: PASSWORD });
    for (let i = 0; i < 3; i++) await runsAsRoot(host);
    await Promise.all([runsAsRoot(host), runsAsRoot(host), runsAsRoot(host)]);
  });

  test("with a lecture each time, a fortune of a prompt, and a log of what goes in and out", async () => {
    const sudoers = ["Defaults:USER lecture=always, passprompt=secret?, log_output, log_input", "USER ALL=(root) ALL"];
    await runsAsRoot(await as({ sudoers }, { sudoPassword: PASSWORD }));
  });

  test("the password of the login serves sudo too when no other is given", async () => {
    await runsAsRoot(await as({ sudoers: ["USER ALL=(root) ALL"] }, { password: PASSWORD }));
  });

  test("nothing of the program or the password in any command line or environment", async () => {
    const host = await as({ sudoers: ["USER ALL=(root) ALL"] }, { sudoPassword: PASSWORD });
    const { stdout } = await host.run(
      'main() { : needle; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"; }\nmain',
    );
    const shown = stdout.toString();
    assert.ok(shown.includes("/bin/sh\n-s\n"), "it looks in the right place");
    assert.ok(!shown.includes(PASSWORD) && !shown.includes("needle"));
  });

  test("a wrong password is one attempt, and is not shown again", async () => {
    const log = sandbox.path("sudo.log");
    const sudoers = [`Defaults:USER logfile=${log}`, "USER ALL=(root) ALL"];
    const connection = connectionOf(account(sandbox, { password: PASSWORD, sudoers }), { sudoPassword: "wrong" });
    const hosts = await Promise.all([open(connection), open(connection)]);
    await Promise.all(hosts.map((host) => refused(host, WRONG)));
    const start = Date.now();
    await refused(hosts[0]!, WRONG);
    assert.ok(Date.now() - start < 2000, "the second refusal comes from memory");
    assert.deepEqual(readFileSync(log, "utf8").match(/[0-9]+ incorrect password attempt/g), [
      "1 incorrect password attempt",
    ]);
  });

  test("a wrong password, and then the right one from the stack's configuration", async () => {
    const user = account(sandbox, { password: PASSWORD, sudoers: ["USER ALL=(root) ALL"] });
    const host = await open(connectionOf(user, { sudoPassword: "old" }), { sudoPassword: PASSWORD });
    await runsAsRoot(host);
  });

  test("a password is asked for and none is given", async () => {
    await refused(
      await as({ sudoers: ["USER ALL=(root) ALL"] }),
      /sudo asks for a password: give connection\.sudoPassword/,
    );
  });

  test("a user who is not in sudoers", async () => {
    await refused(
      await as({}, { sudoPassword: PASSWORD }),
      /sudo does not permit it: let the user run \/bin\/sh as root/,
    );
  });

  test("a user who may do something else", async () => {
    const host = await as({ sudoers: ["USER ALL=(root) /usr/bin/id"] }, { sudoPassword: PASSWORD });
    await refused(host, /sudo does not permit it/);
  });

  test("requiretty", async () => {
    const sudoers = ["Defaults:USER requiretty", "USER ALL=(root) NOPASSWD: ALL"];
    await refused(await as({ sudoers }), /sudo wants a terminal: remove requiretty/);
    await refused(await as({ sudoers }, { sudoPassword: PASSWORD }), /sudo wants a terminal/);
  });

  test("noexec: a root shell that can run nothing is no use, and one that may is", async () => {
    const sudoers = ["Defaults:USER noexec", "USER ALL=(root) NOPASSWD: ALL"];
    await refused(await as({ sudoers }), /lets it run no programs: exempt it from noexec/);
    await runsAsRoot(await as({ sudoers: [sudoers[0]!, "USER ALL=(root) NOPASSWD: EXEC: /bin/sh"] }));
  });

  test("an expired account", async () => {
    const user = account(sandbox, { password: PASSWORD, sudoers: ["USER ALL=(root) ALL"] });
    const host = await open(connectionOf(user, { sudoPassword: PASSWORD }));
    execFileSync("chage", ["--lastday", "2000-01-01", "--maxdays", "1", "--inactive", "0", user]);
    await refused(host, /sudo finds the account locked or expired/);
  });

  test("sudo is missing", async () => {
    const user = account(sandbox, { password: PASSWORD });
    mkdirSync(sandbox.path("bin"));
    symlinkSync("/usr/bin/env", sandbox.path("bin/env"));
    const without = await Sshd.start(sandbox, "without", { lines: [`SetEnv PATH=${sandbox.path("bin")}`] });
    without.authorize(key.public);
    for (const sudoPassword of [undefined, PASSWORD]) {
      const bare = await open(connectionOf(user, { port: without.port, sudoPassword }));
      await refused(bare, /sudo is not installed/);
    }
  });

  test("without sudo: as the user who logged in", async () => {
    const user = account(sandbox);
    const plain = await open(connectionOf(user, { sudo: false }));
    assert.equal((await plain.run("id -un")).stdout.toString().trim(), user);
    const host = await open(connectionOf(user));
    assert.equal((await host.run("id -un", { asUser: true })).stdout.toString().trim(), user);
  });

  test("root needs no sudo", async () => {
    const host = await open(connectionOf("root"));
    assert.equal((await host.run("id -u")).stdout.toString().trim(), "0");
  });
});
