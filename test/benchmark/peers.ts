/**
 * The same job on the same servers by this package and by others, timed:
 *
 *   npx tsx test/benchmark/peers.ts
 *   npx tsx test/benchmark/peers.ts --delay 25
 *   npx tsx test/benchmark/peers.ts --servers 5 --rounds 1 --only pulumi-wapt,ansible
 *
 * Each contender gets freshly booted servers in every round, and after each change the servers are asked for what they have,
 * which takes 10 s for one: all of them, or the first --verify. The links take --delay milliseconds each way (0). Before
 * each step it waits until the machine is idle, for at most --idle-timeout seconds (60). Twenty servers need more inotify
 * instances than Linux gives root: `sysctl fs.inotify.max_user_instances=1024`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { mustRun } from "../lab/host";
import type { Contender } from "./contender";
import { chosenContenders, contenders } from "./contenders";
import { asRoot, since, startFleet, type Traffic, traffic } from "./fleet";
import { load, machine, median, quiet, table } from "./report";
import { wrongOn } from "./verification";
import { CLIENTS } from "./wanted";

const STEPS = ["apply", "again", "ask", "drift"] as const;
type Step = (typeof STEPS)[number];

interface Options {
  /** Of servers. */
  readonly count: number;
  readonly rounds: number;
  /** Milliseconds that each direction of a link takes. */
  readonly delay: number;
  /** So many of the servers are asked for what they have. */
  readonly verified: number;
  /** Seconds to wait at most for an idle machine. */
  readonly idleTimeout: number;
  readonly chosen: readonly Contender[];
}

interface Sample {
  readonly seconds: number;
  /** Of one server, the mean of all. */
  readonly traffic: Traffic;
  readonly wrong: readonly string[];
}

type Round = Readonly<Partial<Record<Step, Sample>>>;

/** What somebody changes by hand, and tells nginx. */
const DRIFT = "sed -Ei 's/(worker_connections) [0-9]+/\\1 512/' /etc/nginx/nginx.conf && nginx -s reload && sleep 1";

const ROOT = join(__dirname, "../..");

async function round(contender: Contender, { count, idleTimeout, delay, verified }: Options): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), "wapt-peers-"));
  const fleet = await startFleet(count, delay);
  try {
    const session = await contender.session(fleet, folder);
    const samples: Partial<Record<Step, Sample>> = {};
    for (const step of STEPS) {
      if (!session[step]) continue;
      if (step === "drift") await Promise.all(fleet.servers.map((server) => asRoot(server, DRIFT)));
      const before = await Promise.all(fleet.servers.map(traffic));
      await quiet(idleTimeout);
      const start = performance.now();
      const problems = await session[step]!().then(
        () => [],
        (error: Error) => problemsOf(step, error),
      );
      const seconds = (performance.now() - start) / 1000;
      await session.settle?.();
      const after = await Promise.all(fleet.servers.map(traffic));
      const wrong = [...problems];
      // One after another: each check fills a server's whole pool, and all servers share this machine.
      if (!contender.tunesNothing && (step === "apply" || step === "again"))
        for (const server of fleet.servers.slice(0, verified)) wrong.push(...(await wrongOn(server)));
      samples[step] = { seconds, traffic: mean(after.map((now, i) => since(before[i]!, now))), wrong };
    }
    return samples as Round;
  } finally {
    await fleet.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A contender that does not leave alone what it has tuned is still timed, and that is said; one that can't tune is not. */
function problemsOf(step: Step, error: Error): string[] {
  if (step === "apply") throw error;
  return [`${step}: ${error.message.split("\n")[0]}`];
}

function mean(all: readonly Traffic[]): Traffic {
  const of = (name: keyof Traffic) => all.reduce((sum, one) => sum + one[name], 0) / all.length;
  return { logins: of("logins"), commands: of("commands"), kilobytes: of("kilobytes") };
}

const timesOf = (rounds: readonly Round[], step: Step): number[] =>
  rounds.flatMap((one) => (one[step] ? [one[step].seconds] : []));

/** Seconds of a step: the median, in parentheses the least and the most, and the ratio to the first contender's. */
function timeCells(rounds: readonly Round[], first: readonly Round[], step: Step): string[] {
  const times = timesOf(rounds, step);
  if (times.length === 0) return ["–", ""];
  const [middle, reference] = [median(times), median(timesOf(first, step))];
  const range = `${Math.min(...times).toFixed(1)}–${Math.max(...times).toFixed(1)}`;
  return [`${middle.toFixed(2)} (${range})`, `× ${(middle / reference).toFixed(2)}`];
}

function trafficCells(rounds: readonly Round[], step: Step): string[] {
  const all = rounds.flatMap((one) => (one[step] ? [one[step].traffic] : []));
  if (all.length === 0) return ["–", "–", "–"];
  const of = (name: keyof Traffic) => median(all.map((one) => one[name])).toFixed(0);
  return [of("logins"), of("commands"), of("kilobytes")];
}

function report(results: ReadonlyMap<Contender, readonly Round[]>): void {
  const [first = []] = results.values();
  const rows = [...results].map(([{ name }, rounds]) => [
    name,
    ...STEPS.flatMap((step) => timeCells(rounds, first, step)),
  ]);
  console.log("\nSeconds: the median (least–most), and its ratio to the first line's\n");
  console.log(table(["", "apply", "", "again", "", "only ask", "", "drift", ""], rows));
  const traffics = [...results].map(([{ name }, rounds]) => [
    name,
    ...trafficCells(rounds, "apply"),
    ...trafficCells(rounds, "ask"),
  ]);
  const head = ["logins", "commands", "kB"];
  console.log("\nFor one server\n");
  console.log(table(["", ...head.map((name) => `apply: ${name}`), ...head.map((name) => `ask: ${name}`)], traffics));
  const wrong = [...results].flatMap(([{ name }, rounds]) =>
    [...new Set(rounds.flatMap((one) => STEPS.flatMap((step) => one[step]?.wrong ?? [])))].map(
      (one) => `- ${name}: ${one}`,
    ),
  );
  console.log(
    wrong.length > 0
      ? `\nWrong on the servers\n\n${wrong.join("\n")}`
      : "\nEvery server that was asked had every value.",
  );
}

function optionsGiven(): Options {
  const { values } = parseArgs({
    options: {
      servers: { type: "string", default: "2" },
      rounds: { type: "string", default: "3" },
      delay: { type: "string", default: "0" },
      verify: { type: "string" },
      "idle-timeout": { type: "string", default: "60" },
      only: { type: "string", default: Object.keys(contenders).join(",") },
    },
  });
  const [count, rounds, delay, idleTimeout] = [values.servers, values.rounds, values.delay, values["idle-timeout"]].map(
    Number,
  );
  return {
    count: count!,
    rounds: rounds!,
    delay: delay!,
    verified: Number(values.verify ?? count),
    idleTimeout: idleTimeout!,
    chosen: chosenContenders(values.only),
  };
}

async function main(): Promise<void> {
  const options = optionsGiven();
  const { count, rounds, delay, chosen } = options;
  // The CLI runs what is built.
  await mustRun(["npm", "run", "build", "--silent", "--prefix", ROOT]);
  console.log(`${machine()}\n${count} servers of ${CLIENTS} clients, ${delay} ms each way, ${rounds} rounds\n`);
  const results = new Map<Contender, Round[]>(chosen.map((contender) => [contender, []]));
  for (let i = 0; i < rounds; i++) {
    // Another one begins each time, so that none has always the same place.
    for (const contender of [...chosen.slice(i % chosen.length), ...chosen.slice(0, i % chosen.length)]) {
      const loadBefore = load();
      const result = await round(contender, options);
      results.get(contender)!.push(result);
      const times = STEPS.flatMap((step) =>
        result[step] ? [`${step} ${result[step].seconds.toFixed(2)} s`] : [],
      ).join(", ");
      console.log(`round ${i + 1}: ${contender.name}: ${times} (load before ${loadBefore})`);
    }
  }
  report(results);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
