/** The handshake on an open socket: keys exchanged, the server verified, the user logged in. */
import type { Duplex } from "node:stream";
import { type Algorithms, Client } from "ssh2";
import { Authentication } from "./authentication";
import { type Destination, destinationName, destinationSecrets } from "./destination";
import { type HostKeyCheck, hostKeyCheck } from "./host-key";
import { quotable, SshError } from "./ssh-error";

/** sshd's own LoginGraceTime, after which it hangs up: the limit where ours is switched off. */
const GRACE_SECONDS = 120;

/** How far a login has come, and what a silence or an end there means. */
const STAGES = {
  banner: "the port is open, but sent no SSH banner (another service there, or a server that is out of resources?)",
  kex: "the key exchange did not come to its end",
  login: "the login was not decided",
} as const;

/**
 * Speaks SSH over an open transport until the user is logged in. Owns the transport: it is destroyed when this fails.
 * Each stage (banner, key exchange, login) may take `stageSeconds`. Throws an {@link SshError}.
 */
export async function login(transport: Duplex, target: Destination): Promise<Client> {
  // An error between here and ssh2's own handlers must not end the process.
  const ignore = () => {};
  transport.on("error", ignore);
  try {
    const check = await hostKeyCheck(target);
    return await new Login(transport, target, check).run();
  } catch (error) {
    transport.destroy();
    throw error;
  }
}

class Login {
  readonly #client = new Client();
  readonly #authentication: Authentication;
  readonly #seconds: number;
  #stage: keyof typeof STAGES = "banner";
  #timer: NodeJS.Timeout | undefined;
  #settled = false;
  #resolve!: (client: Client) => void;
  #reject!: (error: SshError) => void;

  constructor(
    readonly transport: Duplex,
    readonly target: Destination,
    readonly check: HostKeyCheck,
  ) {
    this.#authentication = new Authentication(target);
    this.#seconds = target.stageSeconds || GRACE_SECONDS;
  }

  run(): Promise<Client> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#enter("banner");
      this.#listen();
      try {
        this.#connect();
      } catch {
        this.#fail(new SshError("config", `${destinationName(this.target)} can't be dialled with these arguments`));
      }
    });
  }

  #listen(): void {
    const client = this.#client;
    client.on("ready", () => this.#succeed());
    client.on("handshake", () => this.#enter("login"));
    client.on("error", (error) => this.#failed(error));
    // Without a listener ssh2 would wait for a new password for ever.
    client.on("change password", () => this.#fail(this.#authentication.refusal("says that the password has expired")));
    client.on("end", () => this.#cut());
    client.on("close", () => this.#cut());
  }

  #connect(): void {
    this.#client.connect({
      sock: this.transport as never,
      username: this.target.user,
      readyTimeout: 0,
      keepaliveInterval: 0,
      algorithms: this.#algorithms(),
      authHandler: (allowed, partial, next) => {
        // Each way to log in gets its own time: PAM takes seconds to refuse a password.
        this.#enter("login");
        return this.#authentication.handler(allowed, partial, next);
      },
      hostVerifier: (key: Buffer, verify: (accepted: boolean) => void) => {
        this.check.accept(key).then(
          () => verify(true),
          (error: SshError) => {
            this.#fail(error);
            verify(false);
          },
        );
      },
    });
    // ssh2 has paused the transport, so that this listener takes nothing from it.
    this.transport.once("data", () => this.#enter("kex"));
  }

  #algorithms(): Algorithms {
    const { kex, cipher, hmac } = this.target.algorithms;
    const lists = { kex: among(kex), cipher: among(cipher), hmac: among(hmac) };
    // ssh2's types know neither its own patterns nor that an operation may be left out.
    return { serverHostKey: [...this.check.algorithms], ...lists } as unknown as Algorithms;
  }

  #enter(stage: keyof typeof STAGES): void {
    if (this.#settled) return;
    clearTimeout(this.#timer);
    this.#stage = stage;
    this.#timer = setTimeout(() => this.#late(), this.#seconds * 1000);
  }

  #late(): void {
    const text = `${destinationName(this.target)}: ${STAGES[this.#stage]} within ${this.#seconds} s`;
    this.#fail(new SshError("timeout", text, !this.#authentication.begun));
  }

  #cut(): void {
    if (this.#authentication.begun) this.#fail(this.#authentication.refusal("hung up during the login"));
    else
      this.#fail(new SshError("unreachable", `${destinationName(this.target)} hung up: ${STAGES[this.#stage]}`, true));
  }

  #failed(error: Error & { level?: string }): void {
    const said = quotable(error.message, destinationSecrets(this.target));
    if (error.level === "agent") this.#authentication.note(`the agent failed: ${said}`);
    // A key that can't sign is reported as a failed authentication too; then ssh2 goes on to the next way.
    else if (error.level !== "client-authentication") this.#fail(this.#broken(error.level, said));
    else if (error.message.startsWith("All configured")) this.#fail(this.#authentication.refusal());
    else this.#authentication.note(said);
  }

  #broken(level: string | undefined, said: string): SshError {
    if (this.#authentication.begun) return this.#authentication.refusal(`ended the login ("${said}")`);
    const where = destinationName(this.target);
    if (said.startsWith("Connection lost"))
      return new SshError("unreachable", `${where} hung up: ${STAGES[this.#stage]}`, true);
    const hint = /no matching/.test(said)
      ? ". Compare its sshd_config with Ciphers, KexAlgorithms, MACs and HostKeyAlgorithms of the ssh configuration"
      : "";
    return new SshError(
      "unreachable",
      `${where} did not agree to speak SSH: ${said}${hint}`,
      level === "client-socket",
    );
  }

  #fail(error: SshError): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#reject(error);
    // Only after ssh2 is done with the event that brought this up.
    setImmediate(() => this.transport.destroy());
  }

  #succeed(): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#resolve(this.#client);
  }
}

/** Of what ssh2 can do that which the ssh configuration allows: ssh2 takes patterns that change its own list. */
function among(allowed: readonly string[] | undefined) {
  if (allowed === undefined) return undefined;
  const names = allowed.map((name) => name.replace(/[^\w-]/g, "\\$&")).join("|");
  return { append: new RegExp(`^(?:${names})$`), remove: new RegExp(`^(?!(?:${names})$)`) };
}
