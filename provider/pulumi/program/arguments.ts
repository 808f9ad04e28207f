/** The arguments of the resources, as a Pulumi program gives them. */
import type { remote } from "@pulumi/command/types/input";
import type * as pulumi from "@pulumi/pulumi";

/** How to reach a server: all fields of @pulumi/command's connection, and those below. One object serves both packages. */
export interface ConnectionArgs extends remote.ConnectionArgs {
  /** Become root by sudo after the login. Default: false. */
  sudo?: pulumi.Input<boolean>;
  /** The password that sudo asks for; secret. Default: `password`. Better kept in the stack's configuration. */
  sudoPassword?: pulumi.Input<string>;
  /**
   * `strict` (the default): the server's key must be in known_hosts, or be `hostKey`. `accept-new`: a server that was
   * never seen is added to known_hosts. `off`: any key is accepted, also an attacker's.
   */
  hostKeyChecking?: pulumi.Input<"strict" | "accept-new" | "off">;
  /** Files of known host keys. Default: those of the ssh configuration, else ~/.ssh/known_hosts and the system's. */
  knownHosts?: pulumi.Input<string | string[]>;
}

/** Arguments that every resource has. */
export interface ServerArgs {
  /** How to reach the server. Credentials given here are secret; elsewhere they come from ssh's own configuration. */
  connection: pulumi.Input<ConnectionArgs>;
  /**
   * Converge the files below this folder of the server and touch no service, as `systemctl --root` does: for images.
   * Default: `/`, the server itself.
   */
  root?: pulumi.Input<string>;
  /**
   * `never` writes the files and leaves a restart of PostgreSQL or WAPT that they need for later: it stays a difference
   * in every preview, until a run without `never`, or the administrator, restarts them. nginx is reloaded all the same.
   * Default: `as needed`.
   */
  restart?: pulumi.Input<"as needed" | "never">;
  /** nginx's main configuration file. Default: the one that nginx itself was built to read. */
  nginxConf?: pulumi.Input<string>;
  /** The user of nginx's workers. Default: nginx's `user` directive, else the user that nginx was built for. */
  nginxUser?: pulumi.Input<string>;
  /** postgresql.conf. Default: that of the cluster whose port is waptserver.ini's `db_port`. */
  postgresqlConf?: pulumi.Input<string>;
  /** waptserver.ini. Default: /opt/wapt/conf/waptserver.ini. */
  waptserverIni?: pulumi.Input<string>;
}

/** Arguments of the resources that depend on the number of clients. */
export interface SizedArgs extends ServerArgs {
  /** The number of WAPT clients that are connected at the same time: a whole number, 1 or more. */
  clients: pulumi.Input<number>;
  /** Accept more than the 5,000 clients that WAPT's guide advises for one server. Default: false. */
  allowAbove5000?: pulumi.Input<boolean>;
}

/** nginx's connections and descriptors. */
export interface NginxTuningArgs extends SizedArgs {
  /** `worker_connections`. Default: 2.5 × clients, at least 4096. */
  workerConnections?: pulumi.Input<number>;
  /** `worker_rlimit_nofile`. Default: 32768, and at least 2 × worker_connections. */
  workerRlimitNofile?: pulumi.Input<number>;
}

/** The kernel's queues and the limits of open files. */
export interface KernelLimitsArgs extends SizedArgs {
  /** `net.ipv4.tcp_max_syn_backlog`. Default: 1.5 × clients, at least 4096. */
  tcpMaxSynBacklog?: pulumi.Input<number>;
  /** `net.core.somaxconn`. Default: 1.5 × clients, at least 4096. */
  somaxconn?: pulumi.Input<number>;
  /** `nofile` of the users wapt and nginx's in limits.conf, hard and soft. Default: 500000. */
  nofile?: pulumi.Input<number>;
  /** `LimitNOFILE` of the units nginx, waptserver and wapttasks. Default: 32768. */
  limitNofile?: pulumi.Input<number>;
}

/** PostgreSQL's connections. */
export interface PostgresConnectionsArgs extends SizedArgs {
  /** `max_connections`. Default: clients ÷ 4, at least 100. */
  maxConnections?: pulumi.Input<number>;
}

/** waptserver's connections. */
export interface WaptServerIniArgs extends SizedArgs {
  /** PostgreSQL's `max_connections`, which bounds the pool. Default: clients ÷ 4, at least 100. */
  maxConnections?: pulumi.Input<number>;
  /** `db_max_connections`, the pool. Default: max_connections − 10. */
  dbMaxConnections?: pulumi.Input<number>;
  /** `max_clients`. Default: 1.2 × clients, at least 4096. */
  maxClients?: pulumi.Input<number>;
}

/** Where uploads lie until they are whole. */
export interface UploadsArgs {
  /**
   * The folder; it is made with mode 0700 for nginx's user, the folder above it must exist. nginx's directive for it is
   * `client_body_temp_path`: WAPT's guide names /var/lib/nginx/proxy, but that is `proxy_temp_path` and holds answers
   * of the proxied server, not uploads.
   */
  path: pulumi.Input<string>;
  /**
   * Space that its partition must have free before the folder is first used, such as `"10GiB"` (the default; KiB, MiB,
   * GiB, TiB or kB, MB, GB, TB). An upload may be as large as WAPT's `client_max_body_size` (4 GiB), and several at once.
   */
  minFree?: pulumi.Input<string>;
}

/** The folder of nginx's uploads. */
export interface ProxyTempPathArgs extends ServerArgs, UploadsArgs {
  /** Not needed: the folder does not depend on it. */
  clients?: pulumi.Input<number>;
}

/** A whole server. */
export interface WaptServerArgs extends NginxTuningArgs, KernelLimitsArgs, PostgresConnectionsArgs, WaptServerIniArgs {
  /** Where uploads lie until they are whole. Default: where they lie now. */
  uploads?: UploadsArgs;
  /** Parts to leave out, such as `["PostgresConnections"]` where the database is another machine's. */
  omit?: ("KernelLimits" | "NginxTuning" | "PostgresConnections" | "WaptServerIni")[];
}
