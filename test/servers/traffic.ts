/** HTTP and SQL clients of a lab server, for as long as something else is done to it. */
import { Agent, get } from "node:http";
import type { LabServer } from "../lab/server";
import { say } from "./asking";

export interface Tally {
  /** Requests that were answered 200. */
  answered: number;
  /** Requests on a connection that nginx had just closed; sent again, as every HTTP client does. */
  repeated: number;
  /** Requests that nginx answered otherwise, which is what it does while waptserver is away. */
  otherwise: number;
  /** Connections that were refused or cut off: nginx itself was away. */
  failed: string[];
  sql: { answered: number; failed: number };
}

/** Clients over kept connections, and as many that connect anew each time. */
const CLIENTS = 8;
/** Never more than this, whatever happens to what is waited for. */
const MOST_SECONDS = 120;

/** Runs `act` under load and counts. */
export async function underLoad(server: LabServer, act: () => Promise<unknown>): Promise<Tally> {
  const tally: Tally = { answered: 0, repeated: 0, otherwise: 0, failed: [], sql: { answered: 0, failed: 0 } };
  const until = { ended: false, at: Date.now() + MOST_SECONDS * 1000 };
  await say(
    server,
    "rm -f /run/enough; (while [ ! -e /run/enough ]; do timeout 5 runuser -u postgres -- psql -XAtqc 'select 1' >/dev/null 2>&1 && echo answered || echo failed; done >/run/sql.log 2>&1 &)",
  );
  const kept = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const clients = Array.from({ length: 2 * CLIENTS }, async (_, index) => {
    while (!until.ended && Date.now() < until.at) {
      await request(`http://${server.host}/`, index < CLIENTS ? kept : new Agent(), tally);
    }
  });
  try {
    await pause(1000);
    await act();
    await pause(1000);
  } finally {
    until.ended = true;
    await Promise.all(clients);
    kept.destroy();
    await say(server, "touch /run/enough; sleep 0.5");
  }
  const log = (await say(server, "cat /run/sql.log")).split("\n");
  tally.sql = { answered: count(log, "answered"), failed: count(log, "failed") };
  return tally;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const count = (lines: readonly string[], word: string): number => lines.filter((line) => line === word).length;

function request(url: string, agent: Agent, tally: Tally, again = false): Promise<void> {
  return new Promise((resolve) => {
    const sent = get(url, { agent }, (answer) => {
      answer.resume();
      answer.on("end", () => {
        if (answer.statusCode === 200) tally.answered++;
        else tally.otherwise++;
        resolve();
      });
      answer.on("error", (error) => {
        tally.failed.push(error.message);
        resolve();
      });
    });
    sent.on("error", (error) => {
      if (sent.reusedSocket && !again) {
        tally.repeated++;
        resolve(request(url, agent, tally, true));
      } else {
        tally.failed.push(error.message);
        resolve();
      }
    });
  });
}
