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
import { files, say } from "./asking";
import { InlineProgram } from "./inline-program";
import { filesBelow, type Leak, leaks, newKey, newPassword, type Secrets } from "./leaks";
import { processesDuring } from "./process-list";

/** These servers share this machine's hard limit of open files. */
const LIMITS = { workerRlimitNofile: 20000, limitNofile: 20000, nofile: 20000 };

const VERBOSE = ["-v=9", "--logtostderr", "--logflow"];

/**
 * Pulumi's Node.js SDK tells the engine, in a message for debugging, all that the engine answered to a registration of
 * a resource, secrets included: it stands in logs, and in `up --json`, for every resource of every package. The engine
 * masks there what is a secret of the stack's configuration, and nothing else.
 */
const SDK_DEBUG_MESSAGE = /RegisterResource RPC finished: resource:[^ ]+; err: null, resp: /;

const withoutSdk = (found: readonly Leak[]) => found.filter(({ line }) => !SDK_DEBUG_MESSAGE.test(line));

const shown = (found: readonly Leak[]) =>
  found.map(({ secret, form, where, line }) => `${secret} in ${form}, in ${where}: ${line.slice(0, 200)}`);

describe("secrets", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  let stack: Stack;
  let program: InlineProgram;
  let untouched: Record<string, string>;
  const env: Record<string, string> = {};
  const folder = mkdtempSync(join(tmpdir(), "wapt-secrets-"));
  /** All that was planted so far: what was given early must not come up late. */
  const planted: Record<string, string> = {};
  /** What each run of the CLI printed. */
  const printed: Record<string, string> = {};

  const run = async (...args: string[]): Promise<Run> => {
    const began = Date.now();
    const ended = await stack.pulumi(...args);
    printed[`${Object.keys(printed).length + 1}. pulumi ${args.join(" ")}`] = ended.output;
    console.error(args.join(" "), ended.code, Date.now() - began);
    return ended;
  };
  const succeeds = async (...args: string[]) => {
    const ended = await run(...args);
    assert.equal(ended.code, 0, ended.output);
    return ended.output;
  };
  const fails = async (message: RegExp, ...args: string[]) => {
    const ended = await run(...args);
    assert.notEqual(ended.code, 0, ended.output);
    assert.match(ended.output, message);
  };
  const up = ["up", "--yes", "--skip-preview"];
  const setPassword = (user: string, password: string) =>
    server.exec("chpasswd", { input: `${user}:${password}\n` }).then(({ code }) => assert.equal(code, 0));
  const allow = (...keys: string[]) => server.exec("cat > /etc/ssh/lab_authorized_keys", { input: keys.join("") });
  const searched = () => leaks(planted, { ...printed, ...filesBelow(join(folder, "state")) });

  /** Credentials for `oncall`, all of them planted: the key is let in when `byKey`, else the password. */
  async function newCredentials(origin: string, byKey: boolean) {
    const [password, sudoPassword, privateKeyPassword] = [newPassword(), newPassword(), newPassword()];
    const { privateKey, publicKey } = newKey(privateKeyPassword);
    const credentials = { password, privateKey, privateKeyPassword, sudoPassword };
    for (const [field, value] of Object.entries(credentials)) planted[`${field} of ${origin}`] = value;
    await setPassword("root", sudoPassword);
    if (!byKey) await setPassword("oncall", password);
    return { credentials, publicKey: byKey ? publicKey : "" };
  }

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
    planted["a password in nginx's configuration"] = newPassword();
    await server.exec("cat > /etc/nginx/conf.d/token.conf", {
      input: `map $host $backend_token { default "${planted["a password in nginx's configuration"]}"; }\n`,
    });
    const ini = await say(server, "cat /opt/wapt/conf/waptserver.ini");
    for (const key of ["db_password", "secret_key", "token_secret_key", "wapt_password"]) {
      planted[`${key} in waptserver.ini`] = new RegExp(`^${key} = (.*)$`, "m").exec(ini)![1]!;
    }
    untouched = await files(server);
  });
  after(async () => {
    await server?.stop();
    if (!process.env.KEEP) rmSync(folder, { recursive: true, force: true });
    else console.error(folder);
  });

  test("inline", async () => {
    const { credentials } = await newCredentials("the connection", false);
    const bastion = await newCredentials("the bastion", true);
    await setPassword("root", credentials.sudoPassword);
    await allow(bastion.publicKey);
    const { sudoPassword: _, ...proxy } = bastion.credentials;
    const at = { host: server.host, user: "oncall", hostKey: server.hostKey };
    const args = { connection: { ...at, ...credentials, sudo: true, proxy: { ...at, ...proxy } }, clients: 2500, ...LIMITS };
    program.write(args);
    await succeeds("preview", "--diff");
    await succeeds("preview", "--json");
    const processes = await processesDuring(server, () => succeeds(...up, ...VERBOSE));
    await succeeds(...up, "--json");
    console.error(leaks(planted, { processes }));
    console.error([...new Set(searched().map(({ secret, form, where, line }) => `${secret} ${form} ${where.slice(0, 90)} ${line.slice(0, 150)}`))].join("\n"));
  });
});
