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
  const lowered = places.filter((place) => {
    const found = fileValue(place);
    const isLess = found !== null && /^\d+$/.test(found) && Number(found) > Number(place.value);
    return isLess && record[place.id]?.value !== found;
  });
  const bySetting = Map.groupBy(lowered, ({ setting }) => setting);
  return [...bySetting.values()].map((all) => sentence(all[0]!));
}

function sentence({ setting, value, format, tree, key }: Place): string {
  const { value: found, file, line } = format.read(tree, [key])[key]!;
  const author = POSTCONF[setting] === found ? ", which WAPT's postconf wrote," : "";
  return (
    `preflight, lowered: ${setting} ${found}${author} is more than these clients need and becomes ${value}` +
    ` (${harmless(file)}:${line}): keep it by ${argumentOf(setting)}: ${found}, or accept: ["lowered"]`
  );
}
