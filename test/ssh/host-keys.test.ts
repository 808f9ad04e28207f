import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import type { Connection } from "../../provider/ssh/connection";
import { fingerprint, hashedName } from "../../provider/ssh/known-hosts";
import { closeAll, open } from "../../provider/ssh/session";
import { failure } from "../support/failure";
import { keyPair, Sandbox } from "../support/sandbox";
import { Sshd, whyNoSshd } from "../support/sshd";

const skip = whyNoSshd("/usr/bin/ssh-keygen", "/usr/bin/ssh-keyscan");
const sandbox = new Sandbox();
const key = keyPair();
const other = keyPair();
const KNOWN = ".ssh/known_hosts";
let sshd: Sshd;
let where: string;

async function login(rest: Partial<Connection> = {}, server = sshd): Promise<void> {
  await closeAll();
  await open({ host: "127.0.0.1", port: server.port, user: "root", privateKey: key.private, ...rest });
}

async function refused(attempt: () => Promise<void>, message: RegExp | string): Promise<string> {
  await sshd.log();
  const error = await failure("hostkey", attempt(), message);
  assert.doesNotMatch(await sshd.log(), /Accepted/, "nothing was sent to a server that is not verified");
  return error.message;
}

function printOf(pair: { public: string }): string {
  return fingerprint(Buffer.from(pair.public.split(" ")[1] ?? "", "base64"));
}

/** The same line with another server's key. */
function otherKey(line: string): string {
  return `${line.split(" ")[0]} ${other.public.split(" ").slice(0, 2).join(" ")}\n`;
}

describe("host keys", { skip }, () => {
  before(async () => {
    sshd = await Sshd.start(sandbox, "hostkeys");
    sshd.authorize(key.public);
    where = `[127.0.0.1]:${sshd.port}`;
  });
  beforeEach(async () => {
    sandbox.config();
    sandbox.remove(KNOWN);
    await sshd.log();
  });
  afterEach(closeAll);

  test("an unknown server is refused; the message shows its key and the command that adds it, which does", async () => {
    const message = await refused(() => login(), /is not known: it shows ssh-ed25519 SHA256:/);
    assert.ok(message.includes(printOf(sshd.hostKeys.get("ed25519")!)), message);
    assert.match(message, /ssh-keygen -lf \/etc\/ssh\/ssh_host_ed25519_key\.pub/);
    const add = /(ssh-keyscan [^;]*?>> \S+) adds it/.exec(message)?.[1]?.split(" shows it, ")[1];
    assert.ok(add, message);
    execFileSync("/bin/sh", ["-c", add], { stdio: "ignore" });
    await login();
  });

  const accepted: Record<string, () => string> = {
    "with its port": () => sshd.knownHost(),
    hashed: () => sshd.knownHost("ed25519", hashedName(where)),
    "by a pattern": () => sshd.knownHost("ed25519", "[127.0.0.*]:*"),
    "among others": () => sshd.knownHost("ed25519", `paris,${where},lyon`),
    "without its port, with the same key": () => sshd.knownHost("ed25519", "127.0.0.1"),
    "after another key of the same type": () => otherKey(sshd.knownHost()) + sshd.knownHost(),
    "beside a revoked key that is not its own": () => `@revoked * ${other.public}\n${sshd.knownHost()}`,
  };
  for (const [name, text] of Object.entries(accepted)) {
    test(`a server that is known ${name}`, async () => {
      sandbox.write(KNOWN, text());
      await login();
    });
  }

  const unknown: Record<string, () => string> = {
    "only by a negated pattern": () => sshd.knownHost("ed25519", `*,!127.0.0.1,!${where}`),
    "only at another port": () => sshd.knownHost("ed25519", "[127.0.0.1]:1"),
    "without its port, with another key": () => otherKey(sshd.knownHost("ed25519", "127.0.0.1")),
  };
  for (const [name, text] of Object.entries(unknown)) {
    test(`a server that is known ${name} is not known`, async () => {
      sandbox.write(KNOWN, text());
      await refused(() => login(), "is not known");
    });
  }

  test("a changed key is refused in each mode that looks, with both fingerprints, the place and a command that works", async () => {
    const file = sandbox.write(KNOWN, `# first\n${otherKey(sshd.knownHost())}`);
    for (const hostKeyChecking of ["strict", "accept-new"] as const) {
      const message = await refused(
        () => login({ hostKeyChecking }),
        `has changed: ${file}:2 has ssh-ed25519 ${printOf(other)}`,
      );
      assert.ok(message.includes(`shows ssh-ed25519 ${printOf(sshd.hostKeys.get("ed25519")!)}`));
      assert.equal(readFileSync(file, "utf8").split("\n").length, 3, "nothing was added");
      const forget = /\((ssh-keygen -R [^)]*)\)/.exec(message)?.[1];
      assert.ok(forget);
      if (hostKeyChecking === "accept-new") {
        execFileSync("/bin/sh", ["-c", forget], { stdio: "ignore" });
        await login({ hostKeyChecking });
      }
    }
  });

  test("a revoked key is refused, also where it is listed as known", async () => {
    const revoked = `@revoked * ${sshd.hostKeys.get("ed25519")!.public}\n`;
    const file = sandbox.write(KNOWN, sshd.knownHost() + revoked);
    for (const hostKeyChecking of ["strict", "accept-new"] as const) {
      await refused(() => login({ hostKeyChecking }), `is revoked at ${file}:2`);
    }
  });

  test("a certificate authority is no key of the server, and the message says so", async () => {
    const file = sandbox.write(KNOWN, `@cert-authority * ${sshd.hostKeys.get("ed25519")!.public}\n`);
    await refused(() => login(), `${file}:1 trusts a certificate authority for it`);
  });

  test("accept-new writes an unknown server down, once, for its owner alone", async () => {
    await login({ hostKeyChecking: "accept-new" });
    await login({ hostKeyChecking: "accept-new" });
    assert.equal(readFileSync(sandbox.path(KNOWN), "utf8").split("\n").length, 2);
    assert.equal(statSync(sandbox.path(KNOWN)).mode & 0o777, 0o600);
    await login();
  });

  test("accept-new where it can't write refuses", async () => {
    const known = sandbox.write("not-a-folder", "");
    await refused(
      () => login({ hostKeyChecking: "accept-new", knownHosts: `${known}/known` }),
      /is new and can't be written to .*not-a-folder\/known \(E/,
    );
  });

  test("off accepts any key and writes nothing", async () => {
    sandbox.write(KNOWN, otherKey(sshd.knownHost()));
    await login({ hostKeyChecking: "off" });
    sandbox.remove(KNOWN);
    await login({ hostKeyChecking: "off" });
    assert.ok(!existsSync(sandbox.path(KNOWN)));
  });

  test("hostKey: a line of authorized_keys, with a comment or without its type; it wins over known_hosts", async () => {
    sandbox.write(KNOWN, otherKey(sshd.knownHost()));
    const [type = "", encoded = ""] = sshd.hostKeys.get("ed25519")!.public.split(" ");
    for (const hostKey of [`${type} ${encoded}`, `${type} ${encoded} root@paris\n`, ` ${encoded}`])
      await login({ hostKey });
    await refused(() => login({ hostKey: other.public }), `but connection.hostKey is ssh-ed25519 ${printOf(other)}`);
    await refused(() => login({ hostKey: other.public, hostKeyChecking: "off" }), "but connection.hostKey is");
    await failure("config", login({ hostKey: "SHA256:abc" }), /holds no public key/);
  });

  test("a server with several keys is asked for the one that is known", async () => {
    const many = await Sshd.start(sandbox, "many", { hostKeys: ["ed25519", "ecdsa", "rsa"] });
    many.authorize(key.public);
    for (const type of ["rsa", "ecdsa", "ed25519"]) {
      sandbox.write(KNOWN, many.knownHost(type));
      await login({}, many);
      await login({ hostKey: many.hostKeys.get(type)!.public }, many);
    }
    sandbox.write(KNOWN, many.knownHost("rsa"));
    await many.stop();
  });

  test("a server that shows another type of key than the known one has changed", async () => {
    sandbox.write(KNOWN, `${where} ${keyPair("ecdsa").public}\n`);
    await refused(
      () => login({ hostKeyChecking: "accept-new" }),
      /has changed: .*known_hosts:1 has ecdsa-sha2-nistp256/,
    );
  });

  test("known_hosts files of the ssh configuration, of the arguments, and a HostKeyAlias", async () => {
    const file = sandbox.write("mine", sshd.knownHost("ed25519", "alias"));
    await refused(() => login(), "is not known");
    sandbox.config("Host *", `UserKnownHostsFile /nonexistent ~/mine`, "HostKeyAlias Alias");
    await login();
    sandbox.config("Host *", "HostKeyAlias alias");
    await login({ knownHosts: file });
    await login({ knownHosts: ["/nonexistent", "~/mine"] });
    await refused(() => login({ knownHosts: "/nonexistent" }), "is not known");
    sandbox.config("Host *", "StrictHostKeyChecking no");
    await refused(() => login(), "is not known");
  });

  describe("RevokedHostKeys", () => {
    const revoked = (text: string) => {
      sandbox.write(KNOWN, sshd.knownHost());
      const file = sandbox.write("revoked", text);
      sandbox.config("Host *", `RevokedHostKeys ${file}`);
      return file;
    };
    /** A key revocation list, as ssh-keygen makes it. */
    const krl = (...keys: { public: string }[]) => {
      const files = keys.map((pair, at) => sandbox.write(`revoke${at}.pub`, `${pair.public}\n`));
      execFileSync("ssh-keygen", ["-q", "-k", "-f", sandbox.path("krl"), ...files]);
      sandbox.write(KNOWN, sshd.knownHost());
      sandbox.config("Host *", `RevokedHostKeys ${sandbox.path("krl")}`);
    };
    const own = () => sshd.hostKeys.get("ed25519")!;

    test("that lists the server's key refuses it, also where it is known, given or not looked at", async () => {
      const file = revoked(`# lost\n\n${other.public}\n  ${own().public}\n`);
      for (const rest of [{}, { hostKeyChecking: "off" }, { hostKeyChecking: "accept-new" }, { hostKey: own().public }])
        await refused(
          () => login(rest as Partial<Connection>),
          `is revoked at ${file}:4: the server needs a new host key`,
        );
    });

    test("that lists other keys alone accepts it", async () => {
      revoked(`# lost\n\n${other.public}\n`);
      await login();
      revoked("");
      await login();
    });

    test("as a key revocation list, with the server's key and without", async () => {
      krl(other, own());
      await refused(() => login(), `is revoked by ${sandbox.path("krl")}`);
      krl(other);
      await login();
    });

    test("that can't be read, or is no list, accepts no key", async () => {
      const file = revoked(`${other.public}\nSHA256:abc\n`);
      await refused(
        () => login(),
        `can't be looked up in ${file}, which RevokedHostKeys of the ssh configuration names`,
      );
      sandbox.config("Host *", `RevokedHostKeys ${sandbox.path("no-such-list")}`);
      await refused(() => login(), /can't be looked up in .*ENOENT/);
      sandbox.write("krl", "SSHKRL\n\0 rubbish");
      sandbox.config("Host *", `RevokedHostKeys ${sandbox.path("krl")}`);
      await refused(() => login(), /can't be looked up in .*krl/);
    });
  });

  test("an RSA key that is shorter than RequiredRSASize", async () => {
    const rsa = await Sshd.start(sandbox, "rsa", { hostKeys: ["rsa"] });
    rsa.authorize(key.public);
    sandbox.write(KNOWN, rsa.knownHost("rsa"));
    sandbox.config("Host *", "RequiredRSASize 2048");
    await login({}, rsa);
    sandbox.config("Host *", "RequiredRSASize 3072");
    await refused(() => login({}, rsa), "has 2048 bits, and RequiredRSASize of the ssh configuration asks for 3072");
  });

  test("HostKeyAlgorithms says which key a server may show", async () => {
    sandbox.write(KNOWN, sshd.knownHost());
    sandbox.config("Host *", "HostKeyAlgorithms ssh-ed25519,rsa-sha2-512");
    await login();
    sandbox.config("Host *", "HostKeyAlgorithms ecdsa-sha2-nistp256");
    await failure(
      "unreachable",
      login({ dialErrorLimit: 1 }),
      /no matching host key format. Compare .* HostKeyAlgorithms/,
    );
    sandbox.config("Host *", "HostKeyAlgorithms sk-ssh-ed25519@openssh.com");
    await failure(
      "config",
      login(),
      /HostKeyAlgorithms of the ssh configuration allows 127.0.0.1 only what can't be used/,
    );
  });

  test("a KnownHostsCommand is not run, and the message says so", async () => {
    sandbox.config("Host *", "KnownHostsCommand /bin/echo %H");
    await refused(() => login(), "KnownHostsCommand of the ssh configuration is not run here");
  });

  test("a name is hashed where the ssh configuration wants it", async () => {
    sandbox.config("HashKnownHosts yes");
    await login({ hostKeyChecking: "accept-new" });
    assert.match(readFileSync(sandbox.path(KNOWN), "utf8"), /^\|1\|/);
    await login();
  });
});
