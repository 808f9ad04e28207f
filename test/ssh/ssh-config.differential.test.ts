/** Connections by generated configurations, compared with what `ssh -G` says and with where ssh itself logs in. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { before, describe, test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { resolveDestination } from "../../provider/ssh/destination";
import { closeAll, open } from "../../provider/ssh/session";
import { SshError } from "../../provider/ssh/ssh-error";
import { account } from "../support/accounts";
import { keyPair, Sandbox } from "../support/sandbox";
import { Sshd, whyNoSshd } from "../support/sshd";

const skip = whyNoSshd("/usr/bin/ssh", "/usr/bin/ssh-keygen");
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const RUNS = 40;
const run = promisify(execFile);
const sandbox = new Sandbox();
const keys = { first: keyPair(), both: keyPair() };
const WHO = "echo $(id -un) $SSH_CONNECTION";

/** What a configuration may name; known once the servers run. */
interface World {
  readonly ports: readonly number[];
  readonly user: string;
}

/** A line that may stand in any section. {1} and {2} are the servers' ports, {u} is a user, {d} the sandbox. */
const statement = fc.constantFrom(
  ...["Port {1}", "Port={2}", '\tport "{2}"', "Port {1} # not {2}", "User {u}", "USER root", 'User "{u}"'],
  ...["HostName 127.0.0.1", "HostName localhost", "HostName %h.invalid", "HostName 127.0.0.1"],
  ...[
    "IdentityFile {d}/first",
    'IdentityFile "{d}/both"',
    "IdentityFile {d}/key#2",
    "IdentityFile {d}/none",
    "IdentitiesOnly yes",
  ],
  ...[
    "UserKnownHostsFile {d}/first.known",
    "UserKnownHostsFile {d}/all.known",
    'UserKnownHostsFile {d}/none "{d}/all known"',
  ],
  ...["RevokedHostKeys {d}/revoked", "RevokedHostKeys none", "HostKeyAlias alias", "HostKeyAlgorithms ssh-ed25519"],
  ...["ProxyJump none", "ProxyJump gate", "ProxyJump gate", "ProxyCommand none", "ProxyJump {u}@127.0.0.1:{2}"],
  ...["PubkeyAuthentication no", "PreferredAuthentications publickey", "PreferredAuthentications password"],
  ...["Include {d}/parts/[0-9]*", "Include {d}/parts/*.conf", "AddressFamily inet", "Ciphers aes256-ctr,aes128-ctr"],
);

const section = fc.constantFrom(
  ...["Host *", "Host paris", "Host p* !paris", "Host *.invalid lyon", "Host=lyon", "host par?s,lyon"],
  ...[
    "Match all",
    "Match final",
    "Match host 127.*",
    "Match final host 127.*",
    "Match originalhost paris",
    "Match user root",
  ],
  ...["Match originalhost *lyon originalhost p*", "Match user {u} host paris", "Match localuser root !host lyon"],
  ...["Match exec true", 'Match exec "test %n = paris"', "Match !exec true", "Match exec false"],
);

const text = fc
  .array(fc.tuple(section, fc.array(statement, { minLength: 1, maxLength: 4 })), { maxLength: 4 })
  .map((sections) => sections.flatMap(([head, lines]) => [head, ...lines.map((line) => `  ${line}`)]));

const asked = fc.record({
  host: fc.constantFrom("paris", "lyon"),
  user: fc.constantFrom(undefined, undefined, "root", "{u}"),
  port: fc.constantFrom(undefined, undefined, 0, 1),
});

/** A way that leads in a circle would have ssh start itself without end. */
const FIRST = ["Host gate 127.0.0.1 localhost", "  ProxyJump none"];

/** What makes most logins possible where nothing before says otherwise. */
const LAST = [
  "Host gate",
  "  Port {2}",
  "Host *",
  "  HostName 127.0.0.1",
  "  Port {1}",
  "  IdentityFile {d}/both",
  "  UserKnownHostsFile {d}/all.known",
];

describe(`connections against ssh (SEED=${seed})`, { skip }, () => {
  let world: World;
  before(async () => {
    const servers = [await Sshd.start(sandbox, "one"), await Sshd.start(sandbox, "two")];
    const user = account(sandbox, { shell: "/bin/dash" });
    for (const [name, pair] of Object.entries(keys)) sandbox.write(name, `${pair.private}\n`);
    sandbox.write("key#2", `${keys.first.private}\n`);
    servers[0]!.authorize(keys.first.public, keys.both.public);
    servers[1]!.authorize(keys.both.public);
    const known = servers.map(
      (server) => server.knownHost() + server.knownHost("ed25519", `[localhost]:${server.port}`),
    );
    sandbox.write("first.known", known[0]!);
    for (const name of ["all.known", "all known"]) sandbox.write(name, known.join(""));
    sandbox.write("revoked", `${servers[1]!.hostKeys.get("ed25519")!.public}\n`);
    world = { ports: servers.map((server) => server.port), user };
    mkdirSync(sandbox.path("parts"));
    sandbox.write("parts/1", filled("Host paris\nPort {2}\n"));
    sandbox.write("parts/b.conf", filled("Match user {u}\nIdentityFile {d}/first\nHost lyon\nUser {u}\n"));
  });

  const filled = (line: string) =>
    line.replace(/\{([12ud])\}/g, (_, token) =>
      token === "u" ? world.user : token === "d" ? sandbox.home : String(world.ports[Number(token) - 1]),
    );

  interface Asked {
    readonly host: string;
    readonly user: string | undefined;
    readonly port: number | undefined;
  }

  const words = ({ host, user, port }: Asked) => [
    ...["-F", sandbox.path(".ssh/config")],
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "--", host],
  ];

  /** Where ssh says that it would go; undefined when it refuses the configuration, such as a way in a circle. */
  async function saidBySsh(what: Asked) {
    const stdout = await run("ssh", ["-G", ...words(what)]).then(
      (result) => result.stdout,
      () => undefined,
    );
    if (stdout === undefined) return undefined;
    const all = (keyword: string) =>
      stdout
        .split("\n")
        .filter((line) => line.startsWith(`${keyword} `))
        .map((line) => line.slice(keyword.length + 1));
    const jump = all("proxyjump").filter((value) => value !== "none");
    const files = all("identityfile").map((file) => file.replace(/^~/, sandbox.home));
    const known = [...all("userknownhostsfile"), ...all("globalknownhostsfile")].join(" ");
    return { way: [...all("user"), ...all("hostname"), ...all("port")].join(" "), jump: jump.length, files, known };
  }

  async function saidByUs(what: Asked) {
    const target = await resolveDestination(connection(what));
    const { user, host, port, via, identityFiles, publicKeys, knownHostsFiles } = target;
    const files = publicKeys ? [...identityFiles] : undefined;
    return { way: `${user} ${host} ${port}`, jump: via === undefined ? 0 : 1, files, known: knownHostsFiles.join(" ") };
  }

  const connection = ({ host, user, port }: Asked) => ({
    host,
    ...(user !== undefined && { user }),
    ...(port !== undefined && { port }),
    dialErrorLimit: 1,
  });

  /** Who is logged in where; undefined when nobody is. */
  const bySsh = (what: Asked) =>
    run("ssh", [...words(what), WHO]).then(
      ({ stdout }) => stdout.trim().replace(/ \d+ /, " "),
      () => undefined,
    );

  async function byUs(what: Asked): Promise<string | undefined> {
    try {
      const host = await open(connection(what));
      const { stdout } = await host.run(WHO, { asUser: true });
      return stdout.toString().trim().replace(/ \d+ /, " ");
    } catch (error) {
      assert.ok(error instanceof SshError, String(error));
      return undefined;
    } finally {
      await closeAll();
    }
  }

  test("lead where ssh leads, and log in where ssh logs in", { timeout: 300_000 }, async () => {
    let logins = 0;
    const property = fc.asyncProperty(text, asked, async (lines, { host, user, port }) => {
      sandbox.config(...[...FIRST, ...lines, ...LAST].map(filled));
      const what = { host, user: user && filled(user), port: port === undefined ? undefined : world.ports[port] };
      const said = await saidBySsh(what);
      if (said === undefined) return assert.rejects(saidByUs(what), SshError);
      const ours = await saidByUs(what);
      assert.deepEqual({ ...ours, files: ours.files ?? said.files }, said);
      const who = await bySsh(what);
      assert.equal(await byUs(what), who);
      if (who !== undefined) logins++;
    });
    await fc.assert(property, { seed, numRuns: RUNS });
    assert.ok(logins > RUNS / 6, `only ${logins} of ${RUNS} configurations let somebody in`);
  });
});
