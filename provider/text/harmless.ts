/**
 * Text that a server says, or a file of it, as it may be shown on a terminal and in a CI's log: one line of bounded
 * length, in which control characters are visible and no CI finds a command of its own.
 */
import { isUtf8 } from "node:buffer";

const LONGEST = 600;

/** The same for a whole sentence that quotes such texts. */
export const harmlessSentence = (text: string): string => harmless(text, 2000);

export function harmless(text: string, longest = LONGEST): string {
  // What is cut off anyway is not looked at.
  const line = decoded(text.slice(0, 4 * longest))
    .replace(/\s*[\n\r\v\f\u0085\u2028\u2029]\s*/g, " ")
    .replace(HIDDEN, shown)
    .trim()
    .replace(COMMAND, (sign) => `${sign[0]}\\${sign.slice(1)}`)
    .replace(LEADING_COMMAND, "\\$&");
  return line.length > longest ? `${line.slice(0, longest).replace(/[\ud800-\udbff]$/, "")}…` : line;
}

/** All but the tab: control characters, what changes the direction of writing or takes no space, and halves of pairs. */
const HIDDEN = /(?!\t)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function shown(character: string): string {
  const code = character.codePointAt(0)!.toString(16);
  return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, "0")}`;
}

/** Wherever they stand in a line: `##vso[`, `##teamcity[`, `##[` (Azure, TeamCity, GitHub), `section_start:` (GitLab). */
const COMMAND = /##(?=\w*\[)|section_(?:start|end)(?=:\d)|travis_(?=fold|time)/gi;

/** At the beginning of a line: `::error::` (GitHub), `--- ` and its like (Buildkite). */
const LEADING_COMMAND = /^(?:::|---|\+\+\+|~~~|\^\^\^)/;

/** Texts of the server's files are bytes, one a character: UTF-8 becomes readable. */
function decoded(text: string): string {
  if (!/[\x80-\xff]/.test(text) || /[^\0-\xff]/.test(text)) return text;
  const bytes = Buffer.from(text, "latin1");
  return isUtf8(bytes) ? bytes.toString() : text;
}
