/** A fleet on real servers by the real CLI: sixteen stacks on six servers, and one whose server is down; one is refused. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pulumiCli } from "../../examples/demo/pulumi-cli";
import { type LabServer, skipWithoutLab, startServer } from "../lab/server";
import { inForce, say } from "../support/asking";
import { builtCommand, type CommandRun, run } from "../support/command";

const repository = join(__dirname, "../..");

/** One resource of a type that the stack's configuration names. */
const PROGRAM = `
const pulumi = require("@pulumi/pulumi");
const types = require("pulumi-wapt");
const config = new pulumi.Config();
new types[config.require("type")]("wapt", config.requireObject("arguments"));
`;

const PROJECT =
  "name: fleet\nruntime:\n  name: nodejs\n  options:\n    typescript: false\noptions:\n  refresh: always\n";

/** The parts of a server, a stack each; their pool fits PostgreSQL before and after. Lab servers allow 20000 open files. */
type Part = Readonly<Record<string, unknown>>;
const PARTS: Readonly<Record<string, Part>> = {
  kernel: { type: "KernelLimits", clients: 2500, nofile: 20000, limitNofile: 20000 },
  nginx: { type: "NginxTuning", clients: 2500, workerRlimitNofile: 20000 },
  uploads: { type: "ProxyTempPath", path: "/srv/wapt-uploads", minFree: "1MiB" },
  postgres: { type: "PostgresConnections", clients: 2500 },
  ini: { type: "WaptServerIni", clients: 400 },
};

/** The others have a stack each. */
const WHOLE: Part = { type: "WaptServer", clients: 2500, nofile: 20000, limitNofile: 20000, workerRlimitNofile: 20000 };
const CITIES = ["nantes", "lille", "rennes", "tours"];

const STACKS = [
  ...["paris", "lyon"].flatMap((city) => Object.keys(PARTS).map((part) => `${city}-${part}`)),
  ...CITIES,
  "down",
  "refused",
];

describe("a fleet of sixteen stacks", { skip: skipWithoutLab() }, () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-fleet-"));
  let servers: LabServer[] = [];
  let environment: Record<string, string>;

  const fleet = (...words: string[]): Promise<CommandRun> =>
    run([...builtCommand, "fleet", ...words], environment, folder);

  before(async () => {
    const cli = await pulumiCli((line) => console.error(line));
    servers = await Promise.all(["paris", "lyon", ...CITIES].map((city) => startServer(city)));
    mkdirSync(join(folder, "state"));
    mkdirSync(join(folder, "node_modules/@pulumi"), { recursive: true });
    symlinkSync(join(repository, "node_modules/@pulumi/pulumi"), join(folder, "node_modules/@pulumi/pulumi"));
    symlinkSync(repository, join(folder, "node_modules/pulumi-wapt"));
    writeFileSync(join(folder, "Pulumi.yaml"), PROJECT);
    writeFileSync(join(folder, "package.json"), '{"main": "index.js"}');
    writeFileSync(join(folder, "index.js"), PROGRAM);
    environment = {
      ...cli.env,
      PATH: `${cli.bin}:${process.env.PATH}`,
      PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "local",
      NODE_COMPILE_CACHE: join(folder, "compiled"),
      // The logs of failures are kept there.
      TMPDIR: folder,
    };
    const [paris, lyon] = servers as [LabServer, LabServer];
    for (const server of servers.slice(2)) configure(server.name, WHOLE, server);
    for (const server of [paris, lyon])
      for (const [part, args] of Object.entries(PARTS)) configure(`${server.name}-${part}`, args, server);
    configure("down", PARTS.kernel!, { ...paris, host: "127.0.0.1" }, { port: 1 });
    configure("refused", { ...PARTS.nginx, workerRlimitNofile: 40000 }, lyon);
    const init = (stack: string) => run(["pulumi", "stack", "init", stack, "--non-interactive"], environment, folder);
    const made = await Promise.all(STACKS.map(init));
    for (const { code, stderr } of made) assert.equal(code, 0, stderr);
  });
  after(async () => {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  function configure(stack: string, { type, ...args }: Part, server: LabServer, more: object = {}): void {
    const { host, hostKey, privateKey } = server;
    const connection = { host, hostKey, privateKey, dialErrorLimit: 1, ...more };
    const config = { "fleet:type": type, "fleet:arguments": { ...args, connection } };
    writeFileSync(join(folder, `Pulumi.${stack}.yaml`), JSON.stringify({ config }));
  }

  test("is previewed side by side: equal changes once, what is down and what is refused by name", async () => {
    const { code, stdout, stderr } = await fleet("preview", "--stacks", "*-nginx,*-postgres,down,refused");
    assert.equal(code, 1, stderr);
    assert.match(stdout, /^6 stacks, 5 servers: 4 to change, 1 not read, 1 stack failed\n/);
    assert.match(stdout, /^ {2}worker_connections +768 → 6250 on 2 servers \(lyon-nginx\/wapt, paris-nginx\/wapt\)$/m);
    assert.match(stdout, /^ {2}max_connections +100 → 625 on 2 servers/m);
    assert.match(stdout, /^ {2}2 servers \(lyon-postgres\/wapt, paris-postgres\/wapt\): PostgreSQL and WAPT$/m);
    assert.match(stdout, /^ {2}down\/wapt: it is new, and what stands there could not be read$/m);
    assert.match(stdout, /^ {2}refused: .*40000 open files can't take effect/m);
    assert.deepEqual((await inForce(servers[0]!)).maxConnections, 100);
  });

  test("is rolled out in waves, and what fails keeps its log and hides nothing of the others", async () => {
    const list = STACKS.filter((stack) => stack !== "paris-nginx").join(",");
    const words = [
      "up",
      "--yes",
      "--parallel",
      "3",
      "--stacks",
      `paris-nginx,${list}`,
      "--waves",
      "1,100%",
      "--max-fail",
      "2",
    ];
    const { code, stdout, stderr } = await fleet(...words);
    assert.equal(code, 1);
    assert.match(stdout, /^14 done, 2 failed$/m, stdout);
    assert.match(
      stderr,
      /^wave 1 of 2: 1 of 16 stacks\nparis-nginx: started\nparis-nginx: done in \d+ s: 2 created\nwave 2 of 2/,
    );
    const [, log = ""] = /^down +failed .*the connection was refused.*; log: (\S+)$/m.exec(stdout) ?? [];
    assert.match(readFileSync(log, "utf8"), /Resources:/);
    // Refused for its limit, or where another stack has come before it for the owner.
    assert.match(stdout, /^refused +failed .*(40000 open files can't take effect|lyon-nginx owns this on the server)/m);
    for (const server of servers) {
      const { nginx, maxConnections, ini } = await inForce(server);
      const isWhole = CITIES.includes(server.name);
      assert.deepEqual([maxConnections, ini], [625, { db_max_connections: isWhole ? 615 : 90, max_clients: 4096 }]);
      assert.ok(nginx.includes("worker_connections 6250"));
      assert.equal(nginx.includes("client_body_temp_path /srv/wapt-uploads"), !isWhole);
    }
  });

  test("tells what has drifted once", async () => {
    await say(
      servers[0]!,
      "sed -i 's/worker_connections 6250/worker_connections 512/' /etc/nginx/nginx.conf; nginx -s reload",
    );
    const words = ["drift", "--stacks", "paris-nginx,lyon-nginx,paris-ini"];
    const first = await fleet(...words);
    assert.equal(first.stdout, "1 new drift\n  paris-nginx/wapt: worker_connections is 512, the last run set 6250\n");
    const again = await fleet(...words);
    assert.deepEqual(
      [first.code, again.code, again.stdout],
      [2, 0, "nothing has drifted anew, 1 as reported before\n"],
    );
  });
});
