/** Values that a run would lower: a server may have more than its clients need, for a reason that only its administrator knows. */
import type { Server } from "../services";
import { harmless } from "../text/harmless";
import { fileValue, type Place, type Target } from "../transaction/target";

/** What WAPT's postconf writes, whatever the number of clients. */
const POSTCONF: Readonly<Record<string, string>> = {
  worker_connections: "4096",
  worker_rlimit_nofile: "32768",
  max_connections: "1000",
};

/** The argument that keeps a setting's value: its own name in camelCase. */
const argumentOf = (setting: string): string =>
  setting === "LimitNOFILE"
    ? "limitNofile"
    : setting.slice(setting.lastIndexOf(".") + 1).replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** Each value of a file that would become less, unless this package wrote it. */
export function loweredWarnings({ places }: Pick<Target, "places">, { record }: Pick<Server, "record">): string[] {
  const lowered = places.flatMap((place) => {
    const found = fileValue(place);
    const isLess = found !== null && /^\d+$/.test(found) && Number(found) > Number(place.value);
    return isLess && record[place.id]?.value !== found ? [{ place, found }] : [];
  });
  const bySetting = Map.groupBy(lowered, ({ place }) => place.setting);
  return [...bySetting.values()].map((all) => sentence(all[0]!.place, all[0]!.found));
}

function sentence(place: Place, found: string): string {
  const at = place.format.read(place.tree, [place.key])[place.key];
  const author = POSTCONF[place.setting] === found ? ", which WAPT's postconf wrote," : "";
  return (
    `preflight, lowered: ${place.setting} ${harmless(found)}${author} is more than these clients need and becomes ${place.value}` +
    `${at ? ` (${harmless(at.file)}:${at.line})` : ""}: keep it by ${argumentOf(place.setting)}: ${harmless(found)}, or accept: ["lowered"]`
  );
}
