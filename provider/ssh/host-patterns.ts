/**
 * Wildcards as OpenSSH has them in `Host`, `Match` and known_hosts (ssh_config(5), PATTERNS): `*` is any number of
 * characters, `?` exactly one, and a leading `!` negates.
 */

/** Whether the whole text fits the pattern. Takes at most pattern × text steps. */
export function matchesPattern(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      // Let the last star take one character more; earlier stars never need another try.
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Whether some pattern fits and no negated one does. */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  let fits = false;
  for (const pattern of patterns) {
    if (!pattern.startsWith("!")) fits ||= matchesPattern(pattern, text);
    else if (matchesPattern(pattern.slice(1), text)) return false;
  }
  return fits;
}
