/** The units of a WAPT server: what is asked of them, and the restart that several resources need. */
import type { Server } from "../services";
import { systemdProbe } from "../services/systemd/units";
import { hasRead, WAPT_UNITS, waptRestart } from "../services/wapt/wapt";
import type { Step } from "../transaction/service";

export const UNITS = ["nginx", "waptserver", "wapttasks"] as const;

export const unitsProbe = systemdProbe(UNITS);

/** Of those of WAPT's units that are installed; none where no service is touched. */
export function restartOfWapt(server: Server): Step[] {
  if (server.root !== "") return [];
  const units = WAPT_UNITS.filter((unit) => server.systemd(unit).installed);
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
