/** The resources of this package; a further one is a file of its own and a line here. */
import type { AnyDefinition } from "./definition";
import { kernelLimits } from "./kernel-limits";
import { nginxTuning } from "./nginx-tuning";
import { postgresConnections } from "./postgres-connections";
import { proxyTempPath } from "./proxy-temp-path";
import { waptServer } from "./wapt-server";
import { waptServerIni } from "./waptserver-ini";

export const definitions: readonly AnyDefinition[] = [
  waptServer,
  kernelLimits,
  nginxTuning,
  proxyTempPath,
  postgresConnections,
  waptServerIni,
];
