/** How two texts differ, for edits that are to touch one place. */

/** The text between what both begin with and what both end with. */
export function oneChange(before: string, after: string): { readonly removed: string; readonly added: string } {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  return { removed: before.slice(head, before.length - tail), added: after.slice(head, after.length - tail) };
}
