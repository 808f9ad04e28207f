/** `pulumi-wapt inspect` on a real server, before and after it is tuned. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { files, lifetimes, say } from "../support/asking";
import { command } from "../support/command";
import { converge, withoutSsh } from "../support/whole-server";

const CLIENTS = 2500;

describe("pulumi-wapt inspect", { skip: skipWithoutLab() }, () => {
  let server: LabServer;
  const home = mkdtempSync(join(tmpdir(), "wapt-inspect-"));

  before(async () => {
    server = await startServer("paris");
    mkdirSync(join(home, ".ssh"), { mode: 0o700 });
    copyFileSync(server.knownHosts, join(home, ".ssh/known_hosts"));
    writeFileSync(join(home, ".ssh/config"), `Host *\n  UserKnownHostsFile ${home}/.ssh/known_hosts\n`);
  });
  after(async () => {
    await server?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const inspect = (...options: string[]) =>
    command(["inspect", server.host, "--clients", String(CLIENTS), ...options], {
      HOME: home,
      PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey,
    });

  /** What it says of each place: name, value and verdict. */
  async function shown(status: number, ...options: string[]): Promise<Record<string, string>> {
    const { code, stdout, stderr } = await inspect(...options);
    assert.deepEqual([code, stderr], [status, ""], stdout);
    const lines = stdout.trimEnd().split("\n");
    return Object.fromEntries(
      lines
        .filter((line) => !/^(problem|warning|due|owner|in use): /.test(line))
        .map((line) => {
          const [, name = "", rest = ""] = /^(.*?) {2,}(.*)$/.exec(line) ?? [];
          return [name, rest.replace(/ {2,}/g, " | ").replace(/ (right|wanted)/, " $1")];
        }),
    );
  }

  test("prints what stands beside what is needed, and changes nothing", async () => {
    const [old, alive] = [await files(server), await lifetimes(server)];
    const values = await shown(1, "--user", "admin", "--sudo");
    assert.equal(values.worker_connections, "768 | wanted 6250");
    assert.match(values.worker_rlimit_nofile ?? "", /^not set \(\d+ in force\) (\| )?wanted 32768$/);
    assert.equal(values.max_connections, "100 | wanted 625");
    assert.equal(values.db_max_connections, "not set | wanted 615");
    assert.equal(values["wapt hard nofile"], "not set | wanted 500000");
    assert.deepEqual([await files(server), await lifetimes(server)], [old, alive]);
    assert.equal((await server.exec("test -e /var/lib/pulumi-wapt")).code, 1);
  });

  test("says what is right on a tuned server, and the ceiling of a container", async () => {
    await converge(withoutSsh(server), {
      clients: CLIENTS,
      path: "/srv/wapt-uploads",
      workerRlimitNofile: 20000,
      limitNofile: 20000,
      nofile: 20000,
    });
    // The container's ceiling forbids what is wanted.
    const values = await shown(1);
    assert.equal(values.worker_connections, "6250 | right");
    assert.equal(values.max_connections, "625 | right");
    assert.equal(values.db_max_connections, "615 | right");
    assert.equal(values.worker_rlimit_nofile, "20000 | wanted 32768");
    const { stdout } = await inspect();
    assert.match(stdout, /^owner: organization\/wapt-site\/paris \(WaptServer paris\)$/m);
    assert.match(stdout, /^problem: .*this server is a container whose hard limit is 20000/m);
    assert.match(stdout, /^backlog of 0\.0\.0\.0:443 +4096 +right$/m);
  });

  test("says what is in use of what is limited, by the processes' own word", async () => {
    const held = await server.exec("sleep 20 | su postgres -c 'psql -q' >/dev/null 2>&1 & sleep 1; echo held");
    assert.equal(held.stdout.trim(), "held");
    const { stdout } = await inspect("--json");
    const [one] = JSON.parse(stdout).servers;
    const use = (pattern: RegExp) => one.headroom.find(({ what }: { what: string }) => pattern.test(what));
    const sessions = Number(
      await say(
        server,
        "su postgres -c \"psql -Atc 'select count(*) - 1 from pg_stat_activity where datname is not null'\"",
      ),
    );
    assert.deepEqual(use(/^sessions of PostgreSQL/), {
      what: "sessions of PostgreSQL",
      used: sessions,
      limit: 625,
      unit: "",
    });
    assert.ok(sessions >= 1);
    assert.equal(use(/^connections of nginx's worker/).limit, 6250);
    assert.deepEqual(
      [use(/^open files of nginx's worker/).limit, use(/^open files of waptserver/).limit],
      [20000, 20000],
    );
    assert.ok(use(/^open files of waptserver/).used > 3);
    const { used, limit } = use(/^partition of the uploads \/srv\/wapt-uploads$/);
    assert.ok(used > 0 && limit > used, JSON.stringify(one.headroom));
  });

  test("of many hosts says each one's own, and one that is down does not hide the others", async () => {
    const { code, stdout } = await command(["inspect", server.host, "127.0.0.1", "--clients", "400", "--json"], {
      HOME: home,
      PULUMI_WAPT_SSH_PRIVATE_KEY: server.privateKey,
    });
    const [paris, down] = JSON.parse(stdout).servers;
    assert.equal(code, 1);
    assert.ok(paris.findings.length >= 10);
    assert.match(down.error, /127\.0\.0\.1/);
  });

  test("needs root, and is told so", async () => {
    const { code, stderr } = await inspect("--user", "admin");
    assert.equal(code, 1, stderr);
    assert.match(stderr, /logged in as admin, who is not root/);
  });

  test("does not trust a host that it does not know", async () => {
    rmSync(join(home, ".ssh/known_hosts"));
    const { code, stderr } = await inspect();
    assert.equal(code, 1);
    assert.match(stderr, /host key/i);
  });
});
