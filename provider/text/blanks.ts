/** Runs of blanks. What is a blank depends on who reads the file, so each format names its own. */

/** Tells whether a character's code is a blank; NaN, what stands behind a text's end, is none. */
export type IsBlank = (code: number) => boolean;

/** A space or a tab. */
export const isTabOrSpace: IsBlank = (code) => code === 0x20 || code === 0x09;

/** Those, and the CR of a line's end: the blanks within a line. */
export const isLineBlank: IsBlank = (code) => isTabOrSpace(code) || code === 0x0d;

/** Those, and LF. */
export const isSpace: IsBlank = (code) => isLineBlank(code) || code === 0x0a;

/** Those, and vertical tab and form feed: the white space of C's isspace. */
export const isSpaceOfC: IsBlank = (code) => code === 0x20 || (code >= 0x09 && code <= 0x0d);

/** Where the blanks end that begin at `from`. */
export function behindBlanks(text: string, from: number, isBlank: IsBlank, end = text.length): number {
  let at = from;
  while (at < end && isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** Where the blanks begin that end at `end`. */
export function beforeBlanks(text: string, end: number, isBlank: IsBlank, from = 0): number {
  let at = end;
  while (at > from && isBlank(text.charCodeAt(at - 1))) at--;
  return at;
}
