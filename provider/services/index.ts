/** The services of a WAPT server by name, and the one order in which a change of them is safe. */

import type { Observed } from "../transaction/server";
import type { Slot } from "../transaction/service";
import { kernel } from "./kernel/kernel";
import { nginx } from "./nginx/nginx";
import { postgresql } from "./postgresql/postgresql";
import { systemd } from "./systemd/units";
import { uploads } from "./uploads/uploads";
import { wapt } from "./wapt/wapt";

/** Safe for raising and for lowering: WAPT's pool never exceeds PostgreSQL while WAPT runs. */
const order: readonly Slot[] = [
  { put: "kernel" },
  { put: "systemd" },
  { step: "kernel sysctl" },
  { step: "systemd reload" },
  { step: "systemd limit" },
  { put: "nginx" },
  { step: "nginx reload" },
  { put: "postgresql" },
  { check: "postgresql check", by: { service: "postgresql", verb: "placed" } },
  { step: "wapt restart", by: { service: "systemd", verb: "stop" } },
  { step: "postgresql restart" },
  { put: "wapt" },
  { step: "systemd start" },
  { step: "wapt restart", by: { service: "systemd", verb: "start_again" } },
];

export const services = { byName: { kernel, systemd, nginx, uploads, postgresql, wapt }, order };

/** A server as its services say it is. */
export type Server = Observed<typeof services>;
