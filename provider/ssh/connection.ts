/** What a connection to a server may say, and the credentials from elsewhere. */
import { z } from "zod";
import { notAName } from "../text/nearest";

/** The fields that hold secrets, in a connection and in its `proxy`. */
export const secretFields = ["password", "privateKey", "privateKeyPassword", "sudoPassword"] as const;

const text = (what: string) => z.string({ error: `${what} is text` });
const oneLine = (what: string) =>
  text(what).refine((given) => !/[\u0000\n\r]/.test(given), { error: `${what} is one line` });

const host = z
  .string({ error: "give connection.host, the name or address of the server" })
  .min(1, { error: "give connection.host, the name or address of the server", abort: true })
  .refine((name) => !name.includes("@"), { error: "connection.host is only a host: give the user as connection.user" })
  .refine((name) => !/^[^:]+:[0-9]+$/.test(name), {
    error: "connection.host is only a host: give the port as connection.port",
  })
  .refine((name) => /^[^\s-][^\s]*$/.test(name), {
    error: "connection.host has no blanks and does not begin with a hyphen",
  });

const KNOWN_HOSTS = { error: "connection.knownHosts names a file, or several" };
const file = z.string(KNOWN_HOSTS).min(1, KNOWN_HOSTS);
const DIAL_ERROR_LIMIT = { error: "dialErrorLimit is a whole number, or -1 for no limit" };
const PER_DIAL_TIMEOUT = { error: "perDialTimeout is a number of seconds, or 0 for no limit" };

/** How to reach a server and how to log in, without what only the last server of a way needs. */
export interface Hop {
  /** The name or address of the server, or a `Host` of the ssh configuration. */
  host: string;
  /** The port of its SSH server. Default: the ssh configuration's `Port`, else 22. */
  port?: number;
  /** The user who logs in. Default: the ssh configuration's `User`, else root. */
  user?: string;
  /** The password to log in with; secret. Better kept in the stack's configuration. */
  password?: string;
  /** The contents (not the name) of a private key: OpenSSH, PKCS#1, SEC 1, PKCS#8 or PuTTY 2; secret. */
  privateKey?: string;
  /** The passphrase of an encrypted private key: of `privateKey` and of key files; secret. */
  privateKeyPassword?: string;
  /** The socket of an ssh agent. Default: the ssh configuration's `IdentityAgent`, else `SSH_AUTH_SOCK`. */
  agentSocketPath?: string;
  /** The server's public key, as in authorized_keys or its base64 part alone. Default: what known_hosts says. */
  hostKey?: string;
  /**
   * `strict`: the server's key must be in known_hosts, or be `hostKey`. `accept-new`: a server that was never seen is
   * added to known_hosts. `off`: any key is accepted, also an attacker's. Default: `strict`.
   */
  hostKeyChecking?: "strict" | "accept-new" | "off";
  /** The known_hosts files to use, by name. Default: the ssh configuration's, else ~/.ssh/known_hosts and the system's. */
  knownHosts?: string | string[];
  /** Attempts to connect before giving up; -1 for no limit. A refused login is never tried again. Default: 3. */
  dialErrorLimit?: number;
  /**
   * Seconds that each attempt may take to connect, to exchange keys and to log in, each; 0 for no limit of ours.
   * Default: the ssh configuration's `ConnectTimeout`, else 15.
   */
  perDialTimeout?: number;
}

/**
 * How to reach a server: the fields of @pulumi/command's `remote.ConnectionArgs`, and those of verification and sudo. One
 * object serves both packages.
 */
export interface Connection extends Hop {
  /** The server through which this one is reached. Default: the ssh configuration's `ProxyJump`. */
  proxy?: Hop;
  /** Become root by sudo after the login. Default: false. */
  sudo?: boolean;
  /** The password that sudo asks for; secret. Better kept in the stack's configuration. Default: `password`. */
  sudoPassword?: string;
}

/** The check of each field by itself. */
type Schemas<T> = { readonly [N in keyof T]-?: z.ZodType<T[N] | undefined> };

const fields = {
  host,
  port: z
    .number({ error: "a port is a number from 1 to 65535" })
    .int({ error: "a port is a number from 1 to 65535" })
    .min(1, { error: "a port is a number from 1 to 65535" })
    .max(65535, { error: "a port is a number from 1 to 65535" })
    .optional(),
  user: oneLine("connection.user").min(1, { error: "connection.user is empty: leave it out for root" }).optional(),
  password: oneLine("connection.password").optional(),
  privateKey: text("connection.privateKey").optional(),
  privateKeyPassword: text("connection.privateKeyPassword").optional(),
  agentSocketPath: text("connection.agentSocketPath").optional(),
  hostKey: text("connection.hostKey").optional(),
  hostKeyChecking: z
    .enum(["strict", "accept-new", "off"], { error: 'hostKeyChecking is "strict", "accept-new" or "off"' })
    .optional(),
  knownHosts: z.union([file, z.array(file)], KNOWN_HOSTS).optional(),
  dialErrorLimit: z.number(DIAL_ERROR_LIMIT).int(DIAL_ERROR_LIMIT).min(-1, DIAL_ERROR_LIMIT).optional(),
  perDialTimeout: z
    .number(PER_DIAL_TIMEOUT)
    .min(0, PER_DIAL_TIMEOUT)
    .max(86_400, { error: "perDialTimeout is at most 86400 seconds" })
    .optional(),
} satisfies Schemas<Hop>;

const sudoFields = {
  sudo: z.boolean({ error: "connection.sudo is true or false" }).optional(),
  sudoPassword: oneLine("connection.sudoPassword").optional(),
};

/** A sentence in place of zod's own for a field that does not exist; the value is not shown. */
const unknownField = (known: readonly string[]) => (issue: { code?: string; keys?: string[] }) =>
  issue.code === "unrecognized_keys"
    ? `${(issue.keys ?? []).join(", ")}: ${notAName("field of a connection", issue.keys ?? [], known)}`
    : undefined;

/** The server through which another one is reached. */
const proxy = z.strictObject(fields, {
  error: (issue) => unknownField(Object.keys(fields))(issue) ?? "connection.proxy is an object with a host of its own",
});
const allFields = { ...fields, ...sudoFields, proxy: proxy.optional() } satisfies Schemas<Connection>;

export const connectionFields: readonly string[] = Object.keys(allFields);

/** The check of a connection whose values are all known. */
export const connectionSchema = z
  .strictObject(allFields, { error: unknownField(Object.keys(allFields)) })
  .refine((connection) => connection.sudoPassword === undefined || connection.sudo !== undefined, {
    error: "sudoPassword is given, but not sudo: add sudo: true",
    path: ["sudo"],
  });

/**
 * Where a connection leads as it is written, and the root there, for comparison alone. What ssh's configuration makes of it
 * is not asked. Behind another jump host the same private address is another server.
 */
export function wayTo({ proxy, ...last }: Connection, root: string | undefined): string {
  const hops = [last, ...(proxy ? [proxy] : [])].map(({ host, port = 22 }) => [host.toLowerCase(), port]);
  return JSON.stringify([hops, root || "/"]);
}

/** What to log in with when the connection's own arguments don't say, or are refused: from the stack's configuration. */
export interface Credentials {
  readonly password?: string | undefined;
  readonly privateKey?: string | undefined;
  readonly privateKeyPassword?: string | undefined;
  readonly sudoPassword?: string | undefined;
}

/** The credentials in the environment (PULUMI_WAPT_SSH_… and PULUMI_WAPT_SUDO_PASSWORD); an empty variable is none. */
export function environmentCredentials(environment: NodeJS.ProcessEnv = process.env): Credentials {
  return {
    password: environment.PULUMI_WAPT_SSH_PASSWORD || undefined,
    privateKey: environment.PULUMI_WAPT_SSH_PRIVATE_KEY || undefined,
    privateKeyPassword: environment.PULUMI_WAPT_SSH_PRIVATE_KEY_PASSWORD || undefined,
    sudoPassword: environment.PULUMI_WAPT_SUDO_PASSWORD || undefined,
  };
}
