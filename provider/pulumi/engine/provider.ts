/**
 * Pulumi's dynamic-provider protocol for every resource of this package. A resource is its definition; this is the one
 * engine: arguments → settings → plan → transaction → outputs.
 */
import { randomBytes } from "node:crypto";
import { messageOf, type Problem, RefusedError } from "../../problem";
import { type AnyDefinition, type ServerArguments, type Settings, warningsOf } from "../../resources/definition";
import { loweredWarnings } from "../../resources/lowered";
import { restartNow } from "../../resources/restart-window";
import type { Server } from "../../services";
import { SshError } from "../../ssh/ssh-error";
import { harmlessSentence } from "../../text/harmless";
import { demandRoot } from "../../transaction/observation";
import type { Claim } from "../../transaction/ownership";
import { type Plan, pendingOf, precheck, restartsOf } from "../../transaction/plan";
import type { Owner } from "../../transaction/record";
import { TransactionError } from "../../transaction/server";
import type { Target } from "../../transaction/target";
import { applied, idOnRecord, proofsOfStack, readable, whole } from "./claimed";
import { foundOn, planAsSeen, runOf, withoutRun } from "./foreseen";
import { InitFailedError, PlainError, UnreadableError } from "./init-failed";
import { checkProperties, defined, differing, type Properties, type Stored, storedArguments, storedIn } from "./inputs";
import {
  beforeOf,
  derivedOf,
  isRecorded,
  observedSettings,
  placesOf,
  remembered,
  rememberedDerived,
  rememberedPlaces,
  storedPlaces,
} from "./outputs";
import { hostOf, otherFiles, replacesOf } from "./replacement";
import { machineOf, Rivals, type Wanting, wantingOf } from "./rivals";
import { formerOf, isUnreachable, Servers, type Ways } from "./servers";
import { UNKNOWN } from "./unknown";

/** How the provider reaches a server and what it tells the user; given by the runtime, and by tests. */
export interface Dependencies extends Ways {
  say(line: string): void;
  /** Whether a server is gone for good, so that deleting its resources does not need it. */
  isForgotten(host: string): boolean;
  /** Whether what another stack left on a server is to be taken over. */
  isAdopted(host: string): boolean;
  /** Whether this run restarts what it must, or nothing, whatever the resources say. */
  restarts?(): "as needed" | "never" | undefined;
  now?(): Date;
}

export class Provider {
  private readonly servers: Servers;
  private readonly rivals = new Rivals();
  private readonly said = new Set<string>();
  /** The proofs of ownership that the states of this process's resources hold, and the one of those that it makes. */
  private readonly proofs = new Set<string>();

  constructor(private readonly dependencies: Dependencies) {
    this.servers = new Servers(dependencies);
  }

  /** Checks arguments; for a new resource also what its server says, and `before` is taken from there. */
  async check(
    definition: AnyDefinition,
    olds: Properties,
    news: Properties,
  ): Promise<{ inputs: Properties; failures: Problem[] }> {
    const { inputs, failures } = await this.checkAll(definition, olds, news);
    return { inputs, failures: failures.map((problem) => shown(problem, news)) };
  }

  private async checkAll(definition: AnyDefinition, olds: Properties, news: Properties) {
    this.learnProof(olds);
    const checked = checkProperties(definition, news);
    if (checked.problems) return { inputs: news, failures: [...checked.problems] };
    const { args, settings, unknown } = checked;
    const isNew = olds.settings === undefined;
    const given = Object.fromEntries([...unknown].map((name) => [name, UNKNOWN]));
    const before = isNew ? (unknown.size > 0 ? UNKNOWN : undefined) : olds.before;
    // What a refresh has put among the inputs would else stand in each preview as something that goes.
    const { places, proof } = olds;
    const derived = settings && derivedOfState(definition, olds, { args, settings });
    const wanted = settings && { ...settings, ...derived };
    const own = { ...storedIn(news), settings: wanted ?? UNKNOWN, before, places, proof, derived };
    const inputs = defined({ ...args, ...given, ...own });
    if (unknown.size > 0 || !settings) return { inputs, failures: [] };
    const wanting = wantingOf(definition, args, settings, storedIn(news));
    const failures = await this.rivalsOnTheWay(args, wanting).catch(problemsIn);
    if (failures.length > 0) return { inputs, failures };
    return this.checkOnServer(definition, args, settings, inputs, isNew ? undefined : olds);
  }

  private async rivalsOnTheWay({ connection }: ServerArguments, wanting: Wanting): Promise<Problem[]> {
    return this.rivals.byRoute(await this.dependencies.routeOf(connection), wanting);
  }

  /** What the server says of a change: as the refresh of this run has read it, else it is read now. */
  private async checkOnServer(
    definition: AnyDefinition,
    args: ServerArguments,
    settings: Settings,
    inputs: Properties,
    olds: Properties | undefined,
  ): Promise<{ inputs: Properties; failures: Problem[] }> {
    // A replacement is checked once more, as a new resource. A server that is gone for good is not asked.
    const isGone = this.dependencies.isForgotten(args.connection.host);
    if (olds && (isGone || replacesOf(olds, inputs).length > 0)) return { inputs, failures: [] };
    const stored = storedIn(inputs);
    const former = formerOf(definition, olds);
    try {
      const found = await this.servers.look(definition, args, stored, former);
      if (!found) return { inputs, failures: [] };
      const { server, isNews } = found;
      demandRoot(server);
      const target = definition.target(settings, server, args);
      const own = this.claimOf(definition, stored, olds ? idOnRecord(definition, stored, server) : "", args);
      const claim = {
        ...own,
        proofs: olds && !olds.proof ? proofsOfStack(own.proofs, stored, server) : own.proofs,
        ...applied(definition, target, former, server),
      };
      const rivals = this.rivals.byMachine(server, wantingOf(definition, args, settings, stored));
      const failures = rivals.length > 0 ? rivals : precheck(server, claim);
      const warnings = [...(target.warnings ?? []), ...loweredWarnings(target, server)];
      for (const warning of warningsOf({ warnings }, args)) this.say(args, warning);
      // Two new ones on one machine, in two stacks of a fleet, are told by it: no record names an owner yet.
      const before = olds ? {} : { before: beforeOf(target, placesOf(target, server)), machine: machineOf(server) };
      const derived = derivedOf(definition, args, target);
      const drift = olds && isNews ? { found: foundOn(server, target, withDerived(olds, derived), new Date()) } : {};
      const run = failures.length > 0 ? {} : this.foresee(args, planAsSeen(server, claim));
      const wanted = { settings: { ...settings, ...derived }, derived };
      return { inputs: defined({ ...inputs, ...before, ...wanted, ...drift, ...run }), failures };
    } catch (error) {
      // What can't be logged in to now may need no change. One server that is down must not hide what the others say; its
      // create fails by itself.
      const isPassing = olds ? error instanceof SshError : isUnreachable(error);
      if (!isPassing) return { inputs, failures: problemsIn(error) };
      this.say(args, `not read, so nothing of it was checked: ${messageOf(error)}`);
      return { inputs, failures: [] };
    }
  }

  /** What a plan restarts and leaves for later, said and as properties. */
  private foresee(args: ServerArguments, plan: Plan | undefined): { restarts?: string[]; waits?: string[] } {
    if (!plan) return {};
    this.announce(args, plan);
    return runOf(plan);
  }

  private announce(args: ServerArguments, plan: Plan): void {
    const names = restartsOf(plan).join(" and ");
    const pcs = args.clients === undefined ? "all PCs" : args.clients === 1 ? "1 PC" : `${args.clients} PCs`;
    if (names !== "") this.say(args, `this restarts ${names}: ${pcs} lose the connection and come back`);
  }

  /** No server is asked: what it says is in the old properties since the refresh. */
  diff(
    definition: AnyDefinition,
    olds: Properties,
    given: Properties,
  ): { changes?: boolean; replaces: string[]; deleteBeforeReplace?: boolean } {
    this.learnProof(olds);
    // The check may not have known what the server makes of a default.
    const settings = isSettings(given.settings) ? given.settings : undefined;
    const derived = given.derived ?? (settings && derivedOfState(definition, olds, { args: given, settings }));
    const news: Properties = settings ? { ...given, settings: { ...settings, ...(derived as Settings) } } : given;
    const replaces = replacesOf(olds, news);
    const deleteBeforeReplace = otherFiles(olds, news).length > 0 ? true : undefined;
    // undefined makes Pulumi compare the inputs itself, and so show each value that differs.
    return { changes: differing(olds, news).length > 0 ? undefined : false, replaces, deleteBeforeReplace };
  }

  async create(definition: AnyDefinition, inputs: Properties): Promise<{ id: string; outs: Properties }> {
    const id = `${hostOf(inputs)}/${definition.type}/${randomBytes(6).toString("hex")}`;
    return { id, outs: await this.applyOrKeep(definition, id, {}, inputs) };
  }

  async update(
    definition: AnyDefinition,
    id: string,
    olds: Properties,
    news: Properties,
  ): Promise<{ outs: Properties }> {
    return { outs: await this.applyOrKeep(definition, id, olds, news) };
  }

  /** The server's own values, in `settings`, and what it still runs with an old value, in `pending`. */
  async read(
    definition: AnyDefinition,
    id: string,
    props: Properties,
  ): Promise<{ id: string; props: Properties; inputs: Properties }> {
    const stored = storedIn(props);
    try {
      const { args, settings } = storedArguments(definition, props);
      const server = await this.servers.refresh(definition, args, stored);
      demandRoot(server);
      const target = whole(definition.target(settings, server, args));
      const pending = pendingOf(target, server);
      const derived = derivedOf(definition, args, target);
      const inputs = defined({
        ...withoutRun(props),
        unset: undefined,
        ...(isRecorded(target, server) ? remembered(target, server) : { places: storedPlaces(props) }),
        settings: observedSettings(target, { ...settings, ...derived }),
        derived,
        pending: pending.length > 0 ? pending : undefined,
      });
      return { id, props: inputs, inputs };
    } catch (error) {
      throw new UnreadableError(id, props, `${stored.name}: ${messageOf(error)}`);
    }
  }

  /** Puts back what stood there before, where the value is still ours. */
  async delete(definition: AnyDefinition, id: string, props: Properties): Promise<void> {
    const stored = storedIn(props);
    const { args, settings } = storedArguments(definition, props);
    const { host } = args.connection;
    if (this.dependencies.isForgotten(host)) return this.say(args, "forgotten: nothing was put back on it");
    const claimOn = (server: Server): Claim => ({
      ...this.claimOf(definition, stored, id, args),
      target: readable(definition.target(settings, server, args)),
      mode: "restore",
      before: rememberedPlaces(props),
    });
    let waits: readonly string[] = [];
    try {
      const { managed, scope } = await this.servers.reach(definition, args, stored);
      const { notes, plan } = await managed.converge(scope, claimOn);
      for (const note of notes) this.say(args, note);
      waits = plan.waits ?? [];
    } catch (error) {
      const remedy = `If the server is gone for good: pulumi config set pulumi-wapt:forget ${host}, and repeat with --run-program`;
      throw new PlainError(`${messageOf(error)}. ${remedy}`);
    }
    // Once it is gone from the state nobody would put back the rest.
    if (waits.length > 0)
      throw new PlainError(
        `${stored.name}: all was put back but for this, since ${this.restartNow(args).later}: ${waits.join("; ")}. Do that, then repeat`,
      );
  }

  /** Where the server may have a part of what was wanted, the state keeps that, so that it can be gone on with or put back. */
  private async applyOrKeep(
    definition: AnyDefinition,
    id: string,
    olds: Properties,
    inputs: Properties,
  ): Promise<Properties> {
    try {
      return await this.apply(definition, id, olds, inputs);
    } catch (error) {
      if (!(error instanceof TransactionError && error.uncertain)) throw error;
      const kept = defined({ ...withoutRun(inputs), places: olds.places, proof: olds.proof });
      throw new InitFailedError(id, kept, messageOf(error));
    }
  }

  private async apply(
    definition: AnyDefinition,
    id: string,
    olds: Properties,
    inputs: Properties,
  ): Promise<Properties> {
    const stored = storedIn(inputs);
    const { args, settings } = storedArguments(definition, inputs);
    const former = formerOf(definition, olds);
    // Before anything is waited for: a resource that is made beside this one has the same proof.
    const proof = this.learnProof(olds) ?? this.newProof();
    const { managed, scope } = await this.servers.reach(definition, args, stored, former);
    let target: Target | undefined;
    const claimOn = (server: Server): Claim => {
      target = definition.target(settings, server, args);
      const claim = this.claimOf(definition, stored, id, args, proof);
      return { ...claim, ...applied(definition, target, former, server) };
    };
    const { before, notes } = await managed.converge(scope, claimOn, (plan) => this.announce(args, plan));
    for (const note of [...notes, ...warningsOf(target!, args)]) this.say(args, note);
    const places = placesOf(target!, before, olds);
    const derived = derivedOf(definition, args, target!);
    return defined({
      ...withoutRun(inputs),
      before: inputs.before ?? remembered(target!, before).before,
      places,
      proof,
      derived,
      settings: { ...settings, ...derived },
    });
  }

  private claimOf(definition: AnyDefinition, stored: Stored, id: string, args: ServerArguments, proof?: string) {
    const owner: Owner = { stack: stored.stack, resource: `${definition.type} ${stored.name}`, id, proof };
    const adopts = this.dependencies.isAdopted(args.connection.host);
    return { owner, proofs: this.proofs, adopts, ...this.restartNow(args) };
  }

  private restartNow({ restart }: ServerArguments) {
    const { restarts, now = () => new Date() } = this.dependencies;
    return restartNow(restarts?.() ?? restart, now());
  }

  private learnProof({ proof }: Properties): string | undefined {
    if (typeof proof !== "string") return undefined;
    this.proofs.add(proof);
    return proof;
  }

  /** The stack's, where this process has seen it: then a resource that takes another one's place is known. */
  private newProof(): string {
    const [known = randomBytes(16).toString("hex")] = this.proofs;
    this.proofs.add(known);
    return known;
  }

  private say(args: ServerArguments, text: string): void {
    const line = `pulumi-wapt: ${args.connection.host}: ${harmlessSentence(text)}`;
    if (!this.said.has(line)) this.dependencies.say(line);
    this.said.add(line);
  }
}

/** What the state remembers that the server makes of defaults. */
const derivedOfState = (
  definition: AnyDefinition,
  olds: Properties,
  news: { readonly args: object; readonly settings: Settings },
): Settings | undefined => rememberedDerived(definition, olds, formerOf(definition, olds)?.settings, news);

/** A state that does not know yet what the server makes of defaults is right in what it says of them. */
const withDerived = (olds: Properties, derived: Settings | undefined): Properties =>
  olds.derived === undefined ? { ...olds, settings: { ...(olds.settings as Settings), ...derived } } : olds;

const isSettings = (value: unknown): value is Settings => typeof value === "object" && value !== null;

// With a property's name Pulumi prints its value too: a connection's may hold secrets, and one that is missing is "<nil>".
function shown({ property, reason }: Problem, news: Properties): Problem {
  if (/^connection\b/.test(property)) return { property: "", reason };
  const isGiven = news[property] !== undefined && news[property] !== null;
  return isGiven ? { property, reason } : { property: "", reason: `${property}: ${reason}` };
}

const problemsIn = (error: unknown): Problem[] =>
  error instanceof RefusedError ? [...error.problems] : [{ property: "connection", reason: messageOf(error) }];
