/** The lab itself: its servers must fail where a real one would, and leave nothing behind. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import type { Duplex } from "node:stream";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { claim } from "../lab/claim";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";

const skip = skipWithoutLab();
/** Each is written when its service is ready, and goes when it stops. */
const READY = "test -s /run/waptserver/status.json && test -s /run/wapttasks/status.json";
/** systemd refuses a sixth start within 10 s, unless told to forget the earlier ones. */
const RESTART = "systemctl reset-failed waptserver wapttasks && systemctl restart waptserver wapttasks";

describe("a lab server", { skip }, () => {
  let server: LabServer;
  before(async () => {
    server = await startServer("paris");
  });
  after(() => server?.stop());

  test("runs nginx before waptserver, PostgreSQL with its stock limit, and both WAPT services", async () => {
    const answer = await fetch(`http://${server.host}/`);
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), { name: "waptserver" });
    assert.equal(await say(server, "runuser -u postgres -- psql -Atc 'SHOW max_connections'"), "100");
    const units = "nginx waptserver wapttasks postgresql@15-main";
    assert.equal(await say(server, `systemctl is-active ${units}`), "active\nactive\nactive\nactive");
    assert.match(await say(server, "nginx -T"), /worker_connections 768;/);
  });

  test("lets its three users in by key, under its own host key", async () => {
    assert.equal(ssh(server, "root", "id -un; hostname"), "root\nparis");
    assert.equal(ssh(server, "admin", "sudo -n id -un"), "root");
    assert.equal(ssh(server, "oncall", "sudo -n id -un || echo oncall | sudo -S -p '' id -un"), "root");
    assert.ok(readFileSync(server.knownHosts, "utf8").includes(server.hostKey));
  });

  test("runs commands with the container's capabilities, a status and an input", async () => {
    assert.deepEqual(await server.exec("cat; echo no >&2; exit 3", { input: "yes" }), {
      stdout: "yes",
      stderr: "no\n",
      code: 3,
    });
    const ceiling = Number(await say(server, "ulimit -Hn"));
    assert.notEqual((await server.exec(`ulimit -Hn ${ceiling + 1}`)).code, 0);
    await assert.rejects(server.exec("sleep 5", { timeoutSeconds: 0.2 }), /no end within 0.2 s/);
  });

  test("shows the files that a command wrote", async () => {
    await say(server, "echo here > /srv/file");
    assert.equal(readFileSync(`${server.root}/srv/file`, "utf8"), "here\n");
  });

  test("allows mounts, mount namespaces and the network's sysctls, not the machine's", async () => {
    await say(server, "mount -t tmpfs -o size=1m small /mnt && df /mnt && umount /mnt");
    await say(server, "unshare -m sh -c 'mount --bind /etc/hostname /etc/hosts'");
    assert.equal(await say(server, "sysctl -n -w net.core.somaxconn=5000"), "5000");
    assert.notEqual((await server.exec("sysctl -w fs.nr_open=4096")).code, 0);
  });
});

describe("the lab's WAPT services", { skip }, () => {
  let server: LabServer;
  const ini = "/opt/wapt/conf/waptserver.ini";
  before(async () => {
    server = await startServer("lyon");
    await say(server, `cp -p ${ini} /root/stock.ini`);
  });
  after(() => server?.stop());

  test("hold as many PostgreSQL connections as the ini says", async () => {
    const held = await pool(server, 1);
    assert.equal(held.status, 200);
    assert.deepEqual(held.pool, { held: 90, error: null });
    assert.equal(await connections(server), 94, "90 of waptserver, 4 of wapttasks");
    assert.deepEqual((await pool(server, 0)).pool, { held: 1, error: null });
  });

  test("meet PostgreSQL's refusal when the pool is larger than its limit", async () => {
    await restart(server, "s/^# db_max_connections = 90/db_max_connections = 150/");
    const refused = await pool(server, 1);
    assert.equal(refused.status, 503);
    assert.match(refused.pool.error ?? "", /connection/i);
    assert.ok(refused.pool.held < 97);
    await restart(server, "");
  });

  test("let wapttasks hold a pool by a signal", async () => {
    await say(server, "systemctl kill -s USR1 wapttasks");
    await eventually(async () => (await connections(server)) === 91);
    await say(server, "systemctl kill -s USR2 wapttasks");
    await eventually(async () => (await connections(server)) === 5);
  });

  test("serve max_clients at a time, and the next one when a client leaves", async () => {
    await restart(server, "s/^db_name/max_clients = 2\\ndb_name/");
    const clients = [await websocket(server), await websocket(server)];
    const third = fetch(`http://${server.host}/status`);
    assert.equal(await Promise.race([third.then(() => "served"), sleep(1000, "waits")]), "waits");
    clients[0]!.destroy();
    const status = (await (await third).json()) as { max_clients: number; websockets: number };
    assert.deepEqual([status.max_clients, status.websockets], [2, 1]);
    clients[1]!.destroy();
    await restart(server, "");
  });

  for (const [what, edit] of [
    ["a note after a number", "s/^db_port = 5432/db_port = 5432 ; the default/"],
    ["a key twice", "s/^db_port = 5432/db_port = 5432\\ndb_port = 5432/"],
    ["a byte-order mark", "1s/^/\\xef\\xbb\\xbf/"],
    ["no [options]", "s/^.options.$/[Options]/"],
  ] as const) {
    test(`end with status 1 at ${what} in the ini`, async () => {
      await say(server, `sed '${edit}' /root/stock.ini > ${ini} && ${RESTART}`);
      await eventually(async () => (await failures(server)) === "failed 1 failed 1");
      await restart(server, "");
    });
  }

  test("end with status 1 when PostgreSQL does not answer at their start", async () => {
    await say(server, "systemctl stop postgresql@15-main");
    await say(server, RESTART);
    await eventually(async () => (await failures(server)) === "failed 1 failed 1");
    await say(server, "systemctl start postgresql@15-main");
    await restart(server, "");
  });

  /** Restarts both services with the stock ini as edited by a sed script, and waits until they serve. */
  async function restart(to: LabServer, edit: string): Promise<void> {
    await say(to, `sed '${edit}' /root/stock.ini > ${ini} && ${RESTART}`);
    await eventually(async () => (await to.exec(READY)).code === 0);
    await eventually(async () => (await fetch(`http://${to.host}/ping`)).status === 200);
  }
});

describe("two lab servers", { skip }, () => {
  test("are two machines, and a restart in one leaves the other's services alone", async () => {
    const [one, two] = await Promise.all([startServer("nice"), startServer("nancy")]);
    try {
      for (const same of ["cat /etc/machine-id", "hostname", "cat /etc/ssh/ssh_host_ed25519_key.pub"]) {
        assert.notEqual(await say(one, same), await say(two, same));
      }
      assert.notEqual(one.host, two.host);
      const pids = "systemctl show -P MainPID nginx waptserver postgresql@15-main ssh";
      const untouched = await say(two, pids);
      await say(
        one,
        "systemctl restart nginx postgresql@15-main && systemctl restart waptserver && systemctl stop ssh",
      );
      assert.equal(await say(two, pids), untouched);
      assert.equal((await fetch(`http://${two.host}/ping`)).status, 200);
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });

  test("leave no process, mount, namespace, link, control group or folder when stopped", async () => {
    const server = await startServer("tours");
    const name = nameOf(server);
    const before = processes(name);
    assert.ok(before.length > 10 && traces(name).length > 3, "the test looks in the right places");
    assert.deepEqual(await leftAfterStop(server), []);
    assert.deepEqual(
      before.filter((pid) => existsSync(`/proc/${pid}/root/etc/hostname`)),
      [],
    );
    await server.stop();
  });

  test("are cleared by the next start when their process was killed", async () => {
    const program = `
      const { spawnSync } = require("node:child_process");
      const { startServer } = require(${JSON.stringify(require.resolve("../lab/server"))});
      startServer("orphan").then((server) => {
        const index = server.host.split(".")[2];
        require("node:fs").writeFileSync("/run/wapt-lab/" + index + "/orphan", "");
        const { stdout } = spawnSync("ip", ["netns", "pids", "wapt-lab-" + index], { encoding: "utf8" });
        console.log(JSON.stringify([index, ...stdout.split("\\n").filter(Boolean)]));
        process.kill(process.pid, "SIGKILL");
      });`;
    const killed = spawnSync(process.execPath, ["--import", "tsx", "-e", program], { encoding: "utf8" });
    assert.equal(killed.signal, "SIGKILL", killed.stderr);
    const [index, ...orphan] = JSON.parse(killed.stdout) as string[];
    assert.ok(orphan.length > 10, "the orphan ran");
    // Whether the heir gets the orphan's index or another one, nothing of the orphan is there any more.
    const heir = await startServer("heir");
    try {
      assert.equal(await say(heir, "hostname"), "heir");
      assert.ok(!existsSync(`/run/wapt-lab/${index}/orphan`));
      assert.deepEqual(
        orphan.filter((pid) => existsSync(`/proc/${pid}/root/etc/hostname`)),
        [],
      );
    } finally {
      await heir.stop();
    }
  });
});

// In CI its users show that it boots, once and again: held-connections.test.ts and faults-reboot.test.ts.
if (process.env.ROUNDS === "all") {
  describe("a lab server with a kernel of its own", { skip }, () => {
    test("has limits and sysctls of its own, and comes back from a reboot as itself", async () => {
      const server = await startServer("brest", { kernel: "own" });
      try {
        assert.equal((await fetch(`http://${server.host}/ping`)).status, 200);
        assert.equal(await say(server, "hostname; ulimit -n 100000 && ulimit -n"), "brest\n100000");
        await say(server, "echo fs.nr_open = 2000000 > /etc/sysctl.d/test.conf");
        await say(server, "sysctl -w fs.file-max=123456");
        const machine = await say(server, "cat /etc/machine-id");
        await server.reboot!();
        assert.equal(await say(server, "cat /etc/machine-id"), machine);
        assert.equal(await say(server, "sysctl -n fs.nr_open"), "2000000", "the file took effect at boot");
        assert.notEqual(await say(server, "sysctl -n fs.file-max"), "123456", "what no file says is gone");
        assert.equal((await fetch(`http://${server.host}/ping`)).status, 200);
        assert.deepEqual(await leftAfterStop(server), []);
      } finally {
        await server.stop();
      }
    });
  });
}

/** Runs a command that must succeed, and returns what it said without the last newline. */
async function say(server: LabServer, command: string): Promise<string> {
  const { stdout, stderr, code } = await server.exec(command);
  assert.equal(code, 0, `${command}: ${stdout}${stderr}`);
  return stdout.trimEnd() || stderr.trimEnd();
}

function ssh(server: LabServer, user: string, command: string): string {
  const trust = [
    "-o",
    "BatchMode=yes",
    "-o",
    `UserKnownHostsFile=${server.knownHosts}`,
    "-o",
    "StrictHostKeyChecking=yes",
  ];
  const identity = ["-i", server.privateKeyFile, "-o", "IdentitiesOnly=yes"];
  const all = [...trust, ...identity, `${user}@${server.host}`, command];
  const { stdout, stderr, status } = spawnSync("ssh", all, { encoding: "utf8", timeout: 20_000 });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

interface PoolAnswer {
  status: number;
  pool: { held: number; error: string | null };
}

async function pool(server: LabServer, hold: 0 | 1): Promise<PoolAnswer> {
  const answer = await fetch(`http://${server.host}/pool?hold=${hold}`);
  return { ...((await answer.json()) as PoolAnswer), status: answer.status };
}

/** How many connections of role wapt PostgreSQL itself counts. */
async function connections(server: LabServer): Promise<number> {
  const query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'wapt'";
  return Number(await say(server, `runuser -u postgres -- psql -Atc "${query}"`));
}

/** The state and exit status of the two services. */
async function failures(server: LabServer): Promise<string> {
  const one = "systemctl show -P ActiveState $unit; systemctl show -P ExecMainStatus $unit";
  const shown = `for unit in waptserver wapttasks; do ${one}; done`;
  return (await say(server, shown)).replaceAll("\n", " ");
}

function websocket(server: LabServer): Promise<Duplex> {
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Key": "bGFi",
    "Sec-WebSocket-Version": "13",
  };
  return new Promise((resolve, reject) => {
    const asked = request({ host: server.host, path: "/socket.io/", headers });
    asked.on("upgrade", (_, socket) => resolve(socket));
    asked.on("response", (response) => reject(new Error(`no upgrade: ${response.statusCode}`)));
    asked.on("error", reject);
    asked.end();
  });
}

/** Waits until a condition holds, at most 20 s. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `still not so after 20 s: ${holds}`);
    await sleep(100);
  }
}

function nameOf(server: LabServer): string {
  return `wapt-lab-${server.host.split(".")[2]}`;
}

/** Stops a server and tells what is left of it. Its index is claimed meanwhile, so that no other process takes the name. */
async function leftAfterStop(server: LabServer): Promise<string[]> {
  const name = nameOf(server);
  await server.stop();
  const held = await claim(name.slice("wapt-lab-".length));
  assert.ok(held, `another process took ${name} within a millisecond: run the test again`);
  const left = traces(name);
  held.release();
  return left;
}

/** The processes of a server; their `root` can't be looked into any more once they have ended. */
function processes(name: string): string[] {
  return spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" }).stdout.split("\n").filter(Boolean);
}

/** What on this machine bears a server's name. */
function traces(name: string): string[] {
  const words = (text: string) => text.split(/\s/).some((word) => word.split("@")[0]?.replace(/:$/, "") === name);
  const index = name.slice("wapt-lab-".length);
  const listed = ["netns", "link"].flatMap((what) => {
    const { stdout } = spawnSync("ip", [what, "list"], { encoding: "utf8" });
    return stdout.split("\n").filter(words);
  });
  const groups = ["", "unified/", "systemd/"].map((hierarchy) => `/sys/fs/cgroup/${hierarchy}${name}`);
  const folders = [`/run/wapt-lab/${index}`, ...groups];
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${name} `));
  return [...mounts, ...listed, ...folders.filter((folder) => existsSync(folder))];
}
