/** What an observed server says of a resource, as it is stored: pure. */

import type { Settings } from "../../resources/definition";
import type { Server } from "../../transaction/observation";
import { folderStands } from "../../transaction/plan";
import { fileValue, standing, type Target } from "../../transaction/target";
import { typed } from "./inputs";

/** What stood there first: as the record remembers it, else as it stands. */
export function beforeOf(target: Target, server: Server): { before: Settings; unset: string[] } {
  const before: Record<string, number | string> = {};
  const unset: string[] = [];
  for (const place of target.places) {
    const entry = server.record[place.id];
    const file = entry ? entry.before : fileValue(place);
    const value = file ?? (entry ? entry.running : place.running);
    if (file === null) unset.push(place.id);
    if (value !== undefined) before[place.id] = typed(value);
  }
  return { before, unset };
}

/** Each setting's value on the server: the first one that differs where several places hold it; none where one has none. */
export function observedSettings(target: Target): Settings {
  const values: Record<string, number | string> = {};
  const missing = new Set<string>();
  for (const place of target.places) {
    const value = standing(place);
    if (value === undefined) missing.add(place.setting);
    else if (values[place.setting] === undefined || value !== place.value) values[place.setting] = typed(value);
  }
  return Object.fromEntries(Object.entries(values).filter(([setting]) => !missing.has(setting)));
}

/** What a server still runs with an old value, or has still to be made. */
export function pendingOf(target: Target, server: Server): string[] {
  const pending = new Set((target.needs ?? []).map((need) => need.what));
  if (target.folder && !folderStands(server, target.folder)) {
    pending.add(`the folder ${target.folder.path} (mode ${target.folder.mode}, owner ${target.folder.owner})`);
  }
  const names = target.places.flatMap((place) => place.actions(place.value).map((action) => action.name));
  for (const name of server.pending) if ((names as string[]).includes(name)) pending.add(name);
  if (names.includes("wapt restart")) for (const unit of server.stopped) pending.add(`start ${unit}`);
  return [...pending];
}
