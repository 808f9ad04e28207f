/** Bounded traffic to a lab server while something happens there: HTTP through nginx, and SQL. What failed is counted. */
import { Agent, type ClientRequest, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { LabServer } from "../lab/server";

/** Each client waits so long after an answer, in milliseconds. */
const PAUSE = 20;
const KEPT_CLIENTS = 12;
const FRESH_CLIENTS = 4;
const SQL_CLIENTS = 4;
/** Whatever happens, traffic ends after so many seconds. */
const LONGEST = 90;
const TIMEOUT_MILLISECONDS = 10_000;

export interface Counts {
  requests: number;
  /** By what went wrong: a status of 500 or more, or the code of a connection's error. */
  readonly failures: Record<string, number>;
  /** Kept connections that the server closed while idle, which is its right; the request went over another one. */
  reopened: number;
  /** Between the first failure of a row and the next success, the longest, in milliseconds. */
  outage: number;
}

const noCounts = (): Counts => ({ requests: 0, failures: {}, reopened: 0, outage: 0 });

/** One client's view of what works. */
class Outage {
  private since: number | undefined;

  constructor(private readonly counts: Counts) {}

  note(failure: string | undefined): void {
    this.counts.requests += 1;
    if (failure !== undefined) {
      this.counts.failures[failure] = (this.counts.failures[failure] ?? 0) + 1;
      this.since ??= Date.now();
    } else if (this.since !== undefined) {
      this.counts.outage = Math.max(this.counts.outage, Date.now() - this.since);
      this.since = undefined;
    }
  }
}

/** HTTP traffic by path, over kept and over new connections; `stop` ends it and returns the counts. */
export function httpTraffic(server: LabServer, paths: readonly string[]): { stop(): Promise<Record<string, Counts>> } {
  const counts = Object.fromEntries(paths.map((path) => [path, noCounts()]));
  const deadline = Date.now() + LONGEST * 1000;
  let isOn = true;
  const client = async (path: string, agent: Agent | false) => {
    const outage = new Outage(counts[path]!);
    while (isOn && Date.now() < deadline) {
      outage.note(await answer(server.host, path, agent, counts[path]!));
      await sleep(PAUSE);
    }
    if (agent) agent.destroy();
  };
  const clients = paths.flatMap((path) => [
    ...Array.from({ length: KEPT_CLIENTS }, () => client(path, new Agent({ keepAlive: true, maxSockets: 1 }))),
    ...Array.from({ length: FRESH_CLIENTS }, () => client(path, false)),
  ]);
  return {
    async stop() {
      isOn = false;
      await Promise.all(clients);
      return counts;
    },
  };
}

/** What went wrong with a request, if anything did. */
async function answer(host: string, path: string, agent: Agent | false, counts: Counts): Promise<string | undefined> {
  const first = await attempt(host, path, agent);
  if (first.failure === undefined || !first.reused) return first.failure;
  counts.reopened += 1;
  return (await attempt(host, path, agent)).failure;
}

function attempt(host: string, path: string, agent: Agent | false): Promise<{ failure?: string; reused?: boolean }> {
  return new Promise((resolve) => {
    const asked: ClientRequest = request({ host, path, agent, timeout: TIMEOUT_MILLISECONDS }, (response) => {
      response.on("error", (error: NodeJS.ErrnoException) => resolve({ failure: `answer cut: ${error.code}` }));
      response.on("end", () => resolve(response.statusCode! < 500 ? {} : { failure: String(response.statusCode) }));
      response.resume();
    });
    asked.on("timeout", () => asked.destroy(Object.assign(new Error(), { code: "TIMEOUT" })));
    asked.on("error", (error: NodeJS.ErrnoException) => {
      // Before any byte of an answer on a kept connection: the server had closed it meanwhile.
      const reused = asked.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
      resolve({ failure: error.code ?? error.message, reused });
    });
    asked.end();
  });
}

/** Asks PostgreSQL over its socket until a file appears; each client keeps its connection, and makes a new one when it lost it. */
const SQL = `
import json, os, threading, time, psycopg2
counts = {"requests": 0, "failures": {}, "reopened": 0, "outage": 0}
lock = threading.Lock()
deadline = time.monotonic() + ${LONGEST}
def client():
    connection = since = None
    while not os.path.exists("/tmp/traffic-ends") and time.monotonic() < deadline:
        failure = None
        try:
            if connection is None:
                connection = psycopg2.connect(dbname="postgres", connect_timeout=5)
                connection.autocommit = True
            connection.cursor().execute("SELECT 1")
        except psycopg2.Error as error:
            failure, connection = type(error).__name__, None
        now = time.monotonic()
        with lock:
            counts["requests"] += 1
            if failure:
                counts["failures"][failure] = counts["failures"].get(failure, 0) + 1
                since = since or now
            elif since:
                counts["outage"], since = max(counts["outage"], round((now - since) * 1000)), None
        time.sleep(${PAUSE / 1000})
threads = [threading.Thread(target=client) for _ in range(${SQL_CLIENTS})]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(counts))
`;

/** SQL traffic from clients on the server itself. */
export function sqlTraffic(server: LabServer): { stop(): Promise<Counts> } {
  const run = server.exec("rm -f /tmp/traffic-ends; exec runuser -u postgres -- python3 -", { input: SQL });
  return {
    async stop() {
      await server.exec("touch /tmp/traffic-ends");
      return JSON.parse((await run).stdout);
    },
  };
}
