/** The units of a WAPT server: what is asked of them, and the restart that several resources need. */
import type { Server } from "../services";
import { systemdProbe } from "../services/systemd/units";
import { hasRead, readersOf, waptRestart } from "../services/wapt/wapt";
import type { Step } from "../transaction/service";

/** Names and patterns of WAPT's units. */
export const WAPTS_UNITS = ["waptserver", "waptserver-*", "wapttasks", "wapttasks-*"] as const;

/** nginx's usual unit; the one of an nginx that serves by another unit is found by it. */
export const unitsProbe = systemdProbe(["nginx", ...WAPTS_UNITS]);

/** Whether a unit has a name as WAPT's units have. */
export const isNamedAsWapt = (name: string): boolean => /^wapt(?:server|tasks)(?:-|$)/.test(name);
const isUsual = (name: string): boolean => !name.includes("-");

/**
 * WAPT's units that are in use, those first that work for another: of several programs for one thing, such as
 * `waptserver-uwsgi`, those that run or are started at boot; the usual ones where none is.
 */
export function waptUnits({ systemd, root, wapt }: Server): string[] {
  const isWapts = (name: string) => isUsual(name) || wapt.units.some((unit) => unit.name === name);
  const all = systemd.names.filter((name) => isNamedAsWapt(name) && isWapts(name)).sort();
  const inUse = all.filter((name) => root !== "" || systemd(name).active || systemd(name).enabled);
  const usual = all.filter((name) => isUsual(name) && !inUse.some((one) => !isUsual(one) && kindOf(one) === name));
  return [...new Set([...inUse, ...usual])].sort((one, other) => rank(one) - rank(other));
}

const kindOf = (name: string): string => name.replace(/-.*/, "");
const rank = (name: string): number => (kindOf(name) === "wapttasks" ? 0 : 1);

/** Those that read the waptserver.ini that is managed. */
export function readers(server: Server): string[] {
  const names = readersOf(server.wapt);
  return waptUnits(server).filter((name) => names === undefined || names.includes(name));
}

/** The restart of all that is WAPT's; none where no service is touched. */
export function restartOfWapt(server: Server): Step[] {
  if (server.root !== "") return [];
  const units = waptUnits(server);
  return waptRestart(
    units,
    units.some((unit) => server.systemd(unit).active),
  );
}

/** Whether a unit of WAPT's runs with what it read before waptserver.ini was last changed. */
export function isStale(server: Server, unit: string): boolean {
  const { process } = server.systemd(unit);
  const { wapt, hashes } = server;
  return process !== undefined && !hasRead(wapt, hashes.get(wapt.tree.root), unit, process.start);
}
