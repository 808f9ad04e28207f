/** All PCs of a server: they come, download in turns, are looked at, are lost all at once, and come back. */
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, newTally, type Tally } from "./agent";

/** So many come at a time: none waits for its login so long that it gives up. A morning, not a storm. */
const AT_A_TIME = 50;
/** Of this share of all PCs each has a second connection at the same time: what the guide's 2.5 a client leave room for. */
const DOWNLOADING = 1 / 4;
/** A download may take so long; less once as many as come at a time have waited in vain, or nobody would see the end. */
const DOWNLOAD_MILLISECONDS = { first: 30_000, later: 5000 };
/** Those that were refused have tried again once when it is counted. */
const SECOND_CHANCE_SECONDS = 25;

/** What came of a population. */
export interface Held extends Tally {
  readonly clients: number;
  /** Held a websocket once. */
  readonly connected: number;
  /** Whose websocket answers in the end. */
  readonly stayed: number;
  /** Of those, whose download came, and came again over the same connection beside those of others. */
  readonly served: number;
}

/** What came of a storm. Seconds since the loss; undefined where so many never came back. */
export interface Storm extends Tally {
  /** How many were lost. */
  readonly lost: number;
  readonly back: number;
  readonly half: number | undefined;
  readonly most: number | undefined;
  readonly nearlyAll: number | undefined;
  /** For the chart: seconds, and how many are back. */
  readonly curve: readonly (readonly [seconds: number, back: number])[];
}

export class Population {
  private readonly agents: Agent[];
  /** Downloads that did not come. */
  private missed = 0;

  constructor(host: string, clients: number) {
    const tally = newTally();
    this.agents = Array.from({ length: clients }, () => new Agent(host, tally));
  }

  get up(): number {
    return this.agents.filter(({ isUp }) => isUp).length;
  }

  /** All come, some at a time; then each downloads, a share of them at a time; then each is asked whether it is still there. */
  async hold(): Promise<Held> {
    const { agents } = this;
    const { tally } = agents[0]!;
    await eachOf(agents, AT_A_TIME, (agent) => agent.come());
    await within(SECOND_CHANCE_SECONDS, () => this.up === agents.length);
    const connected = this.up;
    const served = new Set<Agent>();
    const share = Math.ceil(agents.length * DOWNLOADING);
    for (let at = 0; at < agents.length; at += share) {
      for (const agent of await this.downloadTogether(agents.slice(at, at + share))) served.add(agent);
    }
    const stayed: Agent[] = [];
    await eachOf(agents, AT_A_TIME, async (agent) => {
      if (await agent.answers()) stayed.push(agent);
    });
    const both = stayed.filter((agent) => served.has(agent)).length;
    return { ...tally, clients: agents.length, connected, stayed: stayed.length, served: both };
  }

  /** Loses all at once, and waits until so many of 100 are back, or for so long. */
  async storm(lose: () => Promise<unknown>, limitSeconds: number, percent = 99): Promise<Storm> {
    const tally = newTally();
    const lost = this.agents.filter(({ isUp }) => isUp);
    const times = new Map<Agent, number>();
    const start = Date.now();
    for (const agent of lost) {
      agent.countIn(tally);
      agent.onUp = () => times.has(agent) || times.set(agent, (Date.now() - start) / 1000);
    }
    await lose();
    await within(limitSeconds, () => times.size >= (lost.length * percent) / 100);
    for (const agent of lost) agent.onUp = () => undefined;
    const back = [...times.values()].sort((one, other) => one - other);
    const after = (share: number) => back[Math.ceil((lost.length * share) / 100) - 1];
    return {
      ...tally,
      lost: lost.length,
      back: back.length,
      half: after(50),
      most: after(95),
      nearlyAll: after(99),
      curve: back.flatMap((time, at) => (at % Math.ceil(back.length / 100) === 0 ? [[time, at + 1] as const] : [])),
    };
  }

  /** Those of whom both downloads came. */
  private async downloadTogether(agents: readonly Agent[]): Promise<Agent[]> {
    const opened: { agent: Agent; exchange: NonNullable<Awaited<ReturnType<Agent["download"]>>> }[] = [];
    await eachOf(agents, AT_A_TIME, async (agent) => {
      const exchange = await agent.download(this.patience);
      if (exchange) opened.push({ agent, exchange });
      else this.missed += 1;
    });
    const served: Agent[] = [];
    // nginx takes an idle connection away for another one: each must still be there when all are.
    await eachOf(opened, AT_A_TIME, async ({ agent, exchange }) => {
      if (await agent.downloadAgain(exchange, this.patience)) served.push(agent);
      else this.missed += 1;
      exchange.close();
    });
    return served;
  }

  private get patience(): number {
    return this.missed < AT_A_TIME ? DOWNLOAD_MILLISECONDS.first : DOWNLOAD_MILLISECONDS.later;
  }

  stop(): void {
    for (const agent of this.agents) agent.stop();
  }
}

/** Does something for each, so many at a time. */
async function eachOf<T>(all: readonly T[], atATime: number, act: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  const worker = async () => {
    for (const one of left) await act(one);
  };
  await Promise.all(Array.from({ length: Math.min(atATime, all.length) }, worker));
}

async function within(seconds: number, isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!isDone() && Date.now() < deadline) await sleep(100);
}
