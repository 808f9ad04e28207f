/**
 * The timeline of one preview with nothing to change, on one tuned server: which process lives when, and what it costs.
 *
 *   npx tsx test/benchmark/timeline.ts [--rounds 3]
 *
 * All processes of this machine are looked at every 20 ms; the server's are among them, since it is a container. The CLI runs
 * as `pulumi-wapt fleet` runs it. The figures are those of the round of median length.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startFleet } from "./fleet";
import { pulumiWapt } from "./pulumi-wapt";
import { machine, quiet, table } from "./report";

const LOOK_MILLISECONDS = 20;
/** The kernel counts a process's time in these. */
const TICK_SECONDS = 0.01;

const SHELL = "the server's program, with its commands";

/** What a process is, by its command line. */
const ROLES: readonly (readonly [role: string, isOne: RegExp])[] = [
  ["the CLI, with the engine", /^pulumi\0preview/],
  ["the language host", /pulumi-language-nodejs(\0|$)/],
  ["the program", /@pulumi\/pulumi\/cmd\/run(\/|\0|$)/],
  ["the provider", /@pulumi\/pulumi\/cmd\/dynamic-provider/],
  ["ssh -G", /^(\S*\/)?ssh\0-G/],
  ["the login: sshd and sudo", /^(sshd: |(\S*\/)?sudo\0)/],
  [SHELL, /^(\S*\/)?sh\0-s/],
];

interface Seen {
  readonly role: string;
  /** Seconds since the boot. */
  readonly from: number;
  to: number;
  /** Seconds of a processor. */
  cost: number;
}

/** The processes with a role that live now, by id and start. */
function look(now: number, seen: Map<string, Seen>): void {
  for (const id of readdirSync("/proc")) {
    if (!/^\d+$/.test(id)) continue;
    try {
      const stat = readFileSync(`/proc/${id}/stat`, "latin1");
      // Behind the name, which may hold anything: from the state on.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const [own, system, children, childrenSystem] = [11, 12, 13, 14].map((at) => Number(fields[at]));
      const from = Number(fields[19]) * TICK_SECONDS;
      const command = readFileSync(`/proc/${id}/cmdline`, "latin1");
      const role = ROLES.find(([, isOne]) => isOne.test(command))?.[0];
      if (role === undefined) continue;
      // Its commands live too briefly to be seen by themselves.
      const ticks = own! + system! + (role === SHELL ? children! + childrenSystem! : 0);
      const one = seen.get(`${id} ${from} ${role}`) ?? { role, from, to: now, cost: 0 };
      seen.set(`${id} ${from} ${role}`, Object.assign(one, { to: now, cost: ticks * TICK_SECONDS }));
    } catch {
      // It has ended meanwhile.
    }
  }
}

const uptime = () => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);

interface Timeline {
  readonly seconds: number;
  readonly rows: readonly string[][];
}

/** What lives while something is done. */
async function during(act: () => Promise<unknown>): Promise<Timeline> {
  const seen = new Map<string, Seen>();
  const start = uptime();
  const timer = setInterval(() => look(uptime(), seen), LOOK_MILLISECONDS);
  try {
    await act();
  } finally {
    clearInterval(timer);
  }
  const seconds = uptime() - start;
  const own = [...seen.values()].filter(({ from }) => from >= start - 0.1);
  const byRole = [...Map.groupBy(own, ({ role }) => role)].map(([role, all]) => ({
    role,
    from: Math.max(0, Math.min(...all.map((one) => one.from)) - start),
    to: Math.max(...all.map((one) => one.to)) - start,
    cost: all.reduce((sum, one) => sum + one.cost, 0),
  }));
  byRole.sort((one, other) => one.from - other.from);
  const rows = byRole.map(({ role, from, to, cost }) => [role, ...[from, to, cost].map((value) => value.toFixed(2))]);
  return { seconds, rows };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "3" } } });
  const folder = mkdtempSync(join(tmpdir(), "wapt-timeline-"));
  const fleet = await startFleet(1);
  try {
    const session = await pulumiWapt.session(fleet, folder);
    await session.apply();
    // What is loaded once is in the compile cache then.
    await session.ask();
    const all: Timeline[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      await quiet(60);
      all.push(await during(() => session.ask()));
    }
    all.sort((one, other) => one.seconds - other.seconds);
    const { seconds, rows } = all[Math.floor((all.length - 1) / 2)]!;
    console.log(`${machine()}\n\nA preview took ${all.map((one) => one.seconds.toFixed(1)).join(", ")} s. The one of`);
    console.log(`${seconds.toFixed(1)} s:\n\n${table(["process", "from s", "to s", "processor s"], rows)}`);
  } finally {
    await fleet.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

main().then(
  () => process.exit(0),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
