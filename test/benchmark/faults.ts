/**
 * What each contender makes of a server on which something is not as it expects:
 *
 *   npx tsx test/benchmark/faults.ts
 *   npx tsx test/benchmark/faults.ts --only ansible
 *
 * A fault is put on one server, the contender is run once, and the server is asked for what it has then.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mustRun } from "../lab/host";
import type { LabServer } from "../lab/server";
import type { Contender } from "./contender";
import { chosenContenders } from "./contenders";
import { asRoot, startFleet } from "./fleet";
import { wrongOn } from "./verification";
import { WANTED } from "./wanted";

interface Fault {
  readonly what: string;
  /** Whether the server has been tuned by the same contender before. */
  readonly tuned: boolean;
  /** Run on the server as root. */
  readonly script: string;
}

const POSTGRESQL_CONF = "/etc/postgresql/15/main/postgresql.conf";

const FAULTS: readonly Fault[] = [
  {
    what: "The kernel's running somaxconn was set back by hand, the file in sysctl.d is as wanted",
    tuned: true,
    script: "sysctl -qw net.core.somaxconn=512",
  },
  {
    what: "PostgreSQL still runs with an old max_connections, its file is as wanted",
    tuned: true,
    script: [
      `sed -i 's/^max_connections = .*/max_connections = 700/' ${POSTGRESQL_CONF}`,
      "systemctl restart postgresql@15-main",
      `sed -i 's/^max_connections = .*/max_connections = ${WANTED.max_connections}/' ${POSTGRESQL_CONF}`,
      "systemctl restart waptserver wapttasks",
    ].join(" && "),
  },
  {
    what: "nginx's worker_rlimit_nofile is already set, in a file that nginx.conf includes",
    tuned: false,
    script: "echo 'worker_rlimit_nofile 8192;' >/etc/nginx/modules-enabled/99-limits.conf && systemctl reload nginx",
  },
  {
    what: "PostgreSQL does not start with the new max_connections",
    tuned: false,
    script: [
      "mkdir /etc/systemd/system/postgresql@15-main.service.d",
      "cd /etc/systemd/system/postgresql@15-main.service.d",
      `echo '[Service]' >fault.conf`,
      `echo "ExecStartPre=/bin/sh -c '! grep -rq ^max_connections.*${WANTED.max_connections} /etc/postgresql/15/main'" >>fault.conf`,
      "systemctl daemon-reload",
    ].join(" && "),
  },
];

/** A line for each configuration file: its name, owner and mode, and a checksum. */
const LIST =
  "find /etc /opt/wapt/conf -type f | sort | while read -r f; do " +
  'echo "$f $(stat -c \'%a %U:%G\' "$f") $(sha256sum <"$f")"; done';

/** One sentence on how the contender's run ended and on the server behind it. */
async function outcome(contender: Contender, fault: Fault): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "wapt-faults-"));
  const fleet = await startFleet(1);
  try {
    const [server] = fleet.servers as readonly [LabServer];
    const session = await contender.session(fleet, folder);
    if (fault.tuned) await session.apply();
    await asRoot(server, fault.script);
    const before = new Set((await asRoot(server, LIST)).split("\n"));
    const failed = await session.apply().then(
      () => false,
      () => true,
    );
    await session.settle?.();
    const changed = (await asRoot(server, LIST)).split("\n").filter((line) => !before.has(line));
    const files = changed.length === 0 ? "every file as before" : `${changed.length} files changed`;
    const wrong = await wrongOn(server);
    const state = wrong.length === 0 ? "every value as wanted" : wrong.join("; ");
    if (!failed) return `says that it succeeded: ${state}`;
    return `says that it failed: ${await answers(server)}, ${files}`;
  } finally {
    await fleet.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether WAPT answers, and PostgreSQL to it. */
async function answers(server: LabServer): Promise<string> {
  const answer = await fetch(`http://${server.host}/ping`, { signal: AbortSignal.timeout(30_000) });
  await answer.arrayBuffer();
  return answer.ok ? "WAPT serves" : `WAPT is down (status ${answer.status})`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string", default: "pulumi-wapt,ansible,pyinfra" } } });
  const chosen = chosenContenders(values.only);
  await mustRun(["npm", "run", "build", "--silent", "--prefix", join(__dirname, "../..")]);
  for (const fault of FAULTS) {
    console.log(`\n${fault.what}:\n`);
    for (const contender of chosen) console.log(`- ${contender.name} ${await outcome(contender, fault)}`);
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
