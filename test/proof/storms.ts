/**
 * Storms in turn on one server that `up` has tuned, with each pool and each pace of logins: which of them ends sooner, and
 * what it costs. `npm run prove:storms`. See README.md beside this file.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { sizing } from "../../provider/sizing";
import { machine, table } from "../benchmark/report";
import type { LabServer } from "../lab/server";
import { say } from "../support/asking";
import { bring, settled, tuningFor } from "./bases";
import { type StormCurve, stormChart } from "./charts";
import { lose, startProof } from "./measured";
import { Population, type Storm } from "./population";
import { STORM_HEAD, stormCells } from "./report";
import { type Sample, sample } from "./sample";

const OPTIONS = {
  clients: { type: "string", default: "1000" },
  processors: { type: "string", default: "1" },
  pools: { type: "string", default: "guide,90" },
  paces: { type: "string", default: "0,40,80" },
  held: { type: "string", default: "no" },
  rounds: { type: "string", default: "2" },
  json: { type: "string" },
  svg: { type: "string" },
  from: { type: "string" },
} as const;

type Given = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

const HELD = ["no", "503", "pause"] as const;
type Held = (typeof HELD)[number];

/** What a storm is tried with. */
interface Way {
  readonly pool: number;
  /** Logins a second; 0 for no limit. */
  readonly pace: number;
  /** What nginx does while waptserver is down: nothing of its own, a 503 to every login, or a pause of its listens. */
  readonly held: Held;
}

interface Tried extends Way {
  readonly storm: Storm;
  readonly after: Sample;
  readonly load: number;
}

const PACING = "/etc/nginx/conf.d/pace.conf";
const BACK = "/etc/nginx/conf.d/held-back.conf";

const pacing = (pace: number) => `map $uri $login { default ""; /get_websocket_auth_token $server_name; }
limit_req_zone $login zone=logins:1m rate=${pace}r/s; limit_req zone=logins burst=${4 * pace}; limit_req_status 503;`;

async function give(server: LabServer, { pool, pace }: Way): Promise<void> {
  const conf = pace === 0 ? `rm -f ${PACING}` : `printf '%s\\n' '${pacing(pace)}' >${PACING}`;
  await say(
    server,
    `${conf}; sed -i 's/^db_max_connections *=.*/db_max_connections = ${pool}/' /opt/wapt/conf/waptserver.ini
     nginx -t 2>&1 && systemctl reload nginx && sleep 1`,
  );
}

const UNTIL_IT_LISTENS = "for i in $(seq 300); do ss -ltnH sport = :8080 | grep -q . && break; sleep 0.1; done";

/** A 503 of nginx's own for every login until waptserver listens, as a run of ours could do it. */
const RESTART_BEHIND_503 = `printf 'map $uri $back { default ""; /get_websocket_auth_token x; }\\nlimit_req_zone $back zone=back:1m rate=1r/m; limit_req zone=back; limit_req_status 503;\\n' >${BACK}
nginx -t 2>&1 && systemctl reload nginx; systemctl restart waptserver
${UNTIL_IT_LISTENS}
rm -f ${BACK}; systemctl reload nginx`;

/** The listens of nginx paused: what comes waits in its queue until waptserver listens. */
const RESTART_BEHIND_PAUSE = `pkill -STOP -f '^nginx: worker process$'; systemctl restart waptserver
${UNTIL_IT_LISTENS}
pkill -CONT -f '^nginx: worker process$'`;

async function tryOne(server: LabServer, population: Population, way: Way): Promise<Tried> {
  await give(server, way);
  const load = loadavg()[0]!;
  const how = way.held === "503" ? RESTART_BEHIND_503 : RESTART_BEHIND_PAUSE;
  const storm =
    way.held === "no"
      ? await lose(server, population, LIMIT_SECONDS)
      : await population.storm(() => say(server, how), LIMIT_SECONDS);
  return { ...way, storm, after: await sample(server), load };
}

const LIMIT_SECONDS = 300;

function waysOf({ pools, paces, held }: Given, clients: number): Way[] {
  const numbers = pools.split(",").map((pool) => (pool === "guide" ? sizing(clients).dbMaxConnections : Number(pool)));
  const helds = held.split(",").map((word) => HELD.find((one) => one === word) ?? fail(`--held ${word}`));
  return numbers.flatMap((pool) =>
    paces.split(",").flatMap((pace) => helds.map((one) => ({ pool, pace: Number(pace), held: one }))),
  );
}

async function tryAll(given: Given): Promise<Tried[]> {
  const clients = Number(given.clients);
  const processors = given.processors === "2" ? 2 : 1;
  const ways = waysOf(given, clients);
  const server = await startProof({ clients, processors });
  const population = new Population(server.host, clients);
  const all: Tried[] = [];
  try {
    await bring(server, "up", tuningFor(clients, processors === 2));
    await settled(server);
    console.log(`${(await population.hold()).connected} of ${clients} connected`);
    for (let round = 0; round < Number(given.rounds); round++) {
      for (const way of ways) {
        const tried = await tryOne(server, population, way);
        all.push(tried);
        console.log(lineOf(tried).join("  "));
        if (given.json) writeFileSync(given.json, JSON.stringify({ machine: machine(), clients, processors, all }));
      }
    }
    return all;
  } finally {
    population.stop();
    await server.stop();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  const kept = values.from && (JSON.parse(readFileSync(values.from, "utf8")) as { machine: string; all: Tried[] });
  console.log(kept ? kept.machine : machine());
  const all = kept ? kept.all : await tryAll(values);
  if (values.svg) writeFileSync(values.svg, stormChart(firstOfEach(all)));
  console.log(`\n${table(["pool", "logins a second", "held back", ...STORM_HEAD, "load"], all.map(lineOf))}`);
}

/** The first storm of each way. */
function firstOfEach(all: readonly Tried[]): StormCurve[] {
  const name = ({ pool, pace, held }: Way) =>
    [`pool ${pool}`, ...(pace === 0 ? [] : [`${pace} logins a second`]), ...(held === "no" ? [] : [held])].join(", ");
  return [...Map.groupBy(all, name)].map(([way, [first]]) => ({ name: way, storm: first!.storm }));
}

function fail(what: string): never {
  throw new Error(`${what}: one of ${HELD.join(", ")}`);
}

const lineOf = ({ pool, pace, held, storm, after, load }: Tried): string[] => [
  String(pool),
  pace === 0 ? "no limit" : String(pace),
  held,
  ...stormCells(storm, after),
  load.toFixed(1),
];

main().then(
  () => process.exit(0),
  (error: Error) => {
    console.error(error);
    process.exit(1);
  },
);
