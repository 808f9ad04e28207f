/** The five resources, as a Pulumi program uses them. */
import * as pulumi from "@pulumi/pulumi";
import type { Settings } from "../resources/definition";
import { secretFields } from "../ssh/connection";
import type {
  ConnectionArgs,
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
    const stack = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
    const found = { settings: undefined, before: undefined, unset: undefined };
    const props = { ...args, connection: withSecrets(args?.connection), stack, name, ...found };
    super(shims[type], name, props, opts, "pulumi-wapt", type);
  }
}

// Outside of its host, user and the like a connection holds credentials: in the state they are encrypted.
function withSecrets(connection: pulumi.Input<ConnectionArgs> | undefined): pulumi.Input<ConnectionArgs> | undefined {
  if (connection === undefined) return undefined;
  if (pulumi.Output.isInstance(connection) || connection instanceof Promise) {
    return pulumi.output(connection).apply((known) => marked(known) as pulumi.UnwrappedObject<ConnectionArgs>);
  }
  return marked(connection) as ConnectionArgs;
}

function marked(connection: object): object {
  return Object.fromEntries(
    Object.entries(connection)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => {
        if ((secretFields as readonly string[]).includes(name)) return [name, pulumi.secret(value)];
        return [name, name === "proxy" && isPlain(value) ? marked(value) : value];
      }),
  );
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !pulumi.Output.isInstance(value) && !(value instanceof Promise);

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
