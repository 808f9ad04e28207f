/** How a login is tried: passwords, keys, agents, in the order in which a connection gives them. */
import { readFile } from "node:fs/promises";
import type { AnyAuthMethod, AuthenticationType, AuthHandlerMiddleware, ParsedKey, Prompt } from "ssh2";
import { utils } from "ssh2";
import { type Destination, destinationName, type LoginSource } from "./destination";
import { KeyAgent } from "./key-agent";
import { readPrivateKey } from "./private-key";
import { quotable, SshError } from "./ssh-error";
import { undoneWishes } from "./undone-wishes";

/** One way to log in: what it is called in messages, the method that the server must allow, and how to begin it. */
interface Way {
  readonly label: string;
  readonly needs: "publickey" | "password";
  /** Undefined when there is nothing to try after all; the notes then say why. */
  begin(allowed: readonly string[]): Promise<AnyAuthMethod | undefined>;
}

/**
 * Logs in with everything at hand, one after the other, in one connection. The order: the connection's arguments (key,
 * password, agent), the stack configuration, the environment, then as ssh does it: agent, identity files, default keys.
 * A key is offered once, a password tried once. Each login needs an object of its own.
 */
export class Authentication {
  readonly #target: Destination;
  readonly #ways: Way[];
  readonly #passphrases: readonly string[];
  readonly #offered = new Set<string>();
  readonly #tried: string[] = [];
  readonly #notes: string[] = [];
  #allowed: readonly string[] | undefined;

  constructor(target: Destination) {
    this.#target = target;
    this.#passphrases = target.sources.flatMap((source) => source.privateKeyPassword ?? []);
    const agent = this.#agentWay();
    const [first, ...rest] = target.sources.map((source) => this.#sourceWays(source));
    const files = target.identityFiles.map((file) => this.#fileWay(file));
    const fallbacks = target.agentFirst ? [...agent, ...rest.flat()] : [...rest.flat(), ...agent];
    this.#ways = [...(first ?? []), ...fallbacks, ...files];
  }

  /** True once the server was asked to accept somebody: after that, a failed login must not be repeated. */
  get begun(): boolean {
    return this.#tried.length > 0;
  }

  /** For ssh2's `authHandler`. */
  readonly handler: AuthHandlerMiddleware = (allowed, _partial, next) => {
    this.#next(allowed)
      .then((method) => next(method ?? GIVE_UP))
      // What ssh2 can't begin is left to the login's deadline: an error without a handler would end the process.
      .catch(() => this.note("a way to log in could not be begun"));
    // Undefined tells ssh2 to wait for next().
    return undefined as never;
  };

  /** Remembers something that went wrong on the way, for {@link refusal}. */
  note(text: string): void {
    this.#notes.push(text);
  }

  /** What to say when the server refused everything. */
  refusal(reason = "refused the login"): SshError {
    const tried = this.#tried.length > 0 ? `tried ${this.#tried.join(", ")}` : "there was nothing to try";
    const allowed = this.#allowed === undefined ? "" : `; it accepts ${this.#allowed.join(", ") || "nothing"}`;
    const undone = undoneWishes(this.#target, this.#allowed);
    const notes = [...this.#notes, ...undone].map((note) => `; ${note}`).join("");
    const text = `${reason}: ${tried}${allowed}${notes}. ${this.#advice(reason)}`;
    return new SshError("auth", `${destinationName(this.#target)} ${text}`);
  }

  #advice(reason: string): string {
    if (reason.includes("Too many")) {
      return "Name the right key by IdentityFile, with IdentitiesOnly yes, for this host in the ssh configuration.";
    }
    if (this.#allowed?.includes("publickey") === false) return "Give connection.password.";
    const user = quotable(this.#target.user, []);
    return `Give connection.privateKey, or let the server accept one of your keys for ${user} (authorized_keys).`;
  }

  async #next(allowed: readonly AuthenticationType[] | null): Promise<AnyAuthMethod | undefined> {
    if (allowed !== null) this.#allowed = allowed;
    for (;;) {
      const way = this.#take();
      if (way === undefined) return this.#allowed === undefined ? this.#ask() : undefined;
      const method = await way.begin(this.#allowed ?? []).catch(() => this.note(`${way.label} can't be used`));
      if (!method) continue;
      this.#tried.push(way.label);
      return method;
    }
  }

  /** The next way that the server allows. While it has not said what it allows, only a key may be tried unasked. */
  #take(): Way | undefined {
    const usable = ({ needs }: Way) =>
      needs === "publickey"
        ? (this.#allowed ?? ["publickey"]).includes("publickey")
        : passwordMethod(this.#allowed) !== undefined;
    const index = this.#allowed === undefined ? this.#leadingKey() : this.#ways.findIndex(usable);
    return index < 0 ? undefined : this.#ways.splice(index, 1)[0];
  }

  #leadingKey(): number {
    return this.#ways[0]?.needs === "publickey" ? 0 : -1;
  }

  /** The method `none` logs nobody in, as a rule, but makes the server say what it accepts. It counts as no attempt. */
  #ask(): AnyAuthMethod {
    return { type: "none", username: this.#target.user };
  }

  #sourceWays(source: LoginSource): Way[] {
    const { origin, privateKey, password } = source;
    const ways: Way[] = [];
    if (privateKey !== undefined) {
      const label = origin === "connection" ? "connection.privateKey" : `the private key of the ${origin}`;
      ways.push({ label, needs: "publickey", begin: async () => this.#offerKey(label, privateKey, CONTENTS) });
    }
    if (password !== undefined) {
      const label = origin === "connection" ? "connection.password" : `the password of the ${origin}`;
      ways.push({ label, needs: "password", begin: async (allowed) => this.#offerPassword(password, allowed) });
    }
    return ways;
  }

  #fileWay(file: string): Way {
    const begin = async () => {
      const text = await readFile(file, "utf8").catch(() => undefined);
      // A .pub file names a key of the agent's.
      return text === undefined || /^(ssh|ecdsa|sk)-/.test(text) ? undefined : this.#offerKey(file, text);
    };
    return { label: file, needs: "publickey", begin };
  }

  #offerKey(label: string, text: string, hint = ""): AnyAuthMethod | undefined {
    const result = readPrivateKey(text, this.#passphrases);
    if ("problem" in result) this.note(`${label} ${result.problem}${hint}`);
    else if (this.#isNew(result.key)) return { type: "publickey", username: this.#target.user, key: result.key };
    return undefined;
  }

  #isNew(key: ParsedKey): boolean {
    const id = key.getPublicSSH().toString("base64");
    if (this.#offered.has(id)) return false;
    this.#offered.add(id);
    return true;
  }

  /** Tries a password once, by whichever of the two methods the server has: a second refusal would count again. */
  #offerPassword(password: string, allowed: readonly string[]): AnyAuthMethod | undefined {
    const username = this.#target.user;
    if (!this.#isNewPassword(password)) return undefined;
    if (passwordMethod(allowed) === "password") return { type: "password", username, password };
    return { type: "keyboard-interactive", username, prompt: this.#answering(password) };
  }

  #isNewPassword(password: string): boolean {
    const id = `password ${password}`;
    if (this.#offered.has(id)) return false;
    this.#offered.add(id);
    return true;
  }

  #answering(password: string) {
    let given = false;
    return (
      _name: string,
      _text: string,
      _language: string,
      prompts: Prompt[],
      finish: (answers: string[]) => void,
    ) => {
      const single = !given && prompts.length === 1 && prompts[0]?.echo !== true;
      if (single) given = true;
      else this.note(`it asks for more than a password: "${quotable(prompts.at(-1)?.prompt ?? "", [password], 60)}"`);
      finish(prompts.map(() => (single ? password : "")));
    };
  }

  #agentWay(): Way[] {
    const { agentSocket, user, identityFiles, identitiesOnly } = this.#target;
    if (agentSocket === undefined || agentSocket === "") return [];
    const begin = async (): Promise<AnyAuthMethod> => {
      const wanted = await publicKeys(identityFiles, this.#passphrases);
      const choose = (keys: readonly ParsedKey[], others: number) => {
        const listed = wanted.flatMap((blob) => keys.filter((key) => key.getPublicSSH().equals(blob)));
        const unlisted = identitiesOnly ? [] : keys.filter((key) => !listed.includes(key));
        const chosen = [...listed, ...unlisted].filter((key) => this.#isNew(key));
        if (others > 0) this.note("the agent has keys that can't be used here (certificates, hardware tokens)");
        else if (keys.length === 0) this.note("the agent has no key");
        return chosen;
      };
      return { type: "agent", username: user, agent: new KeyAgent(agentSocket, choose) };
    };
    return [{ label: `the agent's keys (${agentSocket})`, needs: "publickey", begin }];
  }
}

const CONTENTS = " (give the key's contents, not its file's name)";

// ssh2 takes false for "no more"; its types don't say so.
const GIVE_UP = false as never;

function passwordMethod(allowed: readonly string[] | undefined): "password" | "keyboard-interactive" | undefined {
  if (allowed?.includes("password")) return "password";
  return allowed?.includes("keyboard-interactive") ? "keyboard-interactive" : undefined;
}

/** The public keys of identity files, from the .pub file beside each or from the key itself. */
async function publicKeys(files: readonly string[], passphrases: readonly string[]): Promise<Buffer[]> {
  const keys = await Promise.all(
    files.map(async (file) => {
      const listed = await readFile(`${file}.pub`, "utf8").catch(() => readFile(file, "utf8").catch(() => ""));
      if (listed === "") return [];
      if (listed.includes("PRIVATE KEY")) {
        const result = readPrivateKey(listed, passphrases);
        return "key" in result ? [result.key.getPublicSSH()] : [];
      }
      const parsed = utils.parseKey(listed);
      return parsed instanceof Error ? [] : [parsed.getPublicSSH()];
    }),
  );
  return keys.flat();
}
