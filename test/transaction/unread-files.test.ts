/** Files that an observation does not read: it ends all the same, says which and why, and a plan is refused by name. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { RefusedError } from "../../provider/problem";
import { definitions } from "../../provider/resources";
import { isEmpty, planOf } from "../../provider/transaction/plan";
import { RECORD } from "../../provider/transaction/record";
import { claimOf, observe, shells, wholeClaim } from "../support/image";
import { localRemote, untunedServer } from "../support/local-remote";

const INI = "/opt/wapt/conf/waptserver.ini";
const CONF = "/etc/postgresql/15/main/postgresql.conf";
const SITE = "/etc/nginx/sites-enabled/wapt";
const SYSCTL = "/etc/sysctl.d/wapt.conf";

/** What takes the place of a file, and what is said of it. */
const disguises: Readonly<Record<string, readonly [make: (path: string) => void, says: string]>> = {
  "a FIFO": [(path) => execFileSync("mkfifo", [path]), "is no file but a fifo"],
  "an endless device": [(path) => symlinkSync("/dev/zero", path), "is no file but a character special file"],
  "17 MiB": [
    (path) => {
      writeFileSync(path, "");
      truncateSync(path, 17 * 2 ** 20);
    },
    `has ${17 * 2 ** 20} bytes, more than the 16 MiB that are read of a configuration file`,
  ],
  "a NUL": [(path) => writeFileSync(path, "[options]\ndb_password = a\0b\n"), "has a NUL byte, or was changed"],
  "a private key": [
    (path) => writeFileSync(path, "-----BEGIN PRIVATE KEY-----\nabc\n"),
    "holds a private key, which never leaves the server",
  ],
};

const cases: readonly (readonly [path: string, what: string, resource: string])[] = [
  [INI, "a FIFO", "WaptServerIni"],
  [INI, "an endless device", "PostgresConnections"],
  [INI, "17 MiB", "WaptServerIni"],
  [INI, "a NUL", "WaptServerIni"],
  [CONF, "a NUL", "PostgresConnections"],
  [CONF, "17 MiB", "PostgresConnections"],
  [SITE, "a FIFO", "NginxTuning"],
  [SITE, "a private key", "NginxTuning"],
  [SYSCTL, "a FIFO", "KernelLimits"],
  [SYSCTL, "17 MiB", "KernelLimits"],
];

for (const shell of shells) {
  describe(`a file that is not read, by ${shell.join(" ")}`, () => {
    it("is named: one with a line break in its name, and no other is taken for it", {
      timeout: 60_000,
    }, async (context) => {
      const root = untunedServer(context);
      for (const name of ["odd", "odd\nb.conf"])
        writeFileSync(join(root, "/etc/sysctl.d", name), "net.core.somaxconn = 5\n");
      const { files, unread } = await observe(localRemote(shell), root);
      assert.equal(files.has("/etc/sysctl.d/odd"), false);
      assert.deepEqual(unread, [
        { service: "kernel", path: "/etc/sysctl.d/odd\nb.conf", why: "has a line break in its name" },
      ]);
    });

    for (const [path, what, resource] of cases) {
      it(`is named: ${what} for ${path}, to ${resource}`, { timeout: 60_000 }, async (context) => {
        const root = untunedServer(context);
        const remote = localRemote(shell);
        rmSync(join(root, path), { force: true });
        const [make, says] = disguises[what]!;
        make(join(root, path));
        const server = await observe(remote, root);
        assert.equal(server.files.has(path), false);
        for (const claim of [claimOf(server, resource, 2500), wholeClaim(server, 2500)]) {
          assert.throws(
            () => planOf(server, claim),
            (thrown) => thrown instanceof RefusedError && thrown.message.includes(`${path} ${says}`),
          );
        }
        const other = resource === "KernelLimits" ? "ProxyTempPath" : "KernelLimits";
        assert.equal(isEmpty(planOf(server, claimOf(server, other, 2500))), false);
      });
    }

    for (const path of [RECORD, "/var/lib/pulumi-wapt/journal", "/etc/machine-id"]) {
      it(`is named to each resource: a FIFO for ${path}, on which every plan is built`, async (context) => {
        const root = untunedServer(context);
        mkdirSync(join(root, dirname(path)), { recursive: true });
        execFileSync("mkfifo", [join(root, path)]);
        const server = await observe(localRemote(shell), root);
        for (const { type } of definitions) {
          assert.throws(
            () => planOf(server, claimOf(server, type, 2500)),
            (thrown) => thrown instanceof RefusedError && thrown.message.includes(`${path} is no file but a fifo`),
          );
        }
      });
    }

    /** Commands in the observation before COMMAND reads files. */
    const beforeRead = (root: string, command: string, commands: string) => {
      const local = localRemote(shell);
      const words = `limited() { case $1 in ${command}) ${commands} ;; esac; timeout 20 "$@"; }`;
      return observe({ ...local, run: (program) => local.run(program.replace(/^observe /m, `${words}\n$&`)) }, root);
    };

    it("is not one that goes while it is looked at or read: it is not there", async (context) => {
      const root = untunedServer(context);
      const journal = join(root, "var/lib/pulumi-wapt/journal");
      mkdirSync(dirname(journal), { recursive: true });
      const local = localRemote(shell);
      const going = `stat() { case "$*" in *"${journal}") rm -f "${journal}" ;; esac; command stat "$@"; }`;
      const run = (program: string) => local.run(program.replace(/^observe /m, `${going}\n$&`));
      writeFileSync(journal, "made /srv/x\n");
      const without = await observe({ ...local, run }, root);
      assert.deepEqual([without.journal.made, without.unread], [[], []]);
      for (const command of ["cat", "head"]) {
        writeFileSync(join(root, SYSCTL), "net.core.somaxconn = 5\n");
        // A key makes that each file is sent by itself.
        if (command === "head") writeFileSync(join(root, "/etc/sysctl.d/key.conf"), "somaxconn PRIVATE KEY-----\n");
        const { files, unread } = await beforeRead(root, command, `rm -f "$root${SYSCTL}"`);
        assert.equal(files.has(SYSCTL), false);
        assert.match(files.get("/etc/nginx/nginx.conf")!, /worker_connections/);
        assert.equal(unread.length, command === "head" ? 1 : 0);
      }
    });

    it("is not one that grows while it is sent with others: each has its own bytes", async (context) => {
      const root = untunedServer(context);
      writeFileSync(join(root, SYSCTL), "net.core.somaxconn = 5\n");
      const { files, hashes } = await beforeRead(root, "cat", `echo '# and more' >>"$root${SYSCTL}"`);
      assert.match(files.get(SYSCTL)!, /^net.core.somaxconn = 5\n(# and more\n)+$/);
      for (const path of files.keys()) {
        const bytes = readFileSync(join(root, path));
        assert.equal(hashes.get(path), createHash("sha256").update(bytes).digest("hex"), path);
      }
    });

    it("is none that is larger than it says: it is sent with its own bytes, and so are the others", async (context) => {
      const root = untunedServer(context);
      symlinkSync("/proc/version", join(root, SYSCTL));
      const { files } = await observe(localRemote(shell), root);
      assert.equal(files.get(SYSCTL), readFileSync("/proc/version", "latin1"));
      assert.equal(files.get("/etc/nginx/nginx.conf"), readFileSync(join(root, "/etc/nginx/nginx.conf"), "latin1"));
    });

    it("is none where all are files: what nginx includes is sent, and no key beside it", async (context) => {
      const root = untunedServer(context);
      const conf = join(root, "/etc/nginx/nginx.conf");
      writeFileSync(join(root, "/etc/nginx/server.key"), "-----BEGIN PRIVATE KEY-----\nabc\n");
      writeFileSync(join(root, "/etc/nginx/not included"), "secret");
      writeFileSync(join(root, "/etc/nginx/it's one"), "# of its own\n");
      writeFileSync(conf, `${readFileSync(conf, "latin1")}\n# include server.key;\ninclude "/etc/nginx/it's o*";\n`);
      const server = await observe(localRemote(shell), root);
      const sent = [...server.files.keys()].filter((path) => path.startsWith("/etc/nginx/"));
      assert.deepEqual(sent.sort(), ["/etc/nginx/it's one", "/etc/nginx/nginx.conf", SITE]);
      assert.deepEqual(server.unread, []);
    });
  });
}
