/**
 * Secrets are planted wherever they may be given and on the server; then all that Pulumi writes and prints, and the
 * server's process list and files, are searched for them.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { type Run, Stack } from "../../examples/demo/stack";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, say } from "../support/asking";
import { InlineProgram } from "../support/inline-program";
import { filesBelow, type Leak, leaks, newKey, newPassword, type Secrets } from "../support/leaks";
import { processesDuring } from "../support/process-list";

/** These servers share this machine's hard limit of open files. */
const LIMITS = { workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 };

const VERBOSE = ["-v=9", "--logtostderr", "--logflow"];

/**
 * Pulumi's Node.js SDK tells the engine, in a message for debugging, all that the engine answered to a registration of
 * a resource, secrets included: it stands in logs, and in `up --json`, for every resource of every package. The engine
 * masks there what is a secret of the stack's configuration, and nothing else.
 */
const SDK_DEBUG_MESSAGE = /RegisterResource RPC finished: resource:[^ ]+; err: null, resp: /;

const UP = ["up", "--yes", "--skip-preview"];

const INI = "/opt/wapt/conf/waptserver.ini";

const shown = (found: readonly Leak[]) =>
  found.map(({ secret, form, where, line }) => `${secret} in ${form}, in ${where}: ${line.slice(0, 200)}`);

describe("secrets", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let stack: Stack;
  let program: InlineProgram;
  let untouched: Record<string, string>;
  let inline: object;
  const env: Record<string, string> = {};
  const folder = mkdtempSync(join(tmpdir(), "wapt-secrets-"));
  /** All that was planted so far: what was given early must not come up late. */
  const planted: Record<string, string> = {};
  /** Those of waptserver.ini. */
  const onServer: Record<string, string> = {};
  const plant = (name: string) => (planted[name] = newPassword());
  /** What each run of the CLI printed. */
  const printed: Record<string, string> = {};

  const run = async (...args: string[]): Promise<Run> => {
    const ended = await stack.pulumi(...args);
    printed[`run ${Object.keys(printed).length + 1}, pulumi ${args.join(" ")}`] = ended.output;
    return ended;
  };
  const succeeds = async (...args: string[]): Promise<string> => {
    const { code, output } = await run(...args);
    assert.equal(code, 0, output);
    return output;
  };
  const fails = async (message: RegExp, ...args: string[]) => {
    const { code, output } = await run(...args);
    assert.notEqual(code, 0, output);
    assert.match(output, message);
  };
  const setPassword = (user: string, password: string) =>
    server.exec("chpasswd", { input: `${user}:${password}\n` }).then(({ code }) => assert.equal(code, 0));
  const letIn = (publicKey: string) => server.exec("cat > /etc/ssh/lab_authorized_keys", { input: publicKey });
  const driftOf = (connections: number) =>
    say(server, `sed -i 's/worker_connections [0-9]*/worker_connections ${connections}/' /etc/nginx/nginx.conf`);
  /** But for those that this test changes itself. */
  const configurationFiles = async () => {
    const all = Object.entries(await files(server));
    return Object.fromEntries(all.filter(([path]) => !/^\/etc\/(shadow|ssh\/lab_authorized_keys)/.test(path)));
  };
  /** Where anything planted stands in what was printed or stored. */
  const printedOrStored = () => leaks(planted, { ...printed, ...filesBelow(join(folder, "state")) });

  /** New credentials of `oncall`, all of them planted; the server lets the key in when `byKey`, else the password. */
  async function credentialsOf(origin: string, byKey: boolean) {
    const [password, sudoPassword, privateKeyPassword] = [newPassword(), newPassword(), newPassword()];
    const { privateKey, publicKey } = newKey(privateKeyPassword);
    const credentials = { password, privateKey, privateKeyPassword, sudoPassword };
    for (const [field, value] of Object.entries(credentials)) planted[`${field} of ${origin}`] = value;
    await setPassword("root", sudoPassword);
    await setPassword("oncall", byKey ? newPassword() : password);
    await letIn(byKey ? publicKey : "");
    return { credentials, publicKey };
  }

  /** Makes these secrets, by full key, the stack's whole configuration. */
  async function configure(secrets: Secrets) {
    stack.configure({});
    const { code, output } = await stack.pulumi(
      ...["config", "set-all"],
      ...Object.entries(secrets).flatMap(([key, value]) => ["--secret", `${key}=${value}`]),
    );
    assert.equal(code, 0, output);
  }

  /** A WaptServer of `oncall` with these credentials in its connection. */
  const write = (credentials: object = {}, overrides: object = {}, configured: string[] = []) => {
    const connection = { host: server.host, hostKey: server.hostKey, user: "oncall", sudo: true, ...credentials };
    program.write({ connection, clients: 2500, ...LIMITS, ...overrides }, configured);
  };

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    server = await startServer("secrets");
    program = new InlineProgram(join(folder, "program"));
    stack = new Stack({ cli, project: program.folder, name: "paris", folder, config: {}, env });
    // No key and no agent of this machine may help out.
    Object.assign(env, { HOME: folder, SSH_AUTH_SOCK: "" });
    await stack.init();
    // sudo's password is another one than the login's.
    await say(server, "echo 'Defaults:oncall rootpw' > /etc/sudoers.d/secrets");
    const token = newPassword();
    await server.exec("cat > /etc/nginx/conf.d/token.conf", { input: `map $host $token { default "${token}"; }\n` });
    const ini = await say(server, "cat /opt/wapt/conf/waptserver.ini");
    for (const key of ["db_password", "secret_key", "token_secret_key", "wapt_password"]) {
      onServer[`${key} of waptserver.ini`] = new RegExp(`^${key} = (.*)$`, "m").exec(ini)![1]!;
    }
    Object.assign(planted, { ...onServer, "a token of nginx's": token });
    untouched = await configurationFiles();
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("in the connection and its bastion's: not in previews, nor in a state", async () => {
    const bastion = await credentialsOf("the bastion", true);
    const { sudoPassword: _, ...proxy } = bastion.credentials;
    const { credentials } = await credentialsOf("the connection", false);
    // The server is its own bastion: there it takes the bastion's key, then it refuses the connection's, but takes its password.
    await letIn(bastion.publicKey);
    inline = { ...credentials, proxy: { host: server.host, hostKey: server.hostKey, user: "oncall", ...proxy } };
    write({ ...inline, password: plant("a wrong password") });
    await fails(/refused the login: tried connection.privateKey, connection.password/, "preview");
    write(inline);
    await succeeds("preview", "--diff");
    await succeeds(...UP);
    await driftOf(512);
    assert.match(await succeeds("refresh", "--yes", "--skip-preview", "--diff"), /worker_connections *: 6250 => 512/);
    await succeeds("preview", "--json");
    assert.deepEqual(shown(printedOrStored()), []);
  });

  test("in the connection: nor where runs fail, each with a reason", async () => {
    write({ ...inline, sudoPassword: plant("a wrong sudo password") });
    await fails(/sudo refused the password/, ...UP);
    write({ ...inline, pasword: plant("a password under a wrong name") });
    await fails(/pasword.* no such /, ...UP);
    write(inline);
    await say(server, "echo 'no_such_directive on;' > /etc/nginx/conf.d/broken.conf");
    await fails(/unknown directive "no_such_directive" in .*broken.conf:1/, ...UP);
    await say(server, "rm /etc/nginx/conf.d/broken.conf");
    // A line that is no option any more: it is the secret alone.
    const password = onServer["db_password of waptserver.ini"]!;
    await say(server, `cp -p ${INI} /root/ini && sed -i 's/^db_password = /\\n/' ${INI}`);
    write(inline, { maxClients: 4500 });
    await fails(/waptserver.ini:[0-9]+: /, ...UP);
    assert.equal((await say(server, `cat ${INI}`)).split("\n").includes(password), true);
    await say(server, `cp -p /root/ini ${INI} && rm /root/ini`);
    assert.deepEqual(shown(printedOrStored()), []);
  });

  test("in the connection: in the engine's own logs they stand in one message of Pulumi's SDK, and nowhere else", async () => {
    write(inline, { workerConnections: 6300 });
    const processes = await processesDuring(server, () => succeeds(...UP, "--json", ...VERBOSE));
    assert.deepEqual(shown(leaks(planted, { processes })), []);
    await succeeds("refresh", "--yes", "--skip-preview", ...VERBOSE);
    assert.deepEqual(shown(printedOrStored().filter(({ line }) => !SDK_DEBUG_MESSAGE.test(line))), []);
    for (const name of Object.keys(printed)) delete printed[name];
  });

  test("in the connection, from secrets of the stack's configuration: in no log at all", async () => {
    const { credentials } = await credentialsOf("the connection, configured", false);
    const fields = Object.keys(credentials);
    await configure(
      Object.fromEntries(Object.entries(credentials).map(([field, value]) => [`inline:${field}`, value])),
    );
    write({}, { workerConnections: 6400 }, fields);
    await succeeds(...UP, "--json", ...VERBOSE);
    assert.deepEqual(shown(printedOrStored()), []);
  });

  test("in the stack's configuration: in no log at all, nor in the server's process list", async () => {
    const { credentials } = await credentialsOf("the configuration", true);
    const configuration = {
      "pulumi-wapt:sshPassword": credentials.password,
      "pulumi-wapt:sshPrivateKey": credentials.privateKey,
      "pulumi-wapt:sshPrivateKeyPassword": credentials.privateKeyPassword,
      "pulumi-wapt:sudoPassword": credentials.sudoPassword,
    };
    await configure(configuration);
    write({}, { workerConnections: 6500 });
    const processes = await processesDuring(server, () => succeeds(...UP, "--json", ...VERBOSE));
    assert.deepEqual(shown(leaks(planted, { processes })), []);
    await driftOf(512);
    await succeeds("preview", "--diff", ...VERBOSE);
    const wrong = plant("a wrong sudo password of the configuration");
    await configure({ ...configuration, "pulumi-wapt:sudoPassword": wrong });
    write({}, { workerConnections: 6600 });
    await fails(/sudo refused the password/, ...UP, ...VERBOSE);
    assert.deepEqual(shown(printedOrStored()), []);
  });

  test("in the environment: in no log at all, nor in the server's process list", async () => {
    const { credentials } = await credentialsOf("the environment", false);
    stack.configure({});
    Object.assign(env, {
      PULUMI_WAPT_SSH_PASSWORD: credentials.password,
      PULUMI_WAPT_SSH_PRIVATE_KEY: credentials.privateKey,
      PULUMI_WAPT_SSH_PRIVATE_KEY_PASSWORD: credentials.privateKeyPassword,
      PULUMI_WAPT_SUDO_PASSWORD: credentials.sudoPassword,
    });
    write({}, { workerConnections: 6700 });
    const processes = await processesDuring(server, () => succeeds(...UP, "--json", ...VERBOSE));
    assert.deepEqual(shown(leaks(planted, { processes })), []);
    await driftOf(512);
    await succeeds("refresh", "--yes", "--skip-preview", ...VERBOSE);
    await driftOf(6700);
    env.PULUMI_WAPT_SUDO_PASSWORD = plant("a wrong sudo password of the environment");
    await fails(/sudo refused the password/, ...UP, ...VERBOSE);
    env.PULUMI_WAPT_SUDO_PASSWORD = credentials.sudoPassword;
    assert.deepEqual(shown(printedOrStored()), []);
  });

  test("destroy prints and leaves none either, and puts the server's files back", async () => {
    const processes = await processesDuring(server, () => succeeds("destroy", "--yes", "--skip-preview", ...VERBOSE));
    assert.deepEqual(shown(leaks(planted, { processes })), []);
    assert.deepEqual(shown(printedOrStored()), []);
    assert.deepEqual(await configurationFiles(), untouched);
  });

  test("on the server: no credential in any file or journal, and its own secrets only where they were, or root's", async () => {
    const patterns = Object.entries(planted).flatMap(([name, value]) =>
      name in onServer ? [] : value.split("\n").filter((line) => line !== "" && !line.startsWith("-----")),
    );
    const folders = "/etc /home /opt /root /run /srv /tmp /var/backups /var/lib/pulumi-wapt /var/log /var/tmp";
    const grep = (input: string) =>
      server
        .exec(`{ grep -rlaF -f - ${folders}; } 2>/dev/null`, { input })
        .then(({ stdout }) => stdout.trim().split("\n"));
    assert.deepEqual(await grep(`${patterns.join("\n")}\n`), ["/etc/nginx/conf.d/token.conf"]);
    const journal = await say(server, "journalctl -q -o export | tr -d '\\000'");
    assert.deepEqual(shown(leaks(planted, { journal })), []);
    const held = await grep(`${Object.values(onServer).join("\n")}\n`);
    assert.deepEqual(
      held.filter((path) => !path.startsWith("/var/backups/pulumi-wapt/")),
      [INI],
    );
    assert.equal(await say(server, "stat -c '%a %U' /var/backups/pulumi-wapt"), "700 root");
  });
});
