/** Taking several lines out of a text at once. */
import { removal, type Splice } from "./lines";

/**
 * Takes out the lines that begin at `starts`, in ascending order, as if one after the other from the last: a file that
 * does not end with a line end does not get one.
 */
export function removals(text: string, starts: readonly number[]): Splice[] {
  let end = text.length;
  return starts.toReversed().map((start) => {
    const splice = removal(text.slice(0, end), start);
    if (splice.end === end) end = splice.start;
    return splice;
  });
}
