import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import type { Connection, Credentials } from "../../provider/ssh/connection";
import { closeAll, open } from "../../provider/ssh/session";
import { account } from "../support/accounts";
import { failure } from "../support/failure";
import { keyPair, Sandbox } from "../support/sandbox";
import { Sshd, sshAgent, whyNoSshd } from "../support/sshd";

const skip = whyNoSshd("/usr/bin/ssh-agent");
const sandbox = new Sandbox();
const right = keyPair();
const wrong = keyPair();
const PASSPHRASE = "open, sesame";
let sshd: Sshd;
let somebody: string;

function login(rest: Partial<Connection> = {}, credentials?: Credentials, server = sshd) {
  return open({ host: "127.0.0.1", port: server.port, user: somebody, hostKeyChecking: "off", ...rest }, credentials);
}

async function works(rest: Partial<Connection> = {}, credentials?: Credentials, server = sshd): Promise<void> {
  const host = await login(rest, credentials, server);
  assert.equal((await host.run("echo in")).stdout.toString(), "in\n");
}

async function refused(attempt: Promise<unknown>, message: RegExp): Promise<void> {
  await failure("auth", attempt, message);
}

/** What ssh itself prints with the sandbox's configuration. */
function ssh(server: Sshd): string {
  const words = ["-F", sandbox.path(".ssh/config"), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"];
  const where = ["-o", "UserKnownHostsFile=/dev/null", "-p", String(server.port), "-l", somebody, "--", "127.0.0.1"];
  return execFileSync("ssh", [...words, ...where, "echo in"], { stdio: ["ignore", "pipe", "ignore"] }).toString();
}

/** The head of a private key as `ssh-keygen -t ed25519-sk` writes it: what follows its public part is on the token. */
function tokenKey(): string {
  const text = (value: string) => Buffer.concat([Buffer.from([0, 0, 0, value.length]), Buffer.from(value)]);
  const open = Buffer.concat([text("sk-ssh-ed25519@openssh.com"), text("x".repeat(32)), text("ssh:")]);
  const parts = [text("none"), text("none"), text(""), Buffer.from([0, 0, 0, 1, 0, 0, 0, open.length]), open, text("")];
  const body = Buffer.concat([Buffer.from("openssh-key-v1\0"), ...parts]).toString("base64");
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** How often the server refused somebody. */
async function refusals(server = sshd): Promise<number> {
  return ((await server.log()).match(/Failed (password|publickey|keyboard)/g) ?? []).length;
}

describe("authentication", { skip }, () => {
  before(async () => {
    sshd = await Sshd.start(sandbox, "auth");
    somebody = account(sandbox, { shell: "/bin/dash" });
  });
  beforeEach(() => {
    sshd.authorize(right.public);
    sandbox.config();
    delete process.env.SSH_AUTH_SOCK;
  });
  afterEach(closeAll);

  for (const type of ["ed25519", "ecdsa", "rsa"] as const) {
    test(`an ${type} key, plain and encrypted`, async () => {
      const plain = keyPair(type);
      const locked = keyPair(type, PASSPHRASE);
      sshd.authorize(plain.public, locked.public);
      await works({ privateKey: plain.private });
      await works({ privateKey: locked.private, privateKeyPassword: PASSPHRASE });
      await refused(
        login({ privateKey: locked.private }),
        /connection\.privateKey is encrypted, and no privateKeyPassword is given/,
      );
      const bad = { privateKey: locked.private, privateKeyPassword: "no" };
      await refused(login(bad), /is encrypted, and the privateKeyPassword does not open it/);
    });
  }

  test("keys in the forms of OpenSSL: PKCS#8, plain and encrypted, PKCS#1 and SEC 1", async () => {
    const ssh = (file: string) => execFileSync("ssh-keygen", ["-i", "-m", "PKCS8", "-f", file]).toString();
    const encoding = { publicKeyEncoding: { type: "spki", format: "pem" } } as const;
    const pkcs8 = { privateKeyEncoding: { type: "pkcs8", format: "pem" }, ...encoding } as const;
    const lock = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: PASSPHRASE } as const;
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const keys = [
      generateKeyPairSync("ec", { namedCurve: "P-256", ...pkcs8 }),
      generateKeyPairSync("ec", { namedCurve: "P-521", ...encoding, privateKeyEncoding: lock }),
      generateKeyPairSync("ec", {
        namedCurve: "P-384",
        ...encoding,
        privateKeyEncoding: { type: "sec1", format: "pem" },
      }),
      ...(["pkcs1", "pkcs8"] as const).map((type) => ({
        privateKey: rsa.privateKey.export({ type, format: "pem" }),
        publicKey: rsa.publicKey.export({ type: "spki", format: "pem" }),
      })),
    ];
    for (const [index, pair] of keys.entries()) {
      sshd.authorize(ssh(sandbox.write(`spki${index}`, String(pair.publicKey))));
      await works({ privateKey: String(pair.privateKey), privateKeyPassword: PASSPHRASE });
    }
  });

  test("an ed25519 key in PKCS#8", async () => {
    const pair = generateKeyPairSync("ed25519");
    const raw = Buffer.from(pair.publicKey.export({ format: "jwk" }).x ?? "", "base64url");
    const blob = Buffer.concat([
      Buffer.from([0, 0, 0, 11]),
      Buffer.from("ssh-ed25519"),
      Buffer.from([0, 0, 0, 32]),
      raw,
    ]);
    sshd.authorize(`ssh-ed25519 ${blob.toString("base64")}`);
    await works({ privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString() });
  });

  test("a key whose line ends were lost or changed on the way", async () => {
    await works({ privateKey: right.private.replaceAll("\n", "\r\n") });
    await works({ privateKey: `\n${right.private.replaceAll("\n", "\\n")}  ` });
  });

  test("something else in the place of a key", async () => {
    await refused(
      login({ privateKey: "~/.ssh/id_ed25519" }),
      /connection\.privateKey holds no private key \(give the key's contents/,
    );
    const broken = right.private.replace(/[A-Za-z]{20}/, "AAAA");
    await refused(login({ privateKey: broken }), /is not a private key that can be read here/);
  });

  test("an agent: named, by the environment, by the ssh configuration, or none", async () => {
    const agent = await sshAgent(sandbox, "agent1", sandbox.write("right", `${right.private}\n`));
    await refused(login(), /there was nothing to try; it accepts publickey/);
    await works({ agentSocketPath: agent });
    process.env.SSH_AUTH_SOCK = agent;
    await closeAll();
    await works();
    sandbox.config("Host *", "IdentityAgent none");
    await refused(login(), /nothing to try/);
    delete process.env.SSH_AUTH_SOCK;
    sandbox.config("Host *", `IdentityAgent "${agent}"`);
    await works();
  });

  test("an agent that is gone: the next way is tried", async () => {
    process.env.SSH_AUTH_SOCK = sandbox.path("no-agent");
    sandbox.write(".ssh/id_ed25519", `${right.private}\n`);
    await works();
    await closeAll();
    sshd.authorize();
    await refused(login(), /the agent failed: Failed to connect to agent/);
    sandbox.remove(".ssh/id_ed25519");
  });

  test("an agent with many keys: the identity file says which comes first, or is the only one", async () => {
    const files = Array.from({ length: 8 }, (_, i) => sandbox.write(`many${i}`, `${keyPair().private}\n`));
    const last = sandbox.write("last", `${right.private}\n`);
    sandbox.write("last.pub", `${right.public}\n`);
    process.env.SSH_AUTH_SOCK = await sshAgent(sandbox, "agent2", ...files, last);
    await refused(login(), /Too many authentication failures.*IdentitiesOnly yes/);
    await closeAll();
    sandbox.config("Host *", `IdentityFile ${last}`);
    await sshd.log();
    await works();
    assert.equal(await refusals(), 0);
    sandbox.config("Host *", `IdentityFile ${files[0]}`, "IdentitiesOnly yes");
    await refused(login(), /refused the login: tried the agent's keys/);
  });

  test("default key files, encrypted ones with the passphrase at hand", async () => {
    const locked = keyPair("ecdsa", PASSPHRASE);
    sandbox.write(".ssh/id_ecdsa", `${locked.private}\n`);
    sandbox.write(".ssh/id_rsa", `${keyPair("rsa").private}\n`);
    sshd.authorize(locked.public);
    await works({ privateKeyPassword: PASSPHRASE });
    await works({}, { privateKeyPassword: PASSPHRASE });
    await refused(login(), /id_ecdsa is encrypted, and no privateKeyPassword is given/);
    await refused(
      login({ privateKeyPassword: "no" }),
      /id_ecdsa is encrypted, and the privateKeyPassword does not open it/,
    );
    for (const name of ["id_ecdsa", "id_rsa"]) sandbox.remove(`.ssh/${name}`);
  });

  test("a refused key gives way to the configuration's, the environment's, and ssh's own", async () => {
    await works({ privateKey: wrong.private }, { privateKey: right.private });
    await works({ privateKey: "rubbish" }, { privateKey: right.private });
    process.env.PULUMI_WAPT_SSH_PRIVATE_KEY = right.private;
    await works({ privateKey: wrong.private }, { privateKey: keyPair().private });
    delete process.env.PULUMI_WAPT_SSH_PRIVATE_KEY;
    sandbox.config("Host *", `IdentityFile ${sandbox.write("mine", `${right.private}\n`)}`);
    await works({ privateKey: wrong.private });
  });

  test("no keys of ssh's own where the configuration says so; one that the connection gives", async () => {
    sandbox.write(".ssh/id_ed25519", `${right.private}\n`);
    for (const line of ["PubkeyAuthentication no", "PreferredAuthentications password", "IdentityFile none"]) {
      sandbox.config("Host *", line);
      await refused(login(), /nothing to try/);
      await works({ privateKey: right.private });
      await closeAll();
    }
    sandbox.remove(".ssh/id_ed25519");
  });

  test("what the configuration asks and can't be done is named when a login is refused", async () => {
    const ca = await Sshd.start(sandbox, "ca", {
      lines: [`TrustedUserCAKeys ${sandbox.write("ca.pub", right.public, 0o644)}`],
    });
    const user = sandbox.write("user", `${wrong.private}\n`);
    sandbox.write("user.pub", `${wrong.public}\n`);
    const keyOfCa = sandbox.write("ca", `${right.private}\n`);
    execFileSync("ssh-keygen", ["-q", "-s", keyOfCa, "-I", "test", "-n", somebody, sandbox.path("user.pub")]);
    const certificate = `the ssh configuration asks for the user certificate ${user}-cert.pub, which can't be used here`;
    sandbox.config("Host *", `IdentityFile ${user}`, "IdentitiesOnly yes");
    assert.match(ssh(ca), /in/, "ssh itself logs in with it");
    await refused(login({}, undefined, ca), new RegExp(`tried ${user}; it accepts publickey; ${certificate}`));
    sandbox.config("Host *", "IdentityFile none", `CertificateFile ${user}-cert.pub`);
    await refused(login({}, undefined, ca), new RegExp(certificate));
    sandbox.config("Host *", `IdentityFile ${sandbox.write("token", tokenKey())}`);
    await refused(login({}, undefined, ca), /token is on a hardware token \(sk\), which can't be used here/);
    sandbox.config("Host *", "PKCS11Provider /usr/lib/token.so", "GSSAPIAuthentication yes");
    const error = await failure("auth", login({}, undefined, ca), /asks for PKCS11Provider .usr.lib.token.so, which/);
    assert.doesNotMatch(error.message, /GSSAPI/, "this server does not accept it");
  });

  test("a refused login names what was tried, in order, and each key once", async () => {
    sshd.authorize();
    await sshd.log();
    sandbox.config("Host *", `IdentityFile ${sandbox.write("same", `${wrong.private}\n`)}`);
    const attempt = login({ privateKey: wrong.private }, { privateKey: right.private, password: "secret" });
    await refused(
      attempt,
      /refused the login: tried connection\.privateKey, the private key of the stack configuration; it accepts publickey\. Give/,
    );
    assert.equal(await refusals(), 2);
  });
});

describe("passwords", { skip }, () => {
  beforeEach(() => sandbox.config());
  afterEach(closeAll);

  async function server(...lines: string[]): Promise<Sshd> {
    const started = await Sshd.start(sandbox, `password${lines.length}${lines.join("").length}`, {
      lines: ["UsePAM yes", ...lines],
    });
    started.authorize(right.public);
    return started;
  }

  test("by the method password", async () => {
    const user = account(sandbox, { password: "secret 1" });
    const started = await server("PasswordAuthentication yes");
    await works({ user, password: "secret 1" }, undefined, started);
    await works({ user, password: "secret 0" }, { password: "secret 1" }, started);
    await started.log();
    await refused(
      login({ user, password: "secret 2" }, undefined, started),
      /tried connection\.password; it accepts publickey, password\./,
    );
    assert.equal(await refusals(started), 1);
  });

  test("by keyboard-interactive, and only once where both are offered", async () => {
    const user = account(sandbox, { password: "secret 1" });
    const only = await server("KbdInteractiveAuthentication yes");
    await works({ user, password: "secret 1" }, undefined, only);
    const both = await server("KbdInteractiveAuthentication yes", "PasswordAuthentication yes");
    await works({ user, password: "secret 1" }, undefined, both);
    await both.log();
    await refused(login({ user, password: "secret 2" }, undefined, both), /tried connection\.password/);
    assert.equal(await refusals(both), 1);
  });

  test("a key and a password, both wanted", async () => {
    const user = account(sandbox, { password: "secret 1" });
    const started = await server("PasswordAuthentication yes", "AuthenticationMethods publickey,password");
    await works({ user, privateKey: right.private, password: "secret 1" }, undefined, started);
    const without = login({ user, privateKey: right.private }, undefined, started);
    await refused(without, /tried connection\.privateKey; it accepts password/);
  });
});
