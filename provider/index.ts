export type {
  ConnectionArgs,
  KernelLimitsArgs,
  NginxTuningArgs,
  PostgresConnectionsArgs,
  ProxyTempPathArgs,
  ServerArgs,
  SizedArgs,
  UploadsArgs,
  WaptServerArgs,
  WaptServerIniArgs,
} from "./pulumi/arguments";
export { KernelLimits, NginxTuning, PostgresConnections, ProxyTempPath, WaptServerIni } from "./pulumi/resources";
export { WaptServer } from "./pulumi/wapt-server";
export type { Settings } from "./resources/definition";
export { type Sizes, SizingError, sizing } from "./sizing";
