/** Names that do not exist, and the one that was meant. */

/** The name that a word was most likely meant to be; undefined where none is near. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_ ]/g, "");
  const typed = plain(word);
  const ranked = names
    .map((name) => ({ name, distance: distance(typed, plain(name)), begins: begins(typed, plain(name)) }))
    .sort((one, other) => one.distance - other.distance);
  const best = ranked[0];
  if (best && best.distance <= Math.max(1, Math.floor(typed.length / 3))) return best.name;
  return ranked.find((one) => one.begins)?.name;
}

/** A word that is most of a name, such as Postgres of PostgresConnections. */
const begins = (typed: string, name: string): boolean => typed.length >= 4 && name.startsWith(typed);

/** A sentence for words that are no names: which were meant, or all that there are. */
export function notAName(what: string, words: readonly string[], names: readonly string[]): string {
  const meant = words.map((word) => nearest(word, names));
  const isKnown = meant.length > 0 && meant.every((name) => name !== undefined);
  return `no such ${what}${isKnown ? `: did you mean ${meant.join(" and ")}?` : `; there are ${names.join(", ")}`}`;
}

/** How many letters differ: inserted, left out, changed, or two of them swapped. */
function distance(one: string, other: string): number {
  const rows: number[][] = [Array.from({ length: other.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      const steps = [rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (isSame ? 0 : 1)];
      // Before a first letter there is none: undefined is no letter.
      const isSwapped = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (isSwapped) steps.push(rows[i - 2]![j - 2]! + 1);
      row.push(Math.min(...steps));
    }
    rows.push(row);
  }
  return rows[one.length]![other.length]!;
}
