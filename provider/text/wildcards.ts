/**
 * Wildcards: one matcher for the two grammars in use. That of paths is glob(3)'s as the C library has it without flags (for
 * nginx and sysctl.d): `*`, `?` and `[…]` stay within one path component, none of them takes a leading dot,
 * `\` makes the next character an ordinary one. Left out are only collating symbols, `[[.a.]]` and `[[=a=]]`, and the
 * folders `.` and `..` that `.*` finds. That of names has `*` and `?` alone (ssh_config(5), PATTERNS).
 */

/** Tells whether a path has wildcards; any other path stands for itself, backslashes and all. */
export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/** A matcher of whole paths. Both the pattern and the paths should be normalized. */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const parts = pattern.split("/");
  const last = parts.length - 1;
  const components = parts.map((part, at) => fileNameMatcher(at < last ? withoutDangling(part) : part));
  return (path) => {
    const names = path.split("/");
    return names.length === components.length && names.every((name, at) => components[at]?.(name));
  };
}

/** A matcher of whole texts by `*` and `?`, which take any character. */
export function nameMatcher(pattern: string): (text: string) => boolean {
  const items = pattern.split("").map((character) => WILDCARDS[character] ?? ((other: string) => other === character));
  return (text) => matches(items, text);
}

/** A backslash right before a slash escapes only that. */
function withoutDangling(component: string): string {
  let run = 0;
  while (component.at(-run - 1) === "\\") run++;
  return run % 2 === 0 ? component : component.slice(0, -1);
}

/** One place of a pattern: any run of characters, or one character of a set. */
type Item = "any run" | ((character: string) => boolean);

const WILDCARDS: Readonly<Record<string, Item>> = { "*": "any run", "?": () => true };

/** A matcher of one component of a path. */
function fileNameMatcher(pattern: string): (name: string) => boolean {
  const items: Item[] = [];
  for (let at = 0; at < pattern.length; ) at = readItem(pattern, at, items);
  const dotted = pattern.startsWith(".") || pattern.startsWith("\\.");
  return (name) => (dotted || !name.startsWith(".")) && matches(items, name);
}

/** Adds the item at `at` and returns the place behind it. */
function readItem(pattern: string, at: number, items: Item[]): number {
  const character = pattern.charAt(at);
  const wildcard = WILDCARDS[character];
  if (wildcard) {
    items.push(wildcard);
    return at + 1;
  }
  const set = character === "[" ? readSet(pattern, at) : undefined;
  if (set) {
    items.push(set.has);
    return set.end;
  }
  const escaped = character === "\\";
  const literal = pattern[escaped ? at + 1 : at];
  // A backslash that ends the whole pattern escapes nothing: such a pattern matches no file.
  items.push((other) => other === literal);
  return at + (escaped ? 2 : 1);
}

/** Reads `[a-z]`, `[!a-z]`, `[^a-z]`; undefined when nothing closes the bracket, which then stands for itself. */
function readSet(pattern: string, start: number): { has: (character: string) => boolean; end: number } | undefined {
  const ranges: [string, string][] = [];
  const classes: ((character: string) => boolean)[] = [];
  const negated = pattern[start + 1] === "!" || pattern[start + 1] === "^";
  const first = start + (negated ? 2 : 1);
  for (let at = first; at < pattern.length; ) {
    if (pattern[at] === "]" && at > first) {
      const has = (one: string) =>
        ranges.some(([low, high]) => low <= one && one <= high) || classes.some((is) => is(one));
      return { has: negated ? (one) => !has(one) : has, end: at + 1 };
    }
    const named = characterClass(pattern, at);
    if (named) {
      classes.push(named.has);
      at = named.end;
      continue;
    }
    const low = setCharacter(pattern, at);
    // A range without its end makes the pattern match nothing.
    if (pattern[low.end] === "-" && low.end + 1 === pattern.length) return { has: () => false, end: pattern.length };
    const isRange = pattern[low.end] === "-" && pattern[low.end + 1] !== "]";
    const high = isRange ? setCharacter(pattern, low.end + 1) : low;
    ranges.push([low.character, high.character]);
    at = high.end;
  }
  return undefined;
}

function setCharacter(pattern: string, at: number): { character: string; end: number } {
  const escaped = pattern[at] === "\\" && at + 1 < pattern.length;
  const place = escaped ? at + 1 : at;
  return { character: pattern[place] ?? "", end: place + 1 };
}

/** POSIX's character classes in the C locale, nginx's. */
const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /[\x00-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[\t-\r ]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

function characterClass(pattern: string, at: number): { has: (character: string) => boolean; end: number } | undefined {
  if (!pattern.startsWith("[:", at)) return undefined;
  const close = pattern.indexOf(":]", at + 2);
  const members = CLASSES[pattern.slice(at + 2, close)];
  return close === -1 || !members ? undefined : { has: (one) => members.test(one), end: close + 2 };
}

/** Matches from the left; after a mismatch only the last run grows, so the time is at most items × characters. */
function matches(items: readonly Item[], name: string): boolean {
  let item = 0;
  let retryItem = -1;
  let retryName = 0;
  for (let at = 0; at < name.length; ) {
    const current = items[item];
    if (current === "any run") {
      retryItem = ++item;
      retryName = at;
    } else if (current?.(name.charAt(at))) {
      item++;
      at++;
    } else if (retryItem === -1) {
      return false;
    } else {
      item = retryItem;
      at = ++retryName;
    }
  }
  while (items[item] === "any run") item++;
  return item === items.length;
}
