/** Which new values turn a resource into another one: another server, another root, or another file. */
import type { Connection } from "../../ssh/connection";
import type { Properties } from "./inputs";
import { UNKNOWN } from "./unknown";

/** The arguments that say in which file a value is. */
const FILES = ["nginxConf", "postgresqlConf", "waptserverIni"] as const;

// Places have one name each, whatever file they are in: the old file gets its values back first.
export const otherFiles = (olds: Properties, news: Properties): string[] =>
  FILES.filter((name) => news[name] !== UNKNOWN && (olds[name] ?? "") !== (news[name] ?? ""));

/** The arguments of which another value is another resource. */
export const replacesOf = (olds: Properties, news: Properties): string[] => [
  ...elsewhere(olds, news),
  ...otherFiles(olds, news),
];

export const hostOf = ({ connection }: Properties): string | undefined => (connection as Connection | undefined)?.host;
const rootOf = ({ root }: Properties): unknown => root ?? "/";

/** A server of another name, or another root: another resource. */
function elsewhere(olds: Properties, news: Properties): string[] {
  const moved = news.connection !== UNKNOWN && hostOf(news) !== UNKNOWN && hostOf(olds) !== hostOf(news);
  return [...(moved ? ["connection"] : []), ...(rootOf(olds) !== rootOf(news) ? ["root"] : [])];
}
