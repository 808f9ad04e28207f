/**
 * What happens to one server within one process: an observation is shared by all who ask before the next change, and
 * the transactions follow one another.
 */
import { messageOf } from "../problem";
import { FormatError } from "../text/format";
import { harmless, harmlessSentence } from "../text/harmless";
import { type Base, demandRoot, type States, serverOf } from "./observation";
import type { Claim } from "./ownership";
import { isEmpty, type Plan, planOf } from "./plan";
import { applyProgram, LOCK_SECONDS, type Outcome, observeProgram, parseOutcome, type Scope } from "./program";
import type { Services } from "./service";

/** Runs a shell program on the server as root; the ssh room's Host is one. */
export interface Remote {
  /** Names the server, one for each connection. */
  readonly key: string;
  run(
    program: string,
    options?: { timeoutSeconds?: number; silenceSeconds?: number; outputLimit?: number },
  ): Promise<{ stdout: Buffer; stderr: string; code: number }>;
}

/** The observed server of a set of services. */
export type Observed<S extends Services> = Base & States<S["byName"]>;

export interface Settled<S extends Services> {
  /** The server as it was before. */
  readonly before: Observed<S>;
  readonly plan: Plan;
  readonly notes: readonly string[];
}

/** A transaction that did not succeed. */
export class TransactionError extends Error {
  constructor(
    message: string,
    /** Whether the server may now have some of the new values. */
    readonly uncertain: boolean,
  ) {
    super(message);
    this.name = "TransactionError";
  }
}

/** Bounds of what a server says: in seconds as a whole, in seconds without a word, and in bytes. */
const OBSERVATION = { timeoutSeconds: 300, silenceSeconds: 90, outputLimit: 32 * 2 ** 20 };
const TRANSACTION = { timeoutSeconds: LOCK_SECONDS + 480, outputLimit: 2 ** 20 };

/** How often a change is planned anew, after what else was at work on the server, and after other runs. */
const ATTEMPTS = 3;
const MOST_OVERTAKEN = 50;

export class ManagedServer<S extends Services> {
  private running: Promise<unknown> = Promise.resolve();
  private transactions = 0;
  private last: { scope: Scope; server: Promise<Observed<S>> } | undefined;

  constructor(
    private readonly services: S,
    private readonly remote: () => Promise<Remote>,
    /** Who others are told holds the server's lock. */
    private readonly holder: string,
  ) {}

  /** The server's state, in one round trip that all share who ask before the next change. */
  observe(scope: Scope): Promise<Observed<S>> {
    const known = this.known(scope);
    if (known) return known;
    const wider = this.last ? union(this.last.scope, scope) : scope;
    const server = this.report(wider);
    const last = { scope: wider, server };
    this.last = last;
    server.catch(() => this.forget(last));
    return server;
  }

  /** The observation that stands, if there is one; the server is not asked. */
  known(scope: Scope): Promise<Observed<S>> | undefined {
    return this.last && covers(this.last.scope, scope) ? this.last.server : undefined;
  }

  /**
   * Gives a claim what it wants, in one transaction, after those that were asked for before.
   *
   * `announce` is told a plan before it is carried out.
   *
   * @throws RefusedError or FormatError before anything is touched, TransactionError when the transaction failed.
   */
  converge(
    scope: Scope,
    claimOn: (server: Observed<S>) => Claim,
    announce: (plan: Plan) => void = () => undefined,
  ): Promise<Settled<S>> {
    this.transactions++;
    const settled = this.running.then(() => this.transact(scope, claimOn, announce));
    this.running = settled
      .catch(() => undefined)
      .finally(() => {
        this.transactions--;
      });
    return settled;
  }

  /** Whether a transaction is at work or waits: what is observed meanwhile may be half of it. */
  get isChanging(): boolean {
    return this.transactions > 0;
  }

  private async transact(
    scope: Scope,
    claimOn: (server: Observed<S>) => Claim,
    announce: (plan: Plan) => void,
  ): Promise<Settled<S>> {
    let outcome: Outcome = { result: "ok", reason: "", notes: [] };
    let uncertain = false;
    // A file that changed meanwhile is planned again, and after a lost connection the server tells what came of it: first
    // while the run still goes on there, which the lock makes the second attempt wait for, then when it has ended.
    // Who is overtaken knows that another run has ended, so that it is not for ever.
    for (let attempt = 0, overtaken = 0; attempt < ATTEMPTS && overtaken < MOST_OVERTAKEN; ) {
      const { server, plan } = await this.plan(scope, claimOn).catch((error) => {
        throw uncertain ? new TransactionError(`${outcome.reason}; ${messageOf(error)}`, true) : error;
      });
      if (isEmpty(plan)) return { before: server, plan, notes: plan.notes };
      announce(plan);
      outcome = await this.apply(plan, scope.root);
      if (outcome.result === "ok") return { before: server, plan, notes: [...plan.notes, ...outcome.notes] };
      uncertain ||= outcome.result === "unknown" || outcome.result === "broken";
      if (outcome.result === "overtaken") overtaken++;
      else if (outcome.result === "changed" || outcome.result === "unknown") attempt++;
      else break;
    }
    throw new TransactionError(outcome.reason, uncertain);
  }

  private async plan(
    scope: Scope,
    claimOn: (server: Observed<S>) => Claim,
  ): Promise<{ server: Observed<S>; plan: Plan }> {
    const isShared = this.known(scope) !== undefined;
    const server = await this.observe(scope);
    demandRoot(server);
    const plan = planOf(server, claimOn(server));
    if (!isShared || !isEmpty(plan)) return { server, plan };
    // What was seen before is enough to plan a change on, which the server checks, but not to do nothing.
    this.last = undefined;
    return this.plan(scope, claimOn);
  }

  private async apply(plan: Plan, root: string): Promise<Outcome> {
    this.last = undefined;
    const remote = await this.remote();
    try {
      const program = applyProgram(plan, this.services, { root, holder: this.holder });
      const { stdout } = await remote.run(program, TRANSACTION);
      return parseOutcome(stdout.toString("latin1"));
    } catch (error) {
      return { result: "unknown", reason: messageOf(error), notes: [] };
    } finally {
      // What was observed meanwhile was half of it.
      this.last = undefined;
    }
  }

  private async report(scope: Scope): Promise<Observed<S>> {
    const remote = await this.remote();
    const program = observeProgram(scope, this.services);
    const { stdout, stderr, code } = await remote.run(program, OBSERVATION);
    if (code !== 0)
      throw new Error(`${remote.key}: observing the server failed with status ${code}: ${harmless(stderr)}`);
    const asked = new Set(scope.probes.map(({ service }) => service));
    try {
      return serverOf(stdout.toString("latin1"), scope.root, this.services.byName as S["byName"], asked);
    } catch (error) {
      if (error instanceof FormatError) throw error;
      throw new Error(harmlessSentence(`${remote.key}: ${messageOf(error)}`));
    }
  }

  private forget(last: { scope: Scope }): void {
    if (this.last === last) this.last = undefined;
  }
}

const inWords = ({ probes, folders }: Scope): string[] => [
  ...probes.map(({ service, words }) => JSON.stringify([service, ...words])),
  ...folders,
];

function covers(wide: Scope, narrow: Scope): boolean {
  const known = new Set(inWords(wide));
  return wide.root === narrow.root && inWords(narrow).every((one) => known.has(one));
}

/** A service is asked once: what another path finds is another observation. */
function union(one: Scope, other: Scope): Scope {
  const isOther = other.probes.some(
    (probe) =>
      one.probes.some(({ service }) => service === probe.service) &&
      !covers(one, { ...other, probes: [probe], folders: [] }),
  );
  if (isOther || one.root !== other.root) return other;
  const probes = new Map([...one.probes, ...other.probes].map((probe) => [probe.service, probe]));
  return { ...other, probes: [...probes.values()], folders: [...new Set([...one.folders, ...other.folders])] };
}
