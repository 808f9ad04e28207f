/**
 * What happens to one server within one process: observations are shared, and changes that are asked for at the same
 * time become one transaction, so that they succeed or fail together and each service restarts once.
 */
import { Activity } from "./activity";
import { parseObservation, type Server } from "./observation";
import type { Claim } from "./ownership";
import { isEmpty, isRestart, type Plan, planOf, RefusedError } from "./plan";
import { applyProgram, LOCK_SECONDS, type Outcome, observeProgram, parseOutcome } from "./program";

/** Runs a shell program on the server as root; the ssh room's Host is one. */
export interface Remote {
  /** Names the server, one for each connection. */
  readonly key: string;
  run(
    program: string,
    options?: { timeoutSeconds?: number },
  ): Promise<{ stdout: Buffer; stderr: string; code: number }>;
}

/** Where on the server to look; "" for a path that is to be found. */
export interface Scope {
  /** "" for the server itself, else a folder that holds its files; no service is touched then. */
  readonly root: string;
  readonly nginx: string;
  readonly postgresql: string;
  readonly waptserver: string;
  readonly folders: readonly string[];
}

/** A claim on what will be observed. */
export type Claimant = (server: Server) => Claim;

export interface Settled {
  /** The server as it was before. */
  readonly before: Server;
  readonly plan: Plan;
  readonly notes: readonly string[];
}

/** A transaction that did not succeed. */
export class ConvergeError extends Error {
  constructor(
    message: string,
    /** Whether the server may now have some of the new values. */
    readonly uncertain: boolean,
  ) {
    super(message);
    this.name = "ConvergeError";
  }
}

/** What is still to come beside a change. */
export interface Company {
  /** Any other change of its server. */
  isDue(): boolean;
  /** One that restarts what this one restarts, too. */
  isPartnerDue(): boolean;
}

const ALONE: Company = { isDue: () => false, isPartnerDue: () => false };

interface Job {
  readonly since: number;
  readonly scope: Scope;
  readonly claimant: Claimant;
  readonly company: Company;
  resolve(settled: Settled): void;
  reject(error: unknown): void;
}

/** The engine sends a stack's changes within milliseconds of each other: this long after the last one they start. */
const GATHER_MILLISECONDS = 150;

/**
 * A process that was at nothing for so long gets no further change before one is made: first what restarts nothing, and
 * what has its partners; after the long one, anything.
 */
const STALL_MILLISECONDS = 500;
const LONG_STALL_MILLISECONDS = 2000;

/** A change that waits for another resource's waits this long: Pulumi may have too few hands to send both at once. */
const PATIENCE_MILLISECONDS = 15_000;

/** An observation answers for this long, unless something was applied since. */
const FRESH_MILLISECONDS = 30_000;

const APPLY_SECONDS = LOCK_SECONDS + 480;

export class ServerQueue {
  private jobs: Job[] = [];
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private last: { scope: Scope; at: number; server: Promise<Server> } | undefined;

  constructor(
    private readonly remote: () => Promise<Remote>,
    /** Who others are told holds the server's lock. */
    private readonly holder: string,
    /** Of the whole process. */
    private readonly activity: Activity = new Activity(),
  ) {}

  /** The server's state, in one round trip that all who ask at the same time share. */
  observe(scope: Scope): Promise<Server> {
    const last = this.last;
    if (last && this.isFresh(scope)) return last.server;
    const wider = last ? union([last.scope, scope]) : scope;
    const server = this.report(wider);
    this.last = { scope: wider, at: Date.now(), server };
    server.catch(() => {
      if (this.last?.server === server) this.last = undefined;
    });
    return server;
  }

  /**
   * Gives the claim what it wants, in one transaction with those made at the same time. It waits for the company that is
   * due; when none comes any more, first those changes are made of which no service restarts twice.
   *
   * @throws RefusedError or FormatError before anything is touched, ConvergeError when the transaction failed.
   */
  converge(scope: Scope, claimant: Claimant, company: Company = ALONE): Promise<Settled> {
    return new Promise((resolve, reject) => {
      this.activity.touch();
      this.jobs.push({ since: Date.now(), scope, claimant, company, resolve, reject });
      this.schedule();
    });
  }

  /** The observation that stands, if there is one; the server is not asked. */
  async known(scope: Scope): Promise<Server | undefined> {
    return this.isFresh(scope) ? this.last?.server : undefined;
  }

  private isFresh(scope: Scope): boolean {
    return this.last !== undefined && Date.now() - this.last.at < FRESH_MILLISECONDS && covers(this.last.scope, scope);
  }

  private schedule(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), GATHER_MILLISECONDS);
  }

  private start(): void {
    const inParts = this.jobs.some((job) => job.company.isDue());
    const { idle } = this.activity;
    if (inParts && idle < STALL_MILLISECONDS) {
      this.schedule();
      return;
    }
    const jobs = this.jobs;
    this.jobs = [];
    // At last one server goes on as it is. While it does so the others wait, since it frees hands.
    const isPart = idle < LONG_STALL_MILLISECONDS && jobs.some((job) => job.company.isPartnerDue());
    this.running = this.running.then(() => (isPart ? this.changePart(jobs) : this.change(jobs)));
  }

  private async changePart(jobs: readonly Job[]): Promise<void> {
    const free = await this.withoutRestart(jobs);
    this.putBack(jobs.filter((job) => !free.includes(job)));
    if (free.length > 0) await this.change(free);
  }

  private async change(jobs: readonly Job[]): Promise<void> {
    try {
      const scope = union(jobs.map((job) => job.scope));
      const settled = await this.activity.during(() => this.transact(scope, jobs));
      for (const job of jobs) job.resolve(settled);
    } catch (error) {
      const patient = error instanceof RefusedError && error.mayPass;
      const waiting = jobs.filter((job) => patient && Date.now() - job.since < PATIENCE_MILLISECONDS);
      for (const job of jobs) if (!waiting.includes(job)) job.reject(error);
      this.putBack(waiting);
    }
  }

  private putBack(jobs: readonly Job[]): void {
    this.jobs.unshift(...jobs);
    if (jobs.length > 0) this.schedule();
  }

  private async withoutRestart(jobs: readonly Job[]): Promise<readonly Job[]> {
    try {
      const server = await this.observe(union(jobs.map((job) => job.scope)));
      return jobs.filter((job) => restartsNothing(server, job.claimant(server)));
    } catch {
      // What is wrong is said of all of them together.
      return jobs;
    }
  }

  private async transact(scope: Scope, jobs: readonly Job[]): Promise<Settled> {
    let outcome: Outcome = { result: "ok", reason: "", notes: [] };
    let uncertain = false;
    // A file that changed meanwhile is planned again, and after a lost connection the server tells what came of it: first
    // while the run still goes on there, which the lock makes the second attempt wait for, then when it has ended.
    for (let attempt = 1; attempt <= 3; attempt++) {
      const server = await this.observe(scope).catch((error) => {
        throw uncertain ? new ConvergeError(`${outcome.reason}; ${message(error)}`, true) : error;
      });
      const plan = planOf(
        server,
        jobs.map((job) => job.claimant(server)),
      );
      if (isEmpty(plan)) return { before: server, plan, notes: plan.notes };
      outcome = await this.apply(plan, scope.root);
      if (outcome.result === "ok") return { before: server, plan, notes: [...plan.notes, ...outcome.notes] };
      uncertain ||= outcome.result === "unknown" || outcome.result === "broken";
      if (outcome.result !== "changed" && outcome.result !== "unknown") break;
    }
    throw new ConvergeError(outcome.reason, uncertain);
  }

  private async apply(plan: Plan, root: string): Promise<Outcome> {
    this.last = undefined;
    const remote = await this.remote();
    try {
      const program = applyProgram(plan, root, this.holder);
      const { stdout } = await remote.run(program, { timeoutSeconds: APPLY_SECONDS });
      return parseOutcome(stdout.toString("latin1"));
    } catch (error) {
      return { result: "unknown", reason: message(error), notes: [] };
    }
  }

  private async report(scope: Scope): Promise<Server> {
    const remote = await this.remote();
    const { stdout, stderr, code } = await remote.run(observeProgram(scope), { timeoutSeconds: 120 });
    if (code !== 0) throw new Error(`${remote.key}: observing the server failed with status ${code}: ${stderr.trim()}`);
    return parseObservation(stdout.toString("latin1"), scope.root);
  }
}

function restartsNothing(server: Server, claim: Claim): boolean {
  try {
    return !planOf(server, [claim]).actions.some(isRestart);
  } catch (error) {
    if (error instanceof RefusedError && error.mayPass) return false;
    throw error;
  }
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function covers(wide: Scope, narrow: Scope): boolean {
  const given = (["nginx", "postgresql", "waptserver"] as const).every(
    (name) => narrow[name] === "" || narrow[name] === wide[name],
  );
  return given && wide.root === narrow.root && narrow.folders.every((folder) => wide.folders.includes(folder));
}

function union(scopes: readonly Scope[]): Scope {
  const given = (name: "nginx" | "postgresql" | "waptserver") => scopes.map((scope) => scope[name]).find(Boolean) ?? "";
  return {
    root: scopes[0]!.root,
    nginx: given("nginx"),
    postgresql: given("postgresql"),
    waptserver: given("waptserver"),
    folders: [...new Set(scopes.flatMap((scope) => scope.folders))],
  };
}
