import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { closeAll, open } from "../../provider/ssh/session";
import { account, homeOf } from "../support/accounts";
import { failure } from "../support/failure";
import { keyPair, Sandbox } from "../support/sandbox";
import { Sshd, whyNoSshd } from "../support/sshd";

const skip = whyNoSshd("/usr/bin/sudo", "/usr/bin/fish", "/usr/bin/tcsh");
const sandbox = new Sandbox();
const key = keyPair();
const password = "it's a \\n $pass!word";
let sshd: Sshd;

/** What a program must not notice of the shell that starts it. */
const PROGRAM = `main() {
  printf '%s\\n' "quote ' and \\\\ and \\$HOME !! *"
  printf '%s\\n' "$LC_ALL"
  echo 'to stderr' >&2
  return 9
}
main`;

describe("login shells", { skip }, () => {
  before(async () => {
    sshd = await Sshd.start(sandbox, "shells");
    sshd.authorize(key.public);
  });
  after(closeAll);

  async function runs(user: string, sudo: boolean, sudoPassword?: string): Promise<void> {
    const host = await open({
      host: "127.0.0.1",
      port: sshd.port,
      user,
      privateKey: key.private,
      hostKeyChecking: "off",
      sudo,
      sudoPassword,
    });
    const { stdout, stderr, code } = await host.run(PROGRAM);
    assert.equal(stdout.toString(), "quote ' and \\ and $HOME !! *\nC\n");
    assert.deepEqual([stderr, code], ["to stderr\n", 9]);
  }

  for (const shell of ["/bin/bash", "/bin/dash", "/usr/bin/fish", "/usr/bin/tcsh"]) {
    test(`${shell}: plain, with sudo, and with sudo and a password`, async () => {
      const sudoers = ["USER ALL=(root) ALL"];
      const user = account(sandbox, { shell, password, sudoers });
      await runs(user, false);
      await runs(user, true, password);
      await runs(account(sandbox, { shell, sudoers: ["USER ALL=(root) NOPASSWD: ALL"] }), true);
    });
  }

  test("profiles that print, change the locale and the umask", async () => {
    const user = account(sandbox, { password, sudoers: ["USER ALL=(root) ALL"] });
    const profile =
      "echo welcome; echo warning >&2; umask 077; export LANG=fr_FR.UTF-8 LC_ALL=fr_FR.UTF-8 LANGUAGE=fr\n";
    writeFileSync(join(homeOf(user), ".bashrc"), profile);
    await runs(user, false);
    await runs(user, true, password);
  });

  test("a tcsh that prints", async () => {
    const user = account(sandbox, { shell: "/usr/bin/tcsh" });
    writeFileSync(join(homeOf(user), ".cshrc"), "echo hello\nset prompt = '> '\n");
    await runs(user, false);
  });

  test("a login shell that lets nobody in", async () => {
    const user = account(sandbox, { shell: "/usr/sbin/nologin" });
    const message = "did not start /bin/sh (exit status 1); it printed: This account is currently not available";
    await failure("config", runs(user, false), message);
  });

  test("a key that is bound to another command", async () => {
    const bound = keyPair();
    sshd.authorize(key.public, `command="echo restricted; exit 3" ${bound.public}`);
    const user = account(sandbox);
    const host = await open({
      host: "127.0.0.1",
      port: sshd.port,
      user,
      privateKey: bound.private,
      hostKeyChecking: "off",
    });
    await assert.rejects(host.run("true"), /exit status 3\); it printed: restricted/);
  });
});
