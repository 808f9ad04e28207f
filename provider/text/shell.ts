/** Words and calls for a POSIX shell. */

/** A word that sh takes as it is. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A call of a function or command with words. */
export const call = (name: string, ...words: readonly string[]): string => [name, ...words.map(quote)].join(" ");
