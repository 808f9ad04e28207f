/** Where credentials come from, and what becomes of a stack when they, or a server's name, change. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { Stack } from "../../examples/demo/stack";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, say } from "../support/asking";
import { InlineProgram } from "../support/inline-program";
import { newKey } from "../support/leaks";

const NOW = ["--yes", "--skip-preview"];

/** A key as sshd's journal names it. */
function fingerprint(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

describe("credentials", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let stack: Stack;
  let program: InlineProgram;
  let untouched: Record<string, string>;
  const env: Record<string, string> = {};
  const folder = mkdtempSync(join(tmpdir(), "wapt-credentials-"));
  const keys = { connection: newKey(), configuration: newKey(), environment: newKey(), own: newKey() };

  const succeeds = async (...args: string[]): Promise<string> => {
    const { code, output } = await stack.pulumi(...args);
    assert.equal(code, 0, output);
    return output;
  };
  const letIn = (...publicKeys: string[]) =>
    server.exec("cat > /etc/ssh/lab_authorized_keys", { input: publicKeys.join("") });
  /** The quick parts of a WaptServer; as root unless told otherwise. */
  const write = (connection: object) => {
    program.write({
      connection: { host: server.host, hostKey: server.hostKey, user: "root", ...connection },
      ...{ clients: 2500, workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 },
      omit: ["PostgresConnections", "WaptServerIni"],
    });
  };
  const connections = () => say(server, "nginx -T 2>/dev/null | grep -o 'worker_connections [0-9]*'");
  const drift = () => say(server, "sed -i 's/worker_connections [0-9]*/worker_connections 512/' /etc/nginx/nginx.conf");
  const configurationFiles = async () => {
    const all = Object.entries(await files(server));
    return Object.fromEntries(all.filter(([path]) => !/^\/etc\/(shadow|ssh\/lab_authorized_keys)/.test(path)));
  };

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    server = await startServer("credentials");
    program = new InlineProgram(join(folder, "program"));
    // An ssh configuration of its own, and none of this machine's keys.
    Object.assign(env, { HOME: folder, SSH_AUTH_SOCK: "" });
    mkdirSync(join(folder, ".ssh"));
    stack = new Stack({ cli, project: program.folder, name: "paris", folder, config: {}, env });
    await stack.init();
    untouched = await configurationFiles();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("are tried in this order: the arguments', the stack configuration's, the environment's, ssh's own", async () => {
    await letIn(...Object.values(keys).map(({ publicKey }) => publicKey));
    const accepted = async () => {
      // Of a stack that has nothing yet a preview logs in once.
      await succeeds("preview");
      const journal = await say(server, "journalctl -q -o cat -t sshd | grep '^Accepted publickey' | tail -1");
      const names = Object.entries(keys).filter(([, { publicKey }]) => journal.includes(fingerprint(publicKey)));
      return names.map(([name]) => name).join();
    };
    write({ privateKey: keys.connection.privateKey });
    stack.configure({ "pulumi-wapt:sshPrivateKey": keys.configuration.privateKey });
    env.PULUMI_WAPT_SSH_PRIVATE_KEY = keys.environment.privateKey;
    writeFileSync(join(folder, ".ssh/id_ed25519"), keys.own.privateKey, { mode: 0o600 });
    assert.equal(await accepted(), "connection");
    write({});
    assert.equal(await accepted(), "configuration");
    stack.configure({});
    assert.equal(await accepted(), "environment");
    delete env.PULUMI_WAPT_SSH_PRIVATE_KEY;
    assert.equal(await accepted(), "own");
    rmSync(join(folder, ".ssh/id_ed25519"));
  });

  test("a key that was replaced on the server: refresh goes on with the environment's", async () => {
    write({ privateKey: keys.connection.privateKey });
    await succeeds("up", ...NOW);
    assert.equal(await connections(), "worker_connections 6250");
    await letIn(keys.environment.publicKey);
    env.PULUMI_WAPT_SSH_PRIVATE_KEY = keys.environment.privateKey;
    await drift();
    assert.match(await succeeds("refresh", ...NOW, "--diff"), /worker_connections *: 6250 => 512/);
    delete env.PULUMI_WAPT_SSH_PRIVATE_KEY;
  });

  test("a key that was replaced on the server: refresh goes on with the stack configuration's", async () => {
    await letIn(keys.configuration.publicKey);
    stack.configure({ "pulumi-wapt:sshPrivateKey": keys.configuration.privateKey });
    await say(server, "sed -i 's/worker_connections 512/worker_connections 640/' /etc/nginx/nginx.conf");
    const warned = await succeeds("refresh", ...NOW);
    assert.match(warned, /refused the login: tried connection.privateKey; .*with --run-program, or after an up/);
    await succeeds("refresh", ...NOW, "--run-program");
    const { stdout } = await stack.pulumi("stack", "export");
    assert.match(stdout, /"worker_connections": 640/);
    await succeeds("up", ...NOW);
    assert.equal(await connections(), "worker_connections 6250");
    await drift();
    assert.match(await succeeds("refresh", ...NOW, "--diff"), /worker_connections *: 6250 => 512/);
    await succeeds("up", ...NOW);
  });

  test("a key that was replaced on the server: up goes on at once, and the refresh before it only warns", async () => {
    await letIn(keys.own.publicKey);
    stack.configure({ "pulumi-wapt:sshPrivateKey": keys.own.privateKey });
    assert.match(await succeeds("up", ...NOW), /refused the login/);
    await succeeds("preview", "--expect-no-changes");
  });

  test("a key that was replaced on the server: destroy goes on with the stack configuration's", async () => {
    await letIn(keys.environment.publicKey);
    stack.configure({ "pulumi-wapt:sshPrivateKey": keys.environment.privateKey });
    const { code, output } = await stack.pulumi("destroy", ...NOW);
    assert.notEqual(code, 0);
    assert.match(output, /with --run-program, or after an up/);
    assert.equal(await connections(), "worker_connections 6250");
    await succeeds("destroy", ...NOW, "--run-program");
    assert.deepEqual(await configurationFiles(), untouched);
  });

  test("a sudo password that was changed: the program's new one counts, not the state's", async () => {
    await letIn(keys.own.publicKey);
    stack.configure({});
    const oncall = (sudoPassword: string) =>
      write({ user: "oncall", privateKey: keys.own.privateKey, sudo: true, sudoPassword });
    oncall("oncall");
    await succeeds("up", ...NOW);
    await server.exec("chpasswd", { input: "oncall:another\n" });
    oncall("another");
    await drift();
    // The refresh before it has the state's password, is refused and warns; the update has the program's.
    assert.match(await succeeds("up", ...NOW), /sudo refused the password/);
    assert.equal(await connections(), "worker_connections 6250");
    await succeeds("preview", "--expect-no-changes");
  });

  test("another name for the same machine is a replacement, which stays tuned", async () => {
    writeFileSync(join(folder, ".ssh/config"), `Host wapt.paris\n  HostName ${server.host}\n`);
    write({ host: "wapt.paris", privateKey: keys.own.privateKey });
    const tuned = await configurationFiles();
    assert.match(await succeeds("up", ...NOW), /\+-1 replaced/);
    assert.deepEqual(await configurationFiles(), tuned);
    assert.equal(await connections(), "worker_connections 6250");
    await succeeds("preview", "--expect-no-changes");
  });

  test("and destroy then puts back what stood there first", async () => {
    await succeeds("destroy", ...NOW);
    assert.deepEqual(await configurationFiles(), untouched);
    assert.equal(await connections(), "worker_connections 768");
  });
});
