/** The five resources, as a Pulumi program uses them. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../../resources/definition";
import { connectionSchema, secretFields } from "../../ssh/connection";
import type {
  KernelLimitsArgs,
  NginxTuningArgs,
  PostgresConnectionsArgs,
  ProxyTempPathArgs,
  ServerArgs,
  WaptServerIniArgs,
} from "./arguments";
import { shim } from "./shim";

const types = ["KernelLimits", "NginxTuning", "PostgresConnections", "ProxyTempPath", "WaptServerIni"] as const;

const shims = Object.fromEntries(types.map((type) => [type, shim(type)])) as Record<
  (typeof types)[number],
  pulumi.dynamic.ResourceProvider
>;

/** What all resources have in common. */
abstract class WaptResource extends pulumi.dynamic.Resource {
  /** The settings that are wanted, and were verified, by their own names. */
  declare readonly settings: pulumi.Output<Settings>;
  /** What stood at each place before the first change; it is put back when the resource is destroyed. */
  declare readonly before: pulumi.Output<Settings>;

  constructor(type: (typeof types)[number], name: string, args: ServerArgs, opts?: pulumi.CustomResourceOptions) {
    const found = { settings: undefined, before: undefined, unset: undefined };
    const props = { ...args, connection: withSecrets(args?.connection), stack: stackName(), name, ...found };
    super(shims[type], name, props, opts, "pulumi-wapt", type);
  }
}

/** `organization/project/stack`, by which a server knows the owner of a setting. */
function stackName(): string {
  let organization = "organization";
  try {
    organization = pulumi.getOrganization();
  } catch {
    // Under Pulumi's mocks there is none unless the test names one; this is what backends without organizations say.
  }
  return `${organization}/${pulumi.getProject()}/${pulumi.getStack()}`;
}

// Outside of its host, user and the like a connection holds credentials: in the state they are encrypted. A field that
// does not exist may be one that is misspelt.
const isOpen = (field: string): boolean =>
  field in connectionSchema.shape && !(secretFields as readonly string[]).includes(field);

function withSecrets<T>(connection: pulumi.Input<T>): pulumi.Input<T> {
  if (pulumi.Output.isInstance(connection) || connection instanceof Promise) {
    return pulumi.output(connection).apply((known) => marked(known)) as pulumi.Output<T>;
  }
  return marked(connection) as T;
}

function marked(connection: unknown): unknown {
  if (typeof connection !== "object" || connection === null) return connection;
  const fields = Object.entries(connection).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    fields.map(([name, value]) => {
      if (name === "proxy") return [name, withSecrets(value)];
      return [name, isOpen(name) ? value : pulumi.secret(value)];
    }),
  );
}

/** `worker_connections` and `worker_rlimit_nofile` in nginx's configuration; nginx is tested, then reloaded. */
export class NginxTuning extends WaptResource {
  constructor(name: string, args: NginxTuningArgs, opts?: pulumi.CustomResourceOptions) {
    super("NginxTuning", name, args, opts);
  }
}

/**
 * `net.ipv4.tcp_max_syn_backlog` and `net.core.somaxconn` in /etc/sysctl.d/wapt.conf and in the kernel, `nofile` of
 * WAPT's and nginx's users in /etc/security/limits.conf, `LimitNOFILE` of the units nginx, waptserver and wapttasks.
 */
export class KernelLimits extends WaptResource {
  constructor(name: string, args: KernelLimitsArgs, opts?: pulumi.CustomResourceOptions) {
    super("KernelLimits", name, args, opts);
  }
}

/** PostgreSQL's `max_connections`; a change restarts PostgreSQL, with WAPT stopped meanwhile. */
export class PostgresConnections extends WaptResource {
  constructor(name: string, args: PostgresConnectionsArgs, opts?: pulumi.CustomResourceOptions) {
    super("PostgresConnections", name, args, opts);
  }
}

/** `db_max_connections` and `max_clients` in waptserver.ini; a change restarts waptserver and wapttasks. */
export class WaptServerIni extends WaptResource {
  constructor(name: string, args: WaptServerIniArgs, opts?: pulumi.CustomResourceOptions) {
    super("WaptServerIni", name, args, opts);
  }
}

/** nginx's `client_body_temp_path`, its folder, and the space that the folder's partition must have. */
export class ProxyTempPath extends WaptResource {
  constructor(name: string, args: ProxyTempPathArgs, opts?: pulumi.CustomResourceOptions) {
    super("ProxyTempPath", name, args, opts);
  }
}
