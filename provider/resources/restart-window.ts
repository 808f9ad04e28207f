/** When a change may restart PostgreSQL and WAPT, since each PC loses its connection then. */
import { z } from "zod";
import { notAName } from "../text/nearest";

/** Hours of the day in which PostgreSQL and WAPT may be restarted. */
export interface RestartWindow {
  /** From when to when, such as `"22:00-05:00"`: the second time is no longer in it, and may be the next day's. */
  between: string;
  /** Whose clock that is, by its IANA name, such as `"Europe/Paris"`. */
  zone: string;
}

export type Restart = "as needed" | "never" | RestartWindow;

const NAMES = ["between", "zone"];
const HOURS = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

/** What is wrong with a value of `restart`; undefined where it is right. */
function wrong(value: unknown): string | undefined {
  if (value === "as needed" || value === "never") return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return 'restart is "as needed", "never", or hours such as { between: "22:00-05:00", zone: "Europe/Paris" }';
  const { between, zone, ...others } = value as Record<string, unknown>;
  const unknown = Object.keys(others);
  if (unknown.length > 0) return `${unknown.join(", ")}: ${notAName("part of restart's hours", unknown, NAMES)}`;
  const [begin, end] = typeof between === "string" && HOURS.test(between) ? between.split("-") : [];
  if (begin === undefined || begin === end) return 'restart.between is two times of a day, such as "22:00-05:00"';
  if (typeof zone !== "string" || !isZone(zone))
    return 'restart.zone is a time zone by its IANA name, such as "Europe/Paris" or "UTC"';
  return undefined;
}

function isZone(name: string): boolean {
  try {
    timeIn(name, new Date());
    // An offset such as +01:00 has no summer time.
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

export const restartSchema = z.custom<Restart>((value) => wrong(value) === undefined, {
  error: ({ input }) => wrong(input),
});

/** The time of the day there, such as "22:05". */
const timeIn = (timeZone: string, now: Date): string =>
  new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(now);

/** Whether a run may restart anything now, and else why not. */
export function restartNow(restart: Restart | undefined, now: Date): { mayRestart: boolean; later?: string } {
  if (restart === undefined || restart === "as needed") return { mayRestart: true };
  if (restart === "never") return { mayRestart: false, later: 'restart is "never"' };
  const { between, zone } = restart;
  const [begin = "", end = ""] = between.split("-");
  const time = timeIn(zone, now);
  const mayRestart = begin < end ? begin <= time && time < end : begin <= time || time < end;
  const later = `restart is from ${begin} to ${end} ${zone} alone: an up in these hours does it`;
  return mayRestart ? { mayRestart } : { mayRestart, later };
}
