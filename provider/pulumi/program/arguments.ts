/** The arguments of the resources as a Pulumi program gives them: those of the definitions, each known or still to come. */
import type * as pulumi from "@pulumi/pulumi";
import type { KernelLimitsArguments } from "../../resources/kernel-limits";
import type { NginxTuningArguments } from "../../resources/nginx-tuning";
import type { PostgresConnectionsArguments } from "../../resources/postgres-connections";
import type { ProxyTempPathArguments, UploadsArguments } from "../../resources/proxy-temp-path";
import type { WaptServerArguments } from "../../resources/wapt-server";
import type { WaptServerIniArguments } from "../../resources/waptserver-ini";
import type { Connection } from "../../ssh/connection";

/** A value, a list or an object of which any part may be known only later. */
type Inputs<T> = { [N in keyof T]: pulumi.Input<Nested<Exclude<T[N], undefined>>> };
type Nested<T> = T extends readonly (infer E)[] ? pulumi.Input<E>[] : T extends object ? Inputs<T> : T;

/** How to reach a server: all fields of @pulumi/command's connection, and those of verification and sudo. */
export type ConnectionArgs = Inputs<Connection>;
/** Where uploads lie until they are whole. */
export type UploadsArgs = Inputs<UploadsArguments>;
/** A whole server. */
export type WaptServerArgs = Inputs<WaptServerArguments>;
/** The kernel's queues and the limits of open files. */
export type KernelLimitsArgs = Inputs<KernelLimitsArguments>;
/** nginx's connections and descriptors. */
export type NginxTuningArgs = Inputs<NginxTuningArguments>;
/** The folder of nginx's uploads. */
export type ProxyTempPathArgs = Inputs<ProxyTempPathArguments>;
/** PostgreSQL's connections. */
export type PostgresConnectionsArgs = Inputs<PostgresConnectionsArguments>;
/** waptserver's connections. */
export type WaptServerIniArgs = Inputs<WaptServerIniArguments>;
