export type * from "./pulumi/program/arguments";
export {
  type Before,
  KernelLimits,
  NginxTuning,
  PostgresConnections,
  ProxyTempPath,
  WaptServer,
  WaptServerIni,
} from "./pulumi/program/resources";
export type { KernelLimitsSettings } from "./resources/kernel-limits";
export type { NginxTuningSettings } from "./resources/nginx-tuning";
export type { PostgresConnectionsSettings } from "./resources/postgres-connections";
export type { ProxyTempPathSettings } from "./resources/proxy-temp-path";
export type { WaptServerSettings } from "./resources/wapt-server";
export type { WaptServerIniSettings } from "./resources/waptserver-ini";
export { type Sizes, SizingError, sizing } from "./sizing";
