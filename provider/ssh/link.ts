/** One open connection: its sessions, its keepalive, and its end. */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientChannel } from "ssh2";
import { type Destination, destinationName } from "./destination";
import { Slots } from "./slots";
import { SshError } from "./ssh-error";

/** Below sshd's default MaxSessions of 10, which others on the same connection don't share. */
const SESSIONS = 8;
/** Seconds in which a server that lives opens a session, where the connection sets no limit. */
const OPEN_SECONDS = 15;
/** Attempts to open a session while no other of ours is open, with twice the pause each time. */
const OPEN_ATTEMPTS = 5;
const OPEN_PAUSE_MS = 50;
const GOODBYE_MS = 1000;

/**
 * A logged-in connection. It counts its users: while it has none, its socket does not keep the process alive and no
 * keepalive is sent. Sessions over the limit wait; a server that allows fewer is asked for fewer.
 */
export class Link {
  readonly #slots = new Slots(SESSIONS);
  /** Sessions that the server has opened and that have not ended. */
  #sessions = 0;
  #users = 0;
  #alive: NodeJS.Timeout | undefined;
  #unanswered = 0;
  #closed = false;

  constructor(
    readonly target: Destination,
    readonly client: Client,
    readonly transport: Duplex,
    readonly via: Link | undefined,
    readonly onClosed: () => void,
  ) {
    client.on("close", () => this.#close()).on("end", () => this.#close());
    // Whatever breaks a connection also closes it; an error without a listener would end the process.
    client.on("error", () => this.destroy());
    if (transport instanceof Socket) transport.unref();
    // It may have ended between the login and these listeners.
    if (transport.destroyed || !transport.writable) this.#close();
  }

  /** From now on nobody gets this connection; the next one is dialled anew. */
  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#alive);
    this.onClosed();
  }

  /** Counts a user in: until {@link release} the connection keeps the process alive and is watched. */
  hold(): void {
    this.#users++;
    if (this.#users > 1) return;
    if (this.transport instanceof Socket) this.transport.ref();
    this.via?.hold();
    this.#watch();
  }

  release(): void {
    this.#users--;
    if (this.#users > 0) return;
    clearInterval(this.#alive);
    if (this.transport instanceof Socket) this.transport.unref();
    this.via?.release();
  }

  /**
   * Starts a command and calls `begin` with its channel, in the event that opens it: a short command's end may come in
   * the same packet. What is returned must be called when the channel has ended. `begin` was not called when this
   * throws, so that the command may be tried on another connection if the error is passing.
   */
  async start(command: string, begin: (channel: ClientChannel) => void): Promise<() => void> {
    await this.#slots.take();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#open(command, begin);
        return () => this.#done();
      } catch (error) {
        const refused = error instanceof ChannelRefused;
        if (refused) this.#slots.shrink(this.#sessions);
        this.#slots.free();
        if (!refused) throw error;
      }
      if (this.#sessions === 0) await this.#pause(attempt);
      await this.#slots.take(true);
    }
  }

  #done(): void {
    this.#sessions--;
    this.#slots.free();
  }

  /** A session was refused although none is open: the server may not have buried the last one yet. */
  async #pause(attempt: number): Promise<void> {
    if (attempt < OPEN_ATTEMPTS) return sleep(OPEN_PAUSE_MS * 2 ** attempt);
    const text = `${destinationName(this.target)} opens no session: see MaxSessions in its sshd_config`;
    throw new SshError("unreachable", text);
  }

  #open(command: string, begin: (channel: ClientChannel) => void): Promise<void> {
    const seconds = this.target.stageSeconds || OPEN_SECONDS;
    return new Promise((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        reject(new SshError("timeout", `${destinationName(this.target)} opened no session within ${seconds} s`, true));
        // Others may be at work on this connection: whether it lives is then for the keepalive to find out.
        if (this.#sessions === 0) this.destroy();
      }, seconds * 1000);
      const opened = (error: Error | undefined, channel: ClientChannel) => {
        clearTimeout(timer);
        if (error !== undefined) return reject(this.#refusal(error));
        if (late) return channel.on("error", () => {}).close();
        this.#sessions++;
        begin(channel);
        resolve();
      };
      try {
        this.client.exec(command, opened);
      } catch {
        clearTimeout(timer);
        reject(this.#lost());
        this.destroy();
      }
    });
  }

  #refusal(error: Error & { reason?: unknown }): Error {
    if (this.#closed) return this.#lost();
    if (error.reason !== undefined) return new ChannelRefused();
    return error.message === "Unable to exec"
      ? new SshError("config", `${destinationName(this.target)} runs no commands for this user`)
      : this.#lost();
  }

  #lost(): SshError {
    return new SshError("lost", `the connection to ${destinationName(this.target)} was lost`, true);
  }

  /** Asks the server for a sign of life while somebody waits for it; ssh2's own timer would keep the process alive. */
  #watch(): void {
    const { aliveSeconds, aliveCount } = this.target;
    if (aliveSeconds <= 0 || this.#closed) return;
    this.#unanswered = 0;
    this.#alive = setInterval(() => {
      if (this.#unanswered >= aliveCount) this.destroy();
      else this.#askForLife();
    }, aliveSeconds * 1000);
  }

  #askForLife(): void {
    this.#unanswered++;
    this.ask().then(
      () => {
        this.#unanswered = 0;
      },
      () => this.destroy(),
    );
  }

  /** Asks the server for any answer. When it comes, all that the server has sent before has come too. */
  ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      try {
        // To cancel a forwarding that does not exist changes nothing, and every server answers: it refuses.
        this.client.unforwardIn("localhost", 1, () => resolve());
      } catch {
        reject(this.#lost());
      }
    });
  }

  /** Says goodbye and closes; waits for the server's end of it, but not long. */
  async end(): Promise<void> {
    this.#close();
    await new Promise<void>((resolve) => {
      // The timer keeps the process alive: the socket of an idle connection does not, and may be dead already.
      const timer = setTimeout(resolve, GOODBYE_MS);
      this.client.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      this.client.end();
    });
    this.transport.destroy();
  }

  /** Cuts the connection; whoever waits for it gets an error. */
  destroy(): void {
    this.#close();
    this.transport.destroy();
  }
}

/** The server answered «open failed»: it has as many sessions on this connection as it allows. */
class ChannelRefused extends Error {}
