/** Which services a run restarts: what a person wants to know before it. */

/** Settings whose change restarts something; a reload drops nobody and is not in it. */
const BY_SETTING: Readonly<Record<string, readonly string[]>> = {
  max_connections: ["PostgreSQL", "WAPT"],
  db_max_connections: ["WAPT"],
  max_clients: ["WAPT"],
};

/** A limit of open files restarts WAPT only where its processes have less. */
const LIMIT = "LimitNOFILE";

interface Changed {
  readonly setting: string;
  readonly present: string | null;
  readonly wanted: string | null;
}

/** @param due what runs with an old value, in the provider's words. */
export function restartsOf(changes: readonly Changed[], due: readonly string[]): string[] {
  const settings = changes.flatMap(({ setting }) => BY_SETTING[setting] ?? []);
  const raised = changes.some(({ setting, present, wanted }) => setting === LIMIT && Number(wanted) > Number(present));
  const isDue = due.some((what) => /wapt\S* (was started before|runs with)/.test(what));
  return [...new Set([...settings, ...(raised || isDue ? ["WAPT"] : [])])].sort();
}
