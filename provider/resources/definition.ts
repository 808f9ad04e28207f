/** What a resource is: its arguments, the settings they ask for, and what those need on a server. Data and pure functions. */
import { z } from "zod";
import { CLIENTS_OF_ONE_SERVER, LARGEST, type Problem, type Sizes, SizingError, sizing } from "../sizing";
import { connectionSchema } from "../ssh/connection";
import type { Server } from "../transaction/observation";
import type { Target } from "../transaction/target";

/** Settings by their own names. */
export type Settings = Readonly<Record<string, number | string>>;

const count = z
  .number({ error: "give a whole number" })
  .int({ error: "give a whole number" })
  .min(1, { error: "give a whole number of 1 or more" })
  .max(LARGEST, { error: `give a whole number up to ${LARGEST}` })
  .optional();

export const path = z
  .string({ error: "give an absolute path" })
  .regex(/^\//, { error: "give an absolute path: one that begins with /" })
  .regex(/^[^\s"'\\;{}$#]*$/, { error: "give a path without blanks, quotes, backslashes and any of ; { } $ #" })
  .refine((text) => !text.split("/").includes(".."), { error: "give a path without .." })
  .transform((text) => text.replace(/\/+/g, "/").replace(/(.)\/$/, "$1"));

const overrides = {
  workerConnections: count,
  workerRlimitNofile: count,
  tcpMaxSynBacklog: count,
  somaxconn: count,
  nofile: count,
  limitNofile: count,
  maxConnections: count,
  dbMaxConnections: count,
  maxClients: count,
} satisfies Record<keyof Sizes, typeof count>;

const common = {
  connection: connectionSchema.optional(),
  clients: z
    .number({ error: "give the number of WAPT clients, a whole number of 1 or more" })
    .int({ error: "give the number of WAPT clients, a whole number of 1 or more" })
    .min(1, { error: "give the number of WAPT clients, a whole number of 1 or more" }),
  allowAbove5000: z.boolean({ error: "give true or false" }).optional(),
  root: path.optional(),
  restart: z.enum(["as needed", "never"], { error: 'restart is "as needed" or "never"' }).optional(),
  nginxConf: path.optional(),
  nginxUser: z
    .string()
    .regex(/^[a-z_][a-z0-9_.-]*\$?$/i, { error: "give a user's name" })
    .optional(),
  postgresqlConf: path.optional(),
  waptserverIni: path.optional(),
};

/** Arguments that every resource has, as plain values. */
export type CommonArguments = z.infer<z.ZodObject<typeof common>>;

/** Where WAPT's installer puts waptserver.ini. */
export const WAPTSERVER_INI = "/opt/wapt/conf/waptserver.ini";

export interface Definition<Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** The resource's name, as in its type token. */
  readonly type: string;
  /** The overrides that it takes. */
  readonly overrides: readonly (keyof Sizes)[];
  /** Its arguments beside the common ones and the overrides. */
  readonly arguments?: Shape;
  /** False for a resource that does not depend on the number of clients; then `clients` may be left out. */
  readonly sized?: boolean;
  /** The types whose changes restart what this one's restart too: better made together. */
  readonly restartsWith?: readonly string[];
  settings(sizes: Sizes, args: z.infer<z.ZodObject<Shape>>): Settings;
  /** Folders to observe. */
  folders?(args: z.infer<z.ZodObject<Shape>>): readonly string[];
  target(settings: Settings, server: Server, args: CommonArguments & z.infer<z.ZodObject<Shape>>): Target;
}

/** A resource's definition, with its arguments' types inferred. */
export const defineResource = <Shape extends z.ZodRawShape>(definition: Definition<Shape>): Definition =>
  definition as unknown as Definition;

/** The plain arguments of a definition, checked. */
export type Arguments = CommonArguments & Record<string, unknown>;

export type Checked =
  | { readonly args: Arguments; readonly settings: Settings; readonly problems?: undefined }
  | { readonly problems: readonly Problem[] };

/**
 * Checks plain arguments and computes the settings they ask for, or says what is wrong with them, before any server is
 * asked. Arguments named in `unknown` are not known yet: they are not checked, and nothing that needs them is computed.
 */
export function checkArguments(
  definition: Definition,
  input: Record<string, unknown>,
  unknown: ReadonlySet<string> = new Set(),
): Checked {
  const known = Object.fromEntries(Object.entries(input).filter(([name]) => !unknown.has(name)));
  const parsed = schemaOf(definition, unknown).safeParse(known);
  if (!parsed.success) return { problems: parsed.error.issues.map((issue) => problemOf(definition, issue)) };
  const args = parsed.data as Arguments;
  const tooMany = aboveOneServer(args);
  if (tooMany) return { problems: [tooMany] };
  if (unknown.has("clients") || definition.overrides.some((name) => unknown.has(name))) return { args, settings: {} };
  try {
    const chosen = Object.fromEntries(definition.overrides.map((name) => [name, args[name] as number | undefined]));
    return { args, settings: definition.settings(sizing(args.clients ?? 1, chosen), args as never) };
  } catch (error) {
    if (error instanceof SizingError) return { problems: error.problems };
    throw error;
  }
}

/** The names of all arguments of a resource. */
export function argumentNames(definition: Definition): string[] {
  return [...Object.keys(common), ...definition.overrides, ...Object.keys(definition.arguments ?? {})];
}

function schemaOf(definition: Definition, unknown: ReadonlySet<string>): z.ZodType {
  const own = Object.fromEntries(definition.overrides.map((name) => [name, overrides[name]]));
  const clients = definition.sized === false ? common.clients.optional() : common.clients;
  const shape: Record<string, z.ZodType> = { ...common, clients, ...own, ...definition.arguments } as never;
  for (const name of unknown) delete shape[name];
  // Below a root the connection's host may be anything that has the files; it is needed all the same.
  if (!unknown.has("connection")) shape.connection = connectionSchema;
  return z.strictObject(shape);
}

function problemOf(definition: Definition, issue: z.core.$ZodIssue): Problem {
  if (issue.code === "unrecognized_keys" && issue.path.length === 0) {
    const names = argumentNames(definition).join(", ");
    return { property: issue.keys.join(", "), reason: `no such argument of ${definition.type}; it takes ${names}` };
  }
  const property = issue.path.join(".");
  const missing = issue.code === "invalid_type" && property === "connection";
  return { property, reason: missing ? "give connection.host, the name or address of the server" : issue.message };
}

function aboveOneServer(args: CommonArguments): Problem | undefined {
  if (args.allowAbove5000 || !(args.clients > CLIENTS_OF_ONE_SERVER)) return undefined;
  const servers = Math.ceil(args.clients / CLIENTS_OF_ONE_SERVER);
  const reason =
    `${args.clients} clients are more than the ${CLIENTS_OF_ONE_SERVER} that one WAPT server carries: use ${servers} servers ` +
    `of ${Math.ceil(args.clients / servers)} clients each, or give allowAbove5000: true to tune one for them all the same`;
  return { property: "clients", reason };
}
