/** The servers of one process, each read once for all who ask before its next change. */
import { messageOf } from "../../problem";
import type { AnyDefinition, ServerArguments, Settings } from "../../resources/definition";
import { type Server, services } from "../../services";
import type { Connection } from "../../ssh/connection";
import { SshError, type SshErrorKind } from "../../ssh/ssh-error";
import type { Scope } from "../../transaction/program";
import { ManagedServer, type Remote } from "../../transaction/server";
import { formerArguments, type Properties, type Stored } from "./inputs";

/** How servers are reached. */
export interface Ways {
  /** Which server a connection leads to; it is not connected to. */
  routeOf(connection: Connection): string | Promise<string>;
  connect(connection: Connection): Promise<Remote>;
}

interface Managed {
  readonly server: ManagedServer<typeof services>;
  /** How it was last to be reached: a program's new credentials, not those that a refresh used. */
  connection: Connection;
  /** Why it could not be reached in this process: that is not tried again for a preview. */
  down?: string;
  /** Whether a refresh of this process has put into the states what it says. */
  isRefreshed?: boolean;
}

export interface Reached {
  readonly managed: ManagedServer<typeof services>;
  readonly scope: Scope;
}

/** What a resource wanted of a server until now, and what its state says. */
export interface Former {
  readonly args: ServerArguments;
  readonly settings: Settings;
  readonly properties: Properties;
}

export function formerOf(definition: AnyDefinition, properties: Properties = {}): Former | undefined {
  const former = formerArguments(definition, properties);
  return former && { ...former, properties };
}

export class Servers {
  /** By the one identity of a server in a process: where its connection leads, and the root there. */
  private readonly managed = new Map<string, Managed>();

  constructor(private readonly ways: Ways) {}

  /** The server that a resource is about: the same for all who reach it in the same way. */
  async reach(definition: AnyDefinition, args: ServerArguments, stored: Stored, former?: Former): Promise<Reached> {
    const { entry, scope } = await this.entryOf(definition, args, stored, former);
    return { managed: entry.server, scope };
  }

  /** The server as it stands, which goes into the state. */
  async refresh(definition: AnyDefinition, args: ServerArguments, stored: Stored): Promise<Server> {
    const { entry, scope } = await this.entryOf(definition, args, stored);
    const server = await entry.server.observe(scope).catch((error) => noteDown(entry, error));
    entry.isRefreshed = true;
    return server;
  }

  /**
   * The server as it stands, for a check: as the refresh of this process has read it, else it is read now; `isNews` where
   * the state may not know it. Undefined while a transaction of this process changes what an existing resource is about.
   */
  async look(
    definition: AnyDefinition,
    args: ServerArguments,
    stored: Stored,
    former?: Former,
  ): Promise<{ server: Server; isNews: boolean } | undefined> {
    const { entry, scope } = await this.entryOf(definition, args, stored, former);
    if (former && entry.down !== undefined) throw new SshError("unreachable", entry.down);
    const known = entry.server.known(scope);
    if (former && !known && entry.server.isChanging) return undefined;
    const server = await (known ?? entry.server.observe(scope)).catch((error) => noteDown(entry, error));
    return { server, isNews: !entry.isRefreshed };
  }

  private async entryOf(
    definition: AnyDefinition,
    { connection, ...args }: ServerArguments,
    { stack }: Stored,
    former?: Former,
  ): Promise<{ entry: Managed; scope: Scope }> {
    const scope = scopeOf(definition, { connection, ...args }, former);
    const identity = `${await this.ways.routeOf(connection)} ${scope.root}`;
    const known = this.managed.get(identity);
    if (known) {
      known.connection = connection;
      return { entry: known, scope };
    }
    const latest = () => this.ways.connect(this.managed.get(identity)!.connection);
    const entry = { server: new ManagedServer(services, latest, `the stack ${stack}`), connection };
    this.managed.set(identity, entry);
    return { entry, scope };
  }
}

/** A service is asked once: as it is reached now. */
function scopeOf(definition: AnyDefinition, args: ServerArguments, former?: Former): Scope {
  const root = args.root === undefined || args.root === "/" ? "" : args.root;
  const probes = definition.probes(args);
  const asked = new Set(probes.map(({ service }) => service));
  const more = former ? definition.probes(former.args).filter(({ service }) => !asked.has(service)) : [];
  return { root, probes: [...probes, ...more], folders: definition.folders?.(args) ?? [] };
}

/** @throws the error; where the server can't be reached that is kept. */
function noteDown(entry: Managed, error: unknown): never {
  if (isUnreachable(error)) entry.down = messageOf(error);
  throw error;
}

export const isUnreachable = (error: unknown): boolean => error instanceof SshError && UNREACHABLE.includes(error.kind);

/** What may be well a moment later. A wrong key or password is not. */
const UNREACHABLE: readonly SshErrorKind[] = ["unreachable", "timeout", "lost"];
