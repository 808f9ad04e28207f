/** A whole WAPT server: the five resources as one. */
import { compose } from "./compose";
import type { SizedArguments } from "./definition";
import { type KernelLimitsArguments, type KernelLimitsSettings, kernelLimits } from "./kernel-limits";
import { type NginxTuningArguments, type NginxTuningSettings, nginxTuning } from "./nginx-tuning";
import {
  type PostgresConnectionsArguments,
  type PostgresConnectionsSettings,
  postgresConnections,
} from "./postgres-connections";
import { type ProxyTempPathSettings, proxyTempPath, type UploadsArguments } from "./proxy-temp-path";
import { type WaptServerIniArguments, type WaptServerIniSettings, waptServerIni } from "./waptserver-ini";

/** A whole server. */
export interface WaptServerArguments
  extends SizedArguments,
    KernelLimitsArguments,
    NginxTuningArguments,
    PostgresConnectionsArguments,
    WaptServerIniArguments {
  /** Where uploads lie until they are whole. Default: where they lie now. */
  uploads?: UploadsArguments;
  /** Parts to leave out, such as `["PostgresConnections"]` where the database is another machine's. Default: none. */
  omit?: ("KernelLimits" | "NginxTuning" | "PostgresConnections" | "WaptServerIni")[];
}

/** All settings of a server; those of parts that are left out are missing. */
export type WaptServerSettings = KernelLimitsSettings &
  NginxTuningSettings &
  Partial<ProxyTempPathSettings> &
  PostgresConnectionsSettings &
  WaptServerIniSettings;

export const waptServer = compose<WaptServerArguments, WaptServerSettings>("WaptServer", [
  { definition: kernelLimits },
  { definition: nginxTuning },
  { definition: proxyTempPath, under: "uploads" },
  { definition: postgresConnections },
  { definition: waptServerIni },
]);
