/** One PC as WAPT's server sees it: it logs in, opens a session, holds a websocket, and downloads over another connection. */
import { Exchange, Refusal } from "./exchange";

/** WAPT's agent gives its login so long. */
const LOGIN_MILLISECONDS = 5000;
/** The other answers of a connect: the socket.io client's own patience. */
const CONNECT_MILLISECONDS = 10_000;
/** An agent that did not come through waits so long. */
const AGAIN_MILLISECONDS = 15_000;
export const PACKAGE = "/wapt/package.bin";

/** What all agents together have met. */
export interface Tally {
  attempts: number;
  readonly refusals: Record<string, number>;
  /** Of the first attempts that were answered: milliseconds from the connect to the answer of the login. */
  readonly firstAnswers: number[];
}

export const newTally = (): Tally => ({ attempts: 0, refusals: {}, firstAnswers: [] });

export class Agent {
  private websocket: Exchange | undefined;
  private retry: NodeJS.Timeout | undefined;
  private isFirst = true;
  private isStopped = false;
  /** Called each time that its websocket is held. */
  onUp: () => void = () => undefined;

  constructor(
    private readonly host: string,
    public tally: Tally,
  ) {}

  get isUp(): boolean {
    return this.websocket !== undefined;
  }

  /** What it meets from now on counts in another tally. */
  countIn(tally: Tally): void {
    this.tally = tally;
    this.isFirst = true;
  }

  /** One attempt; the next ones come by themselves. Returns when the first has come to an end. */
  async come(): Promise<void> {
    if (this.isStopped) return;
    this.tally.attempts += 1;
    try {
      await this.login();
      await this.connect();
      this.onUp();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.tally.refusals[error.message] = (this.tally.refusals[error.message] ?? 0) + 1;
      this.comeAgain(AGAIN_MILLISECONDS);
    }
    this.isFirst = false;
  }

  private comeAgain(milliseconds: number): void {
    if (!this.isStopped) this.retry = setTimeout(() => void this.come(), milliseconds);
  }

  private async login(): Promise<void> {
    const start = Date.now();
    const exchange = new Exchange(this.host);
    try {
      await exchange.get("/get_websocket_auth_token", start + LOGIN_MILLISECONDS, ["Connection: close"]);
      if (this.isFirst) this.tally.firstAnswers.push(Date.now() - start);
    } finally {
      exchange.close();
    }
  }

  private async connect(): Promise<void> {
    const deadline = Date.now() + CONNECT_MILLISECONDS;
    const exchange = new Exchange(this.host);
    try {
      const opened = (await exchange.get("/socket.io/?EIO=3&transport=polling", deadline)).toString();
      const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
      const upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${KEY}`,
      ];
      await exchange.get(`/socket.io/?EIO=3&transport=websocket&sid=${sid}`, deadline, upgrade, 101);
      if ((await exchange.tell("2probe", deadline)) !== "3probe") throw new Refusal("another answer than 3probe");
      exchange.send("5");
    } catch (error) {
      exchange.close();
      throw error;
    }
    this.websocket = exchange;
    exchange.onEnd = () => {
      this.websocket = undefined;
      // All of them notice within the same second.
      this.comeAgain(Math.random() * 1000);
    };
  }

  /** Whether its websocket still answers. */
  async answers(): Promise<boolean> {
    const pong = await this.websocket?.tell("2", Date.now() + CONNECT_MILLISECONDS).catch(() => undefined);
    return pong === "3";
  }

  /** Opens the second connection and downloads a package; undefined where that fails, or takes longer. */
  async download(milliseconds: number): Promise<Exchange | undefined> {
    const exchange = new Exchange(this.host);
    if (await this.downloadAgain(exchange, milliseconds)) return exchange;
    exchange.close();
    return undefined;
  }

  /** Whether a package comes over a connection that is open. */
  downloadAgain(exchange: Exchange, milliseconds: number): Promise<boolean> {
    return exchange.get(PACKAGE, Date.now() + milliseconds).then(
      () => true,
      () => false,
    );
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.retry);
    this.websocket?.close();
    this.websocket = undefined;
  }
}

/** Any 16 bytes. */
const KEY = Buffer.from("the proof's own!").toString("base64");
