/** Lists of patterns as OpenSSH has them in `Host`, `Match` and known_hosts (ssh_config(5), PATTERNS): a leading `!` negates. */
import { nameMatcher } from "../text/wildcards";

/** Whether some pattern fits and no negated one does. */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  let fits = false;
  for (const pattern of patterns) {
    if (!pattern.startsWith("!")) fits ||= nameMatcher(pattern)(text);
    else if (nameMatcher(pattern.slice(1))(text)) return false;
  }
  return fits;
}
