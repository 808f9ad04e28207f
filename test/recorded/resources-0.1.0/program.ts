import * as pulumi from "@pulumi/pulumi";
import {
  type ConnectionArgs,
  KernelLimits,
  NginxTuning,
  PostgresConnections,
  ProxyTempPath,
  WaptServerIni,
} from "pulumi-wapt";

const connection = new pulumi.Config().requireObject<ConnectionArgs>("connection");
const clients = 2500;
const kernel = new KernelLimits("kernel", { connection, clients, limitNofile: 20000, nofile: 20000 });
const nginx = new NginxTuning("nginx", { connection, clients, workerRlimitNofile: 20000 });
const uploads = new ProxyTempPath("uploads", { connection, path: "/srv/wapt-uploads" });
const postgresql = new PostgresConnections("postgresql", { connection, clients });
const waptserver = new WaptServerIni("waptserver", { connection, clients });
export const settings = pulumi.all([
  kernel.settings,
  nginx.settings,
  uploads.settings,
  postgresql.settings,
  waptserver.settings,
]);
export const before = pulumi.all([kernel.before, nginx.before, uploads.before, postgresql.before, waptserver.before]);
