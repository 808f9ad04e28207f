/**
 * The resources, as a Pulumi program uses them. Parts of @pulumi/pulumi are imported by their files: all of it loads a
 * compiler and npm, which costs each program 0.7 s of a processor.
 */
import { getOrganization, getProject, getStack } from "@pulumi/pulumi/metadata";
import type { Output } from "@pulumi/pulumi/output";
import { CustomResource, type CustomResourceOptions } from "@pulumi/pulumi/resource";
import type { KernelLimitsArguments, KernelLimitsSettings } from "../../resources/kernel-limits";
import type { NginxTuningArguments, NginxTuningSettings } from "../../resources/nginx-tuning";
import type { PostgresConnectionsArguments, PostgresConnectionsSettings } from "../../resources/postgres-connections";
import type { ProxyTempPathArguments, ProxyTempPathSettings } from "../../resources/proxy-temp-path";
import type { WaptServerArguments, WaptServerSettings } from "../../resources/wapt-server";
import type { WaptServerIniArguments, WaptServerIniSettings } from "../../resources/waptserver-ini";
import type { Inputs } from "./arguments";
import { withSecrets } from "./secrets";
import { shim } from "./shim";

export type {
  KernelLimitsSettings,
  NginxTuningSettings,
  PostgresConnectionsSettings,
  ProxyTempPathSettings,
  WaptServerIniSettings,
  WaptServerSettings,
};

/** What stood there first: a value, or text where a setting was not set or several places had several values. */
export type Before<S> = { readonly [N in keyof S]: S[N] | string };

/** What all resources have in common. */
abstract class WaptResource<S> extends CustomResource {
  /** The settings that are wanted, and were verified, by their own names. */
  declare readonly settings: Output<S>;
  /**
   * What stood there before the first change, under the same names; it is put back when the resource is destroyed.
   * `"not set"` where no file set it and no service had it.
   */
  declare readonly before: Output<Before<S>>;

  constructor(type: string, name: string, args: { connection?: unknown }, opts?: CustomResourceOptions) {
    const found = { settings: undefined, before: undefined, places: undefined };
    const connection = withSecrets(args?.connection);
    const props = { ...args, connection, stack: stackName(), name, ...found, __provider: shim(type) };
    // A dynamic resource, but for its provider's text, which is ours.
    super(`pulumi-nodejs:dynamic/pulumi-wapt:${type}`, name, props, opts);
  }
}

/** `organization/project/stack`, by which a server knows the owner of a setting. */
function stackName(): string {
  let organization = "organization";
  try {
    organization = getOrganization();
  } catch {
    // Under Pulumi's mocks there is none unless the test names one; this is what backends without organizations say.
  }
  return `${organization}/${getProject()}/${getStack()}`;
}

/** A whole server. */
export type WaptServerArgs = Inputs<WaptServerArguments>;

/**
 * A WAPT server tuned for its number of clients: the other five resources as one.
 *
 * What changes is one transaction on the server, in the order that is safe for raising and for lowering: kernel, nginx,
 * then WAPT stopped, PostgreSQL restarted, WAPT started. When any part fails, all of it is put back.
 */
export class WaptServer extends WaptResource<WaptServerSettings> {
  constructor(name: string, args: WaptServerArgs, opts?: CustomResourceOptions) {
    super("WaptServer", name, args, opts);
  }
}

/** The kernel's queues and the limits of open files. */
export type KernelLimitsArgs = Inputs<KernelLimitsArguments>;

/**
 * `net.ipv4.tcp_max_syn_backlog` and `net.core.somaxconn` in /etc/sysctl.d/wapt.conf and in the kernel, `nofile` of
 * WAPT's and nginx's users in /etc/security/limits.conf, `LimitNOFILE` of the units nginx, waptserver and wapttasks.
 */
export class KernelLimits extends WaptResource<KernelLimitsSettings> {
  constructor(name: string, args: KernelLimitsArgs, opts?: CustomResourceOptions) {
    super("KernelLimits", name, args, opts);
  }
}

/** nginx's connections and descriptors. */
export type NginxTuningArgs = Inputs<NginxTuningArguments>;

/** `worker_connections` and `worker_rlimit_nofile` in nginx's configuration; nginx is tested, then reloaded. */
export class NginxTuning extends WaptResource<NginxTuningSettings> {
  constructor(name: string, args: NginxTuningArgs, opts?: CustomResourceOptions) {
    super("NginxTuning", name, args, opts);
  }
}

/** The folder of nginx's uploads. */
export type ProxyTempPathArgs = Inputs<ProxyTempPathArguments>;

/** nginx's `client_body_temp_path`, its folder, and the space that the folder's partition must have. */
export class ProxyTempPath extends WaptResource<ProxyTempPathSettings> {
  constructor(name: string, args: ProxyTempPathArgs, opts?: CustomResourceOptions) {
    super("ProxyTempPath", name, args, opts);
  }
}

/** PostgreSQL's connections. */
export type PostgresConnectionsArgs = Inputs<PostgresConnectionsArguments>;

/** PostgreSQL's `max_connections`; a change restarts PostgreSQL, with WAPT stopped meanwhile. */
export class PostgresConnections extends WaptResource<PostgresConnectionsSettings> {
  constructor(name: string, args: PostgresConnectionsArgs, opts?: CustomResourceOptions) {
    super("PostgresConnections", name, args, opts);
  }
}

/** waptserver's connections. */
export type WaptServerIniArgs = Inputs<WaptServerIniArguments>;

/** `db_max_connections` and `max_clients` in waptserver.ini; a change restarts waptserver and wapttasks. */
export class WaptServerIni extends WaptResource<WaptServerIniSettings> {
  constructor(name: string, args: WaptServerIniArgs, opts?: CustomResourceOptions) {
    super("WaptServerIni", name, args, opts);
  }
}
