/**
 * The configuration of a site's program, checked as a whole before any server is contacted: `pulumi-wapt/site`. A server
 * has the arguments of `WaptServer`, checked by their own schema.
 */
import type { Problem } from "./problem";
import { argumentNames, checkArguments } from "./resources/definition";
import { type WaptServerArguments, waptServer } from "./resources/wapt-server";
import { CLIENTS_OF_ONE_SERVER } from "./sizing";
import { connectionFields, wayTo } from "./ssh/connection";
import { notAName } from "./text/nearest";

/** A server of the site. */
export interface SiteServer {
  /** The resource's name. */
  readonly name: string;
  readonly args: WaptServerArguments;
}

/** What is wrong with a configuration, a line each. */
export class SiteError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "SiteError";
  }
}

type Bag = Readonly<Record<string, unknown>>;

/** Keys of the site, in the project's own namespace. */
const SITE_KEYS = ["servers", "clients", "connection", "uploads", "minFree"];
/** Keys of the provider. */
const PROVIDER_KEYS = ["sshPassword", "sshPrivateKey", "sshPrivateKeyPassword", "sudoPassword", "forget", "adopt"];
/** What a server of the list may have: these two, and the arguments of `WaptServer`. */
const SERVER_NAMES: readonly string[] = ["host", "name", ...argumentNames(waptServer)];

/**
 * The servers that a stack's configuration names; `config` holds all of its keys, with their texts.
 *
 * @throws SiteError that names every key which is not right.
 */
export function siteOf(project: string, config: Readonly<Record<string, string>>): SiteServer[] {
  const site = new Site(project, config);
  const servers = site.servers();
  if (site.problems.length > 0) throw new SiteError(site.problems);
  return servers;
}

class Site {
  readonly problems: string[] = [];

  constructor(
    private readonly project: string,
    private readonly config: Readonly<Record<string, string>>,
  ) {}

  servers(): SiteServer[] {
    this.checkKeys(this.project, SITE_KEYS);
    this.checkKeys("pulumi-wapt", PROVIDER_KEYS);
    const connection = this.object("connection");
    this.checkNames("connection", connection, "field of a connection", connectionFields);
    const given = this.list("servers");
    // What a server shares with all others is wrong once.
    if (this.problems.length > 0) return [];
    const areNamesRight = this.checkServerNames(given);
    // A share of the clients would be computed with what is misspelt.
    const listed = areNamesRight ? this.shared(given) : given;
    if (areNamesRight && this.problems.length > 0) return [];
    const servers = listed.flatMap((one, at) => this.server(`servers[${at}]`, one, connection, areNamesRight));
    this.checkTwice(servers);
    return servers.map(({ server }) => server);
  }

  /** The servers with their shares of the site's `clients`: those that have none of their own carry the rest, evenly. */
  private shared(listed: readonly unknown[]): readonly unknown[] {
    const text = this.config[`${this.project}:clients`];
    if (!text || text === "0") return listed;
    if (!/^[1-9]\d{0,8}$/.test(text))
      return this.wrong(
        "clients",
        "give the number of WAPT clients of all servers together, a whole number of 1 or more",
      );
    const open = listed.filter(isOpen);
    const own = listed.map((one) => (isBag(one) && typeof one.clients === "number" ? one.clients : 0));
    const rest = Number(text) - own.reduce((sum, clients) => sum + clients, 0);
    const share = Math.ceil(rest / open.length);
    const refused = this.refuseShare(text, open, rest, share);
    return refused ?? listed.map((one) => (isOpen(one) ? { ...one, clients: share } : one));
  }

  /** Where the servers without clients of their own can't carry a share each of the rest. */
  private refuseShare(text: string, open: readonly Bag[], rest: number, share: number): never[] | undefined {
    if (open.length === 0)
      return this.wrong(
        "clients",
        "each server has clients of its own, so this has no effect: remove one or the other",
      );
    if (rest < open.length)
      return this.wrong(
        "clients",
        `${text} leave ${rest} for ${open.length} servers without clients of their own: give more`,
      );
    if (share <= CLIENTS_OF_ONE_SERVER || open.every(({ allowAbove5000 }) => allowAbove5000 === true)) return undefined;
    const enough = Math.ceil(rest / CLIENTS_OF_ONE_SERVER);
    return this.wrong(
      "clients",
      `${rest} clients on ${open.length} servers are ${share} each, more than the ${CLIENTS_OF_ONE_SERVER} that one WAPT ` +
        `server carries: list ${enough} servers`,
    );
  }

  private checkServerNames(listed: readonly unknown[]): boolean {
    const areRight = listed.map(
      (one, at) => !isBag(one) || this.checkNames(`servers[${at}]`, one, "argument of a server", SERVER_NAMES),
    );
    return areRight.every((isRight) => isRight);
  }

  private server(
    at: string,
    given: unknown,
    shared: Bag,
    areNamesRight: boolean,
  ): { at: string; server: SiteServer }[] {
    if (!isBag(given))
      return this.wrong(at, 'is no object: give one such as {"host": "wapt.example", "clients": 3000}');
    const known = Object.fromEntries(Object.entries(given).filter(([key]) => SERVER_NAMES.includes(key)));
    const { name = known.host } = known;
    const args = this.argumentsOf(known, shared);
    // What is missing may be what is misspelt, so nothing is said of it, nor of what is computed with its default.
    const missing = areNamesRight ? [] : argumentNames(waptServer).filter((one) => !(one in args));
    const problems = [...ownProblems(known, areNamesRight), ...problemsOf(known, args, missing)];
    for (const { property, reason } of problems) this.wrong(`${at}.${property}`, reason);
    if (!areNamesRight || problems.length > 0) return [];
    return [{ at, server: { name: name as string, args: args as unknown as WaptServerArguments } }];
  }

  /** The arguments of `WaptServer`, with what the site gives to all. */
  private argumentsOf({ host, name: _, connection = {}, uploads, ...rest }: Bag, shared: Bag): Bag {
    const path = uploads ?? this.config[`${this.project}:uploads`];
    const minFree = this.config[`${this.project}:minFree`];
    const folder = path ? { uploads: { path, ...(minFree && { minFree }) } } : {};
    return { connection: { ...shared, ...(isBag(connection) && connection), host }, ...folder, ...rest };
  }

  /** One server has one owner, and a stack one resource of a name. */
  private checkTwice(servers: readonly { at: string; server: SiteServer }[]): void {
    const [hosts, names] = [new Map<string, string>(), new Map<string, string>()];
    for (const { at, server } of servers) {
      const { connection, root = "/" } = server.args;
      const sameName = names.get(server.name);
      const key = wayTo(connection, root);
      const sameHost = hosts.get(key);
      if (sameHost)
        this.wrong(at, `${connection.host} is ${sameHost} too: one server has one owner; remove one of them`);
      else if (sameName) this.wrong(at, `the name ${server.name} is that of ${sameName} too: give it another name`);
      names.set(server.name, sameName ?? at);
      hosts.set(key, sameHost ?? at);
    }
  }

  private checkKeys(namespace: string, known: readonly string[]): void {
    for (const key of Object.keys(this.config)) {
      const [own, name = ""] = key.split(":");
      if (own === namespace && !known.includes(name)) this.problems.push(`${key}: ${notAName("key", [name], known)}`);
    }
  }

  private checkNames(at: string, bag: Bag, what: string, known: readonly string[]): boolean {
    const wrong = Object.keys(bag).filter((name) => !known.includes(name));
    for (const name of wrong) this.wrong(`${at}.${name}`, notAName(what, [name], known));
    return wrong.length === 0;
  }

  private list(key: string): readonly unknown[] {
    const value = this.parsed(key, []);
    if (Array.isArray(value) && value.length > 0) return value;
    return this.wrong(key, `is no list of servers: pulumi config set --path '${this.project}:servers[0].host' HOST`);
  }

  private object(key: string): Bag {
    const value = this.parsed(key, {});
    if (isBag(value)) return value;
    this.wrong(key, `is no object: pulumi config set --path '${this.project}:${key}.user' USER`);
    return {};
  }

  private parsed(key: string, none: unknown): unknown {
    const text = this.config[`${this.project}:${key}`];
    try {
      return text ? JSON.parse(text) : none;
    } catch {
      // JSON's words would quote the value, which may be secret.
      return undefined;
    }
  }

  private wrong(at: string, reason: string): never[] {
    this.problems.push(`${this.project}:${at}: ${reason}`);
    return [];
  }
}

/** What is wrong with what stands beside the arguments of `WaptServer`. */
function ownProblems({ host, name, connection = {} }: Bag, areNamesRight: boolean): Problem[] {
  const problems: Problem[] = [];
  if (host === "" || (host === undefined ? areNamesRight : typeof host !== "string"))
    problems.push({ property: "host", reason: "give the name or address of the server" });
  if (name === "" || (name !== undefined && typeof name !== "string"))
    problems.push({ property: "name", reason: "give the resource's name, or none for that of its host" });
  if (!isBag(connection))
    problems.push({ property: "connection", reason: 'is no object: give one such as {"user": "admin"}' });
  return problems;
}

function problemsOf({ host, connection = {} }: Bag, args: Bag, missing: readonly string[]): Problem[] {
  // Without a host, or with a connection that is none, the rest of a connection can't be checked.
  const isWhole = typeof host === "string" && host !== "" && isBag(connection);
  const { problems = [] } = checkArguments(waptServer, args, new Set(isWhole ? missing : [...missing, "connection"]));
  // A host stands beside the connection here.
  const here = (property: string) => (property === "connection.host" ? "host" : property);
  return problems.map(({ property, reason }) => ({ property: here(property), reason }));
}

/** Whether a server has no clients of its own. */
const isOpen = (value: unknown): value is Bag => isBag(value) && value.clients === undefined;

const isBag = (value: unknown): value is Bag => typeof value === "object" && value !== null && !Array.isArray(value);
