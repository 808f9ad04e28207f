/** ssh-agent: which of its keys are offered, in which order, and that it cannot hang a login. */
import { BaseAgent, createAgent, type ParsedKey, type SignCallback, type SigningRequestOptions, utils } from "ssh2";

/** Long enough to touch a token, short enough to leave time for other keys. */
const ANSWER_SECONDS = 10;

/** Chooses from an agent's keys those to offer, in the order to offer them; it has so many others that are of no use. */
export type ChooseKeys = (keys: readonly ParsedKey[], others: number) => readonly ParsedKey[];

/** An ssh-agent of which only some keys are offered, and which can't hang: a silent agent is an error. */
export class KeyAgent extends BaseAgent<ParsedKey> {
  readonly #agent: BaseAgent;
  readonly #choose: ChooseKeys;

  constructor(socketPath: string, choose: ChooseKeys) {
    super();
    this.#agent = createAgent(socketPath);
    this.#choose = choose;
  }

  override getIdentities(callback: (error: Error | undefined | null, keys?: ParsedKey[]) => void): void {
    const answer = withinLimit(callback);
    this.#agent.getIdentities((error, keys) => {
      if (error) return answer(error);
      // Keys of kinds that can't be used here (certificates, hardware tokens) are left out.
      const all = keys ?? [];
      const usable = all.map((key) => utils.parseKey(key as Buffer)).filter((key) => !(key instanceof Error));
      answer(null, [...this.#choose(usable as ParsedKey[], all.length - usable.length)]);
    });
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    callback?: SignCallback,
  ): void {
    const answer = withinLimit(typeof options === "function" ? options : callback!);
    this.#agent.sign(key, data, typeof options === "function" ? {} : options, answer);
  }
}

type Answer<T> = (error: Error | undefined | null, value?: T) => void;

/** The callback, called once: with what comes first, or with an error after the limit. */
function withinLimit<T>(callback: Answer<T>): Answer<T> {
  let open = true;
  const answer: Answer<T> = (error, value) => {
    clearTimeout(timer);
    if (!open) return;
    open = false;
    callback(error, value);
  };
  const timer = setTimeout(() => answer(new Error("the agent did not answer")), ANSWER_SECONDS * 1000);
  return answer;
}
