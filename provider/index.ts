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
} from "./pulumi/program/arguments";
export {
  KernelLimits,
  NginxTuning,
  PostgresConnections,
  ProxyTempPath,
  WaptServerIni,
} from "./pulumi/program/resources";
export { WaptServer } from "./pulumi/program/wapt-server";
export type { Settings } from "./resources/definition";
export { type Sizes, SizingError, sizing } from "./sizing";
