/** The entrance to this room: opens a server, and runs programs on it as root. */
import { type Connection, type Credentials, environmentCredentials } from "./connection";
import {
  type Destination,
  destinationId,
  destinationKey,
  destinationName,
  destinationRoute,
  destinationSecrets,
  resolveDestination,
} from "./destination";
import { connected, disconnectAll } from "./pool";
import { type Bounds, type Ended, execute } from "./program";
import { Marker } from "./program-output";
import { quotable, SshError } from "./ssh-error";
import { isWrongPassword, PLAIN_COMMAND, SUDO_PREAMBLE, sudoCommand, sudoError } from "./sudo";
import { forgetTrials, withTriedPassword } from "./sudo-trial";

export type { Connection, Credentials } from "./connection";
export { sayBy } from "./effective-configuration";
export { SshError, type SshErrorKind } from "./ssh-error";

/** What a program printed and how it ended. */
export interface Result {
  readonly stdout: Buffer;
  /** Decoded as UTF-8; its first MiB. */
  readonly stderr: string;
  /** The exit status, 0 to 255. */
  readonly code: number;
}

export interface RunOptions {
  /** Seconds that the program may run. Default: 300. */
  readonly timeoutSeconds?: number;
  /** Seconds in which it may say nothing. Default: those that it may run. */
  readonly silenceSeconds?: number;
  /** Bytes that it may print. Default: a MiB. */
  readonly outputLimit?: number;
  /** Run as the user who logged in, without sudo. */
  readonly asUser?: boolean;
}

/** A server that can be given programs. */
export interface Host {
  /** `user@host:port`, for messages and for telling servers apart. */
  readonly key: string;
  /**
   * Runs a POSIX shell program as root (through sudo when the connection asks for it), in the C locale, with no more
   * input than the program itself. The program should be a function that its last line calls, so that a cut connection
   * runs nothing. A broken connection is dialled anew, but a program that was sent is never sent twice.
   *
   * Throws an {@link SshError}; an exit status other than 0 is a result, not an error.
   */
  run(program: string, options?: RunOptions): Promise<Result>;
}

/** Which server a connection leads to, the same for all who reach it in the same way; it is not connected to. */
export async function routeOf(connection: Connection, credentials: Credentials = {}): Promise<string> {
  return destinationRoute(await resolveDestination(connection, credentials));
}

const TIMEOUT_SECONDS = 300;
const OUTPUT_LIMIT = 2 ** 20;

/**
 * Connects to a server and logs in, or uses the connection that is open already: one server has one connection in this
 * process, as long as it is reached, verified and logged in to in the same way. `credentials` are those of the stack's
 * configuration. Throws an {@link SshError}.
 */
export async function open(connection: Connection, credentials: Credentials = {}): Promise<Host> {
  const target = await resolveDestination(connection, credentials);
  await connected(target);
  return new RemoteHost(target, connection, credentials);
}

/** Ends every connection. One that is used again afterwards is dialled anew. */
export function closeAll(): Promise<void> {
  forgetTrials();
  return disconnectAll();
}

class RemoteHost implements Host {
  readonly key: string;
  readonly #target: Destination;
  readonly #viaSudo: boolean;
  /** Those not refused so far; the first is used. */
  readonly #sudoPasswords: string[];
  readonly #secrets: readonly string[];

  constructor(target: Destination, connection: Connection, credentials: Credentials) {
    this.key = destinationKey(target);
    this.#target = target;
    this.#viaSudo = connection.sudo === true && target.user !== "root";
    const passwords = [
      connection.sudoPassword,
      credentials.sudoPassword,
      environmentCredentials().sudoPassword,
      connection.password,
    ];
    this.#sudoPasswords = [...new Set(passwords.filter((password) => password !== undefined))];
    this.#secrets = [...destinationSecrets(target), ...this.#sudoPasswords];
  }

  async run(program: string, options: RunOptions = {}): Promise<Result> {
    const { timeoutSeconds = TIMEOUT_SECONDS, silenceSeconds = timeoutSeconds, outputLimit = OUTPUT_LIMIT } = options;
    const bounds = { timeoutSeconds, silenceSeconds, outputLimit };
    const viaSudo = this.#viaSudo && options.asUser !== true;
    if (!viaSudo) return this.#result(await this.#execute(PLAIN_COMMAND, "", program, bounds), false);
    for (;;) {
      const password = this.#sudoPasswords[0];
      if (password === undefined) return this.#runWithSudo(program, undefined, bounds);
      try {
        return await withTriedPassword(destinationId(this.#target), password, (taken) =>
          this.#runWithSudo(program, password, bounds, taken),
        );
      } catch (error) {
        // Each is tried once, so that an old one in the state gives way to a new one in the configuration.
        if (!isWrongPassword(error) || this.#sudoPasswords.length < 2) throw error;
        if (this.#sudoPasswords[0] === password) this.#sudoPasswords.shift();
      }
    }
  }

  async #runWithSudo(program: string, password: string | undefined, bounds: Bounds, onStart?: () => void) {
    const { command, input } = sudoCommand(password);
    return this.#result(await this.#execute(command, `${input}${SUDO_PREAMBLE}`, program, bounds, onStart), true);
  }

  async #execute(
    command: string,
    before: string,
    program: string,
    bounds: Bounds,
    onStart?: () => void,
  ): Promise<Ended> {
    const marker = new Marker();
    const input = `${before}${marker.code}LC_ALL=C; export LC_ALL\n${program}${program.endsWith("\n") ? "" : "\n"}`;
    const link = await connected(this.#target);
    try {
      return await execute(link, command, input, marker, bounds, onStart);
    } catch (error) {
      // Passing errors come before the program was sent: the connection had died unnoticed.
      if (!(error instanceof SshError) || !error.passing) throw error;
      return execute(await connected(this.#target), command, input, marker, bounds, onStart);
    }
  }

  #result(ended: Ended, viaSudo: boolean): Result {
    if (ended.started) return { stdout: ended.stdout, stderr: ended.stderr, code: ended.code };
    const where = destinationName(this.#target);
    const printed = `${ended.stderr}\n${ended.stdout.toString("utf8")}`;
    const error = viaSudo ? sudoError(where, printed) : undefined;
    if (error !== undefined) throw error;
    const said = quotable(printed, this.#secrets) || "nothing";
    const what = viaSudo ? "sudo did not start a shell" : "the login shell did not start /bin/sh";
    throw new SshError(
      viaSudo ? "sudo" : "config",
      `${where}: ${what} (exit status ${ended.code}); it printed: ${said}`,
    );
  }
}
