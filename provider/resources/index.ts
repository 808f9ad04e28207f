/** The resources of this package; a further one is a file of its own and a line here. */
import type { Definition } from "./definition";
import { kernelLimits } from "./kernel-limits";
import { nginxTuning } from "./nginx-tuning";
import { postgresConnections } from "./postgres-connections";
import { proxyTempPath } from "./proxy-temp-path";
import { waptServerIni } from "./waptserver-ini";

export const definitions: readonly Definition[] = [
  kernelLimits,
  nginxTuning,
  postgresConnections,
  waptServerIni,
  proxyTempPath,
];
