/** What a resource is: its arguments, the settings they ask for, and what those need on a server. Data and pure functions. */
import { z } from "zod";
import type { Problem } from "../problem";
import type { Server } from "../services";
import {
  CLIENTS_OF_ONE_SERVER,
  LARGEST,
  POOLS,
  type Pool,
  type Sizes,
  SizingError,
  sizeNames,
  sizing,
} from "../sizing";
import { type Connection, connectionSchema } from "../ssh/connection";
import { notAName } from "../text/nearest";
import type { Probe } from "../transaction/service";
import type { Target } from "../transaction/target";
import { type Restart, restartSchema } from "./restart-window";

/** Settings by their own names. */
export type Settings = Readonly<Record<string, number | string | undefined>>;

/** Arguments that every resource has. */
export interface ServerArguments {
  /** How to reach the server. Credentials given here are secret; elsewhere they come from ssh's own configuration. */
  connection: Connection;
  /** The number of WAPT clients that are connected at the same time: a whole number, 1 or more. */
  clients?: number;
  /** Accept more than the 5,000 clients that WAPT's guide advises for one server. Default: false. */
  allowAbove5000?: boolean;
  /**
   * Converge the files below this folder of the server and touch no service, as `systemctl --root` does: for images.
   * Default: `/`, the server itself.
   */
  root?: string;
  /**
   * `never` writes the files and leaves a restart of PostgreSQL or WAPT that they need for later: it stays a difference
   * in every preview, until a run without `never`, or the administrator, restarts them. nginx is reloaded all the same.
   * `{ between: "22:00-05:00", zone: "Europe/Paris" }` is `never` outside these hours and `as needed` in them.
   * Default: `as needed`.
   */
  restart?: Restart;
  /**
   * Warnings that are known and no longer shown, by the word behind `preflight`: `backlog`, `hardware`, `lowered`,
   * `ports`, `sysctl`, `workers`; and `memory`, for a server that is refused since a storm of PCs would fill it. Default: none.
   */
  accept?: Acceptable[];
  /** nginx's main configuration file. Default: the one that the nginx that serves reads, or that its unit names. */
  nginxConf?: string;
  /** The user of nginx's workers. Default: whom they run as, else nginx's `user` directive or the user it was built for. */
  nginxUser?: string;
  /** postgresql.conf. Default: that of the cluster whose port is waptserver.ini's `db_port`. */
  postgresqlConf?: string;
  /**
   * waptserver.ini. Where several servers of WAPT run on one machine, it says which is meant. Default: the one that WAPT's
   * unit names, else `/opt/wapt/conf/waptserver.ini`, else `/opt/wapt/waptserver/waptserver.ini`.
   */
  waptserverIni?: string;
}

/** The warnings that may be accepted: they stand in each preview, and a server may work well all the same. */
export const ACCEPTABLE = ["backlog", "hardware", "lowered", "memory", "ports", "sysctl", "workers"] as const;
export type Acceptable = (typeof ACCEPTABLE)[number];

/** What the administrator should know of a target and has not accepted. */
export function warningsOf({ warnings = [] }: Pick<Target, "warnings">, { accept = [] }: ServerArguments): string[] {
  return warnings.filter((warning) => !accept.some((name) => warning.startsWith(`preflight, ${name}:`)));
}

/** Arguments of the resources that depend on the number of clients. */
export interface SizedArguments extends ServerArguments {
  clients: number;
}

/** The check of each argument by itself. */
export type Schemas<T> = { readonly [N in keyof T]-?: z.ZodType<T[N] | undefined> };

/** The arguments that a resource has beside those of {@link SizedArguments}. */
export type Own<A> = Omit<A, keyof SizedArguments>;

export interface Definition<A extends ServerArguments, S extends Settings> {
  /** The resource's name, as in its type token. */
  readonly type: string;
  /** Whether it depends on the number of clients; else `clients` may be left out. */
  readonly isSized: boolean;
  readonly schemas: Schemas<Own<A>>;
  /** `sizes` throws a SizingError where an override breaks a link between two values. */
  settings(args: A, sizes: () => Sizes): S;
  /** Settings whose default depends on what the server has, each with the argument that decides instead, "" for none. */
  readonly derived?: Readonly<Partial<Record<keyof S, string>>>;
  /** Arguments that are right by themselves and have no effect beside the others. */
  contradictions?(args: A): readonly Problem[];
  /** What to ask of which service. */
  probes(args: A): readonly Probe[];
  /** Folders to observe. */
  folders?(args: A): readonly string[];
  target(settings: S, server: Server, args: A): Target;
}

/** Any of the resources. */
export type AnyDefinition = Definition<ServerArguments, Settings>;

/** A count that a setting may have. */
export const count = z
  .number({ error: "give a whole number" })
  .int({ error: "give a whole number" })
  .min(1, { error: "give a whole number of 1 or more" })
  .max(LARGEST, { error: `give a whole number up to ${LARGEST}` })
  .optional();

/** Where the size of the pool comes from. */
export const pool = z
  .enum(POOLS, { error: ({ input }) => notAName(`pool as ${JSON.stringify(input)}`, [String(input)], POOLS) })
  .optional();

export const path = z
  .string({ error: "give an absolute path" })
  .regex(/^\//, { error: "give an absolute path: one that begins with /" })
  .regex(/^[\x20-\x7e]*$/, { error: "give a path of ASCII characters: letters without accents, digits and signs" })
  .regex(/^[^\s"'\\;{}$#]*$/, { error: "give a path without blanks, quotes, backslashes and any of ; { } $ #" })
  .refine((text) => !text.split("/").includes(".."), { error: "give a path without .." })
  .transform((text) => text.replace(/\/+/g, "/").replace(/(.)\/$/, "$1"));

const CLIENTS = { error: "give the number of WAPT clients, a whole number of 1 or more" };
const NGINX_USER = { error: "give a user's name" };

const common = {
  connection: connectionSchema,
  clients: z.number(CLIENTS).int(CLIENTS).min(1, CLIENTS),
  allowAbove5000: z.boolean({ error: "give true or false" }).optional(),
  root: path.optional(),
  restart: restartSchema.optional(),
  accept: z
    .array(
      z.enum(ACCEPTABLE, {
        error: ({ input }) => notAName(`warning as ${JSON.stringify(input)}`, [String(input)], ACCEPTABLE),
      }),
      { error: `give a list of ${ACCEPTABLE.join(", ")}` },
    )
    .optional(),
  nginxConf: path.optional(),
  nginxUser: z
    .string(NGINX_USER)
    .regex(/^[a-z_][a-z0-9_.-]*\$?$/i, NGINX_USER)
    .optional(),
  postgresqlConf: path.optional(),
  waptserverIni: path.optional(),
} satisfies Schemas<SizedArguments>;

export type Checked<A, S> =
  | { readonly args: A; readonly settings: S | undefined; readonly problems?: undefined }
  | { readonly problems: readonly Problem[] };

/**
 * Checks plain arguments and computes the settings they ask for, or says what is wrong with them, before any server is
 * asked. Arguments named in `unknown` are not known yet: they are not checked, and what needs them is undefined.
 */
export function checkArguments<A extends ServerArguments, S extends Settings>(
  definition: Definition<A, S>,
  input: Readonly<Record<string, unknown>>,
  unknown: ReadonlySet<string> = new Set(),
): Checked<A, S> {
  const known = Object.fromEntries(Object.entries(input).filter(([name]) => !unknown.has(name)));
  const parsed = schemaOf(definition, unknown).safeParse(known);
  if (!parsed.success) return { problems: parsed.error.issues.map((issue) => problemOf(definition, issue)) };
  // The one place where what zod has checked gets its type: the schemas are those of A's properties.
  const args = parsed.data as unknown as A & SizedArguments;
  const tooMany = unknown.has("allowAbove5000") ? undefined : aboveOneServer(args);
  if (tooMany) return { problems: [tooMany] };
  const contradictions = definition.contradictions?.(args) ?? [];
  if (contradictions.length > 0) return { problems: contradictions };
  const decisive = ["clients", ...Object.keys(definition.schemas)];
  if (decisive.some((name) => unknown.has(name))) return { args, settings: undefined };
  try {
    return { args, settings: definition.settings(args, sizesOf(args)) };
  } catch (error) {
    if (error instanceof SizingError) return { problems: error.problems };
    throw error;
  }
}

function sizesOf(args: SizedArguments & { pool?: Pool }): () => Sizes {
  let sizes: Sizes | undefined;
  const isSize = (name: string) => (sizeNames as readonly string[]).includes(name);
  const chosen = Object.fromEntries(Object.entries(args).filter(([name]) => isSize(name)));
  return () => {
    sizes ??= sizing(args.clients, chosen, args.pool);
    return sizes;
  };
}

/** The names of all arguments of a resource. */
export function argumentNames<A extends ServerArguments, S extends Settings>(definition: Definition<A, S>): string[] {
  return [...Object.keys(common), ...Object.keys(definition.schemas)];
}

function schemaOf<A extends ServerArguments, S extends Settings>(
  definition: Definition<A, S>,
  unknown: ReadonlySet<string>,
): z.ZodType {
  const clients = definition.isSized ? common.clients : common.clients.optional();
  const shape: Record<string, z.ZodType> = { ...common, clients, ...definition.schemas };
  return z.strictObject(Object.fromEntries(Object.entries(shape).filter(([name]) => !unknown.has(name))));
}

function problemOf<A extends ServerArguments, S extends Settings>(
  definition: Definition<A, S>,
  issue: z.core.$ZodIssue,
): Problem {
  if (issue.code === "unrecognized_keys" && issue.path.length === 0) {
    const reason = notAName(`argument of ${definition.type}`, issue.keys, argumentNames(definition));
    return { property: issue.keys.join(", "), reason };
  }
  const property = issue.path.join(".");
  const missing = issue.code === "invalid_type" && property === "connection";
  return { property, reason: missing ? "give connection.host, the name or address of the server" : issue.message };
}

function aboveOneServer({ clients = 0, allowAbove5000 }: SizedArguments): Problem | undefined {
  if (allowAbove5000 || clients <= CLIENTS_OF_ONE_SERVER) return undefined;
  const servers = Math.ceil(clients / CLIENTS_OF_ONE_SERVER);
  const reason =
    `${clients} clients are more than the ${CLIENTS_OF_ONE_SERVER} that one WAPT server carries: use ${servers} servers ` +
    `of ${Math.ceil(clients / servers)} clients each, or give allowAbove5000: true to tune one for them all the same`;
  return { property: "clients", reason };
}
