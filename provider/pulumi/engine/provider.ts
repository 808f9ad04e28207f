/**
 * Pulumi's dynamic-provider protocol for every resource of this package. A resource is its definition; this is the one
 * engine: arguments → settings → plan → transaction → outputs.
 */
import { randomBytes } from "node:crypto";
import type { Arguments, Definition, Settings } from "../../resources/definition";
import { WAPTSERVER_INI } from "../../resources/definition";
import type { Connection } from "../../ssh/connection";
import { Activity } from "../../transaction/activity";
import type { Server } from "../../transaction/observation";
import type { Claim } from "../../transaction/ownership";
import { foreseen, RefusedError } from "../../transaction/plan";
import { type Company, ConvergeError, type Remote, type Scope, ServerQueue } from "../../transaction/server";
import { InitFailedError, PlainError, UnreadableError } from "./init-failed";
import {
  checkProperties,
  differing,
  type Properties,
  rememberedBefore,
  type Stored,
  storedArguments,
  storedIn,
} from "./inputs";
import { beforeOf, observedSettings, pendingOf } from "./outputs";
import { Outstanding } from "./outstanding";
import { UNKNOWN } from "./unknown";

export interface Failure {
  readonly property: string;
  readonly reason: string;
}

/** How the provider reaches a server and what it tells the user; given by the runtime, and by tests. */
export interface Surroundings {
  connect(connection: Connection): Promise<Remote>;
  say(line: string): void;
  /** Whether a server is gone for good, so that deleting its resources does not need it. */
  isForgotten(host: string): boolean;
}

export class Provider {
  private readonly queues = new Map<string, ServerQueue>();
  /** The queue's key by connection and root, for a look without a connection. */
  private readonly keys = new Map<string, string>();
  /** How each queue's server was last to be reached: a program's new credentials, not those that a refresh used. */
  private readonly connections = new Map<string, Connection>();
  private readonly said = new Set<string>();
  private readonly activity = new Activity();
  private readonly outstanding = new Outstanding();

  constructor(private readonly surroundings: Surroundings) {}

  /** Checks arguments; for a new resource also what its server says, and `before` is taken from there. */
  async check(
    definition: Definition,
    olds: Properties,
    news: Properties,
  ): Promise<{ inputs: Properties; failures: Failure[] }> {
    const { inputs, failures } = await this.activity.during(() => this.checkAll(definition, olds, news));
    // With a property's name Pulumi prints its value too, and a connection's may hold secrets.
    const silent = ({ property, reason }: Failure) => ({
      property: /^connection\b/.test(property) ? "" : property,
      reason,
    });
    return { inputs, failures: failures.map(silent) };
  }

  private async checkAll(
    definition: Definition,
    olds: Properties,
    news: Properties,
  ): Promise<{ inputs: Properties; failures: Failure[] }> {
    const checked = checkProperties(definition, news);
    if (checked.problems) return { inputs: news, failures: [...checked.problems] };
    const { stack, name, before, unset } = { ...storedIn(news), before: olds.before, unset: olds.unset };
    const given = Object.fromEntries([...checked.unknown].map((one) => [one, UNKNOWN]));
    const settings = Object.keys(checked.settings).length > 0 ? checked.settings : UNKNOWN;
    const inputs: Properties = { ...defined(checked.args), ...given, stack, name, settings };
    if (olds.settings !== undefined) Object.assign(inputs, defined({ before, unset }));
    else if (checked.unknown.size > 0) inputs.before = UNKNOWN;
    if (checked.unknown.size > 0) return { inputs, failures: [] };
    return this.checkOnServer(definition, checked.args, checked.settings, inputs);
  }

  /** A new resource's server is asked; of an existing one what the refresh has just read is looked at. */
  private async checkOnServer(definition: Definition, args: Arguments, settings: Settings, inputs: Properties) {
    const isNew = inputs.before === undefined;
    const stored = storedIn(inputs);
    try {
      const server = await (isNew ? this.observe(definition, args, stored.stack) : this.known(definition, args));
      if (!server) return { inputs, failures: [] };
      const target = definition.target(settings, server, args);
      const owner = ownerOf(stored, definition, "");
      const failures = foreseen(server, { owner, target, mode: "apply" });
      for (const warning of target.warnings ?? []) this.say(args, warning);
      if (isNew) this.outstanding.expect(serverKey(args), definition.type);
      return { inputs: isNew ? { ...inputs, ...beforeOf(target, server) } : inputs, failures };
    } catch (error) {
      return { inputs, failures: [{ property: "connection", reason: messageOf(error) }] };
    }
  }

  /** No server is asked: what it says is in the old properties since the refresh. */
  diff(definition: Definition, olds: Properties, news: Properties): { changes?: boolean; replaces: string[] } {
    const names = differing(olds, news);
    if (names.length > 0) this.outstanding.expect(serverKey(news), definition.type);
    else this.outstanding.settle(serverKey(news), definition.type);
    // undefined makes Pulumi compare the inputs itself, and so show each value that differs.
    return { changes: names.length > 0 ? undefined : false, replaces: elsewhere(olds, news) };
  }

  async create(definition: Definition, inputs: Properties): Promise<{ id: string; outs: Properties }> {
    const { host } = storedArguments(definition, inputs).args.connection ?? {};
    const id = `${host}/${definition.type}/${randomBytes(6).toString("hex")}`;
    return { id, outs: await this.apply(definition, id, inputs, true) };
  }

  async update(definition: Definition, id: string, news: Properties): Promise<{ outs: Properties }> {
    return { outs: await this.apply(definition, id, news, false) };
  }

  /** The server's own values, in `settings`, and what it still runs with an old value, in `pending`. */
  async read(
    definition: Definition,
    id: string,
    props: Properties,
  ): Promise<{ id: string; props: Properties; inputs: Properties }> {
    const stored = storedIn(props);
    try {
      const { args, settings } = storedArguments(definition, props);
      const server = await this.observe(definition, args, stored.stack);
      const target = definition.target(settings, server, args);
      if (target.places.length === 0) throw new RefusedError(target.problems ?? []);
      this.outstanding.expect(serverKey(args), definition.type);
      const found = { ...props, settings: observedSettings(target), pending: pendingOf(target, server) };
      const inputs = defined({ ...found, pending: found.pending.length > 0 ? found.pending : undefined });
      return { id, props: { ...inputs }, inputs };
    } catch (error) {
      throw new UnreadableError(id, props, `${stored.name}: ${messageOf(error)}`);
    }
  }

  /** Puts back what stood there before, where the value is still ours. */
  async delete(definition: Definition, id: string, props: Properties): Promise<void> {
    const stored = storedIn(props);
    const { args, settings } = storedArguments(definition, props);
    const host = args.connection?.host ?? "";
    if (this.surroundings.isForgotten(host)) return this.say(args, "forgotten: nothing was put back on it");
    const claimant = (server: Server): Claim => {
      const target = definition.target(settings, server, args);
      if (target.places.length === 0) throw new RefusedError(target.problems ?? []);
      const [owner, before] = [ownerOf(stored, definition, id), rememberedBefore(stored)];
      return { owner, target, mode: "restore", before, mayRestart: args.restart !== "never" };
    };
    try {
      const { queue, scope } = await this.queue(definition, args, stored.stack);
      const { notes } = await queue.converge(scope, claimant, this.companyOf(definition, args));
      for (const note of notes) this.say(args, note);
    } catch (error) {
      const remedy = `If the server is gone for good: pulumi config set pulumi-wapt:forget ${host}, and repeat with --run-program`;
      throw new PlainError(`${messageOf(error)}. ${remedy}`);
    }
  }

  private async apply(definition: Definition, id: string, inputs: Properties, isNew: boolean): Promise<Properties> {
    const stored = storedIn(inputs);
    const { args, settings } = storedArguments(definition, inputs);
    const { queue, scope } = await this.queue(definition, args, stored.stack);
    const claimant = (server: Server): Claim => ({
      owner: ownerOf(stored, definition, id),
      target: definition.target(settings, server, args),
      mode: "apply",
      mayRestart: args.restart !== "never",
    });
    try {
      const { before, notes } = await queue.converge(scope, claimant, this.companyOf(definition, args));
      for (const note of [...notes, ...(claimant(before).target.warnings ?? [])]) this.say(args, note);
      const first = stored.before ? {} : beforeOf(claimant(before).target, before);
      return { ...defined(inputs), ...first, settings };
    } catch (error) {
      // A new resource of which the server may have a part is kept in the state, so that the next run goes on with it.
      if (isNew && error instanceof ConvergeError && error.uncertain)
        throw new InitFailedError(id, inputs, messageOf(error));
      throw error;
    }
  }

  /** Takes a change as come, and tells from then on what is due beside it. */
  private companyOf(definition: Definition, args: Arguments): Company {
    const [server, partners] = [serverKey(args), definition.restartsWith ?? []];
    this.outstanding.settle(server, definition.type);
    const isPartnerDue = () => this.outstanding.hasOf(server, partners);
    return { isDue: () => isPartnerDue() || this.outstanding.has(server), isPartnerDue };
  }

  private async observe(definition: Definition, args: Arguments, stack: string): Promise<Server> {
    const { queue, scope } = await this.queue(definition, args, stack);
    const server = await queue.observe(scope);
    if (scope.root === "" && server.user.id !== 0) {
      throw new Error(
        `logged in as ${server.user.name}, who is not root: give connection.sudo: true, or connect as root`,
      );
    }
    return server;
  }

  private async queue(
    definition: Definition,
    args: Arguments,
    stack: string,
  ): Promise<{ queue: ServerQueue; scope: Scope }> {
    const connection = args.connection as Connection;
    const remote = await this.surroundings.connect(connection);
    const scope = scopeOf(definition, args);
    const key = `${remote.key} ${scope.root}`;
    this.keys.set(connectionKey(args), key);
    this.connections.set(key, connection);
    const latest = () => this.surroundings.connect(this.connections.get(key)!);
    const queue = this.queues.get(key) ?? new ServerQueue(latest, `the stack ${stack}`, this.activity);
    this.queues.set(key, queue);
    return { queue, scope };
  }

  /** What was observed of a server lately; it is not connected to. */
  private async known(definition: Definition, args: Arguments): Promise<Server | undefined> {
    const queue = this.queues.get(this.keys.get(connectionKey(args)) ?? "");
    return queue?.known(scopeOf(definition, args));
  }

  private say(args: Arguments, text: string): void {
    const line = `pulumi-wapt: ${args.connection?.host}: ${text}`;
    if (!this.said.has(line)) this.surroundings.say(line);
    this.said.add(line);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const connectionKey = (args: Arguments): string => JSON.stringify([args.connection, args.root]);

/** A server as the arguments name it, however it is reached. */
const serverKey = (args: Properties): string => `${hostOf(args)} ${args.root ?? "/"}`;

const hostOf = (args: Properties): string | undefined => (args.connection as Connection | undefined)?.host;

function ownerOf(stored: Stored, definition: Definition, id: string) {
  return { stack: stored.stack, resource: `${definition.type} ${stored.name}`, id };
}

function scopeOf(definition: Definition, args: Arguments): Scope {
  return {
    root: args.root === undefined || args.root === "/" ? "" : args.root,
    nginx: args.nginxConf ?? "",
    postgresql: args.postgresqlConf ?? "",
    waptserver: args.waptserverIni ?? WAPTSERVER_INI,
    folders: definition.folders?.(args as never) ?? [],
  };
}

const defined = (bag: object): Properties =>
  Object.fromEntries(Object.entries(bag).filter(([, value]) => value !== undefined));

/** A server of another name, or another root: another resource. */
function elsewhere(olds: Properties, news: Properties): string[] {
  const moved = news.connection !== UNKNOWN && hostOf(news) !== UNKNOWN && hostOf(olds) !== hostOf(news);
  return [...(moved ? ["connection"] : []), ...((olds.root ?? "/") !== (news.root ?? "/") ? ["root"] : [])];
}
