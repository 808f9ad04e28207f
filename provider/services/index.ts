/** The services of a WAPT server by name, and the one order in which a change of them is safe. */

import type { Observed } from "../transaction/server";
import type { Slot } from "../transaction/service";
import { headroom } from "./headroom/headroom";
import { kernel } from "./kernel/kernel";
import { nginx } from "./nginx/nginx";
import { postgresql } from "./postgresql/postgresql";
import { selinux } from "./selinux/selinux";
import { systemd } from "./systemd/units";
import { uploads } from "./uploads/uploads";
import { wapt } from "./wapt/wapt";

/**
 * Safe for raising and for lowering, and after a crash at any point: what a lower max_connections would be too small for
 * comes first, and what it must be raised for comes behind PostgreSQL's restart. WAPT is down while PostgreSQL's file and
 * process may differ.
 */
const order: readonly Slot[] = [
  { first: true },
  { put: "kernel" },
  { step: "kernel login" },
  { put: "systemd" },
  { step: "kernel sysctl" },
  { step: "systemd reload" },
  { step: "systemd limit" },
  { step: "selinux boolean" },
  { put: "nginx" },
  { step: "nginx reload" },
  { step: "nginx queue" },
  { step: "wapt restart", by: { service: "systemd", verb: "stop" } },
  { put: "postgresql" },
  { check: "postgresql check", by: { service: "postgresql", verb: "placed" } },
  { step: "postgresql restart" },
  { put: "wapt" },
  { step: "systemd start" },
  { step: "wapt restart", by: { service: "systemd", verb: "start_again" } },
  { step: "wapt restart", by: { service: "wapt", verb: "started" } },
];

/** By name, in the order in which they are asked: systemd's probe takes the unit of the nginx that serves, if it is known. */
export const services = { byName: { kernel, nginx, selinux, systemd, uploads, postgresql, wapt, headroom }, order };

/** A server as its services say it is. */
export type Server = Observed<typeof services>;
