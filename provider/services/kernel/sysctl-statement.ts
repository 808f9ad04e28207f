/**
 * The lines of a sysctl file that concern one key. The grammar is that of sysctl.d(5), sysctl.conf(5) and of what procps
 * 4.0 and systemd 252 were seen to do: one statement a line, no continuation, `#` or `;` as a line's first character for a
 * comment, `/` or `.` between the parts of a name (the first one found tells which), a leading `-` to ignore failure.
 */
import { posix } from "node:path";
import { beforeBlanks, behindBlanks, isLineBlank } from "../../text/blanks";
import { FormatError } from "../../text/format";
import type { SettingLine } from "../../text/line-format";
import { linesOf } from "../../text/lines";
import { isPattern, pathMatcher } from "../../text/wildcards";

/** A line that sets the key by name or by a pattern, or excludes it from patterns. */
export interface Statement extends SettingLine {
  readonly kind: "assignment" | "pattern" | "exclusion";
}

/** systemd gives up a file at a longer line, in bytes. */
const LONGEST_LINE = 1024 * 1024;

/** A line end for systemd or a blank for procps, and not the same to the other; a CR at a line's end is harmless. */
const ODD = /[\0\v\f\r]/;

/** The kernel takes the number and leaves what follows a blank: `512 # raised` is 512. */
const REMARK = /^(-?[0-9]+)[ \t]+[#;].*$/s;

/**
 * The statements about `key` (`net.core.somaxconn`) in file order.
 * @throws FormatError at a line about the key that procps and systemd read differently.
 */
export function statementsOf(file: string, text: string, key: string): Statement[] {
  const path = slashed(key);
  // Whatever the separators, a line without this and without a pattern's characters is about another key.
  const stem = /[^./]*$/.exec(key)![0];
  const odd = /[\0\v\f]|\r(?!\n)/.test(text);
  const statements: Statement[] = [];
  for (const { number, start, end } of linesOf(text)) {
    const line = text.slice(start, end);
    if (line.length > LONGEST_LINE) {
      throw new FormatError(file, number, "a line of more than 1 MiB, at which systemd-sysctl stops; shorten it");
    }
    const statement = line.includes(stem) || isPattern(line) ? statementIn(line, path) : undefined;
    if (odd) refuseOdd(file, number, line, key);
    if (statement === "doubtful") {
      const problem = `${key} in a spelling that sysctl and systemd-sysctl take differently`;
      throw new FormatError(file, number, `${problem}; use its dotted name, no blank or second dash behind a dash`);
    }
    if (statement) {
      const { kind, value, valueStart } = statement;
      const at = start + valueStart;
      const sets = kind === "assignment" ? [key] : [];
      statements.push({ kind, file, line: number, start, value, valueStart: at, valueEnd: at + value.length, sets });
    }
  }
  return statements;
}

/** A statement; its value's place is that in its line. */
type Parsed = Pick<Statement, "kind" | "value" | "valueStart">;

/** Refuses a line with odd characters if one of the two readers finds the key in it. */
function refuseOdd(file: string, number: number, line: string, key: string): void {
  if (!ODD.test(line.slice(0, beforeBlanks(line, line.length, isLineBlank)))) return;
  const views = [line.replace(/[\0\v\f\r]/g, " "), ...line.split(/[\0\r]+/)];
  if (views.every((view) => statementIn(view, slashed(key)) === undefined)) return;
  const problem = `${key} in a line with a control character, which sysctl and systemd-sysctl take differently`;
  throw new FormatError(file, number, `${problem}; remove that character`);
}

function statementIn(line: string, path: string): Parsed | "doubtful" | undefined {
  const begin = behindBlanks(line, 0, isLineBlank);
  const first = line[begin];
  if (first === "#" || first === ";") return undefined;
  const equals = line.indexOf("=", begin);
  if (equals === -1 && first !== "-") return undefined;
  const nameStart = first === "-" ? begin + 1 : begin;
  const nameEnd = beforeBlanks(line, equals === -1 ? line.length : equals, isLineBlank, nameStart);
  const name = line.slice(nameStart, nameEnd);
  const kind = meaning(name, path);
  if (!kind || kind === "doubtful") return kind;
  // An exclusion of a pattern does nothing in procps, and undoes that very pattern in systemd.
  if (equals === -1) return kind === "pattern" ? "doubtful" : { kind: "exclusion", value: "", valueStart: line.length };
  const valueStart = behindBlanks(line, equals + 1, isLineBlank);
  const value = line.slice(valueStart, beforeBlanks(line, line.length, isLineBlank, valueStart)).replace(REMARK, "$1");
  return { kind, value, valueStart };
}

/** What a name is to the key's path; doubtful is one that only some readers would take for it. */
function meaning(name: string, path: string): "assignment" | "pattern" | "doubtful" | undefined {
  const written = slashed(name);
  if (written === path) return "assignment";
  const normal = posix.normalize(`/${slashed(name.replace(/^[- \t]+/, ""))}`).slice(1);
  if (!isPattern(normal)) return normal === path ? "doubtful" : undefined;
  if (!pathMatcher(normal)(path)) return undefined;
  return normal === written ? "pattern" : "doubtful";
}

/** A name as a path below /proc/sys: where its first separator is a dot, dots and slashes change places. */
function slashed(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  return first === "." ? name.replace(/[./]/g, (separator) => (separator === "." ? "/" : ".")) : name;
}
