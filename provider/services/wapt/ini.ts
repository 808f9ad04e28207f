/**
 * waptserver.ini and its like: lossless edits of what {@link parseIni} reads. Keys are `section.key`, such as
 * `options.db_max_connections`; the section is case-sensitive, the key is not.
 *
 * Of a value that ends with a note (`4096 ; raised in May`, an inline comment to Python 2 only), the note becomes a line
 * of its own above the key, for Python 3's int() crashes at it. Writing the value with its note back takes that line away
 * again. The notes of lines that an edit takes out stay as comment lines too.
 */
import { Draft } from "../../text/draft";
import { changed, type Format, FormatError, readEach, type Tree } from "../../text/format";
import { insertion, lineBreak, lineEnd, lineStart, removal } from "../../text/lines";
import type { Splice } from "../../text/splices";
import { DEFAULTS, type Ini, isPadded, parseIni, type Section, type Setting, valueIn } from "./ini-parser";

/** Settings of an ini file, without includes: of a tree, only the root is looked at. */
export const ini: Format = {
  /**
   * A value of several lines holds LF. Of several settings of one key the last counts; a key that its section lacks is
   * looked up in `[DEFAULT]`.
   * @throws FormatError where Python would not read the file, and where a key's section is missing.
   */
  read(tree, keys) {
    const names = new Map(keys.map((key) => [key, nameOf(tree, key)]));
    const text = textOf(tree);
    const parsed = parse(tree, text, [...names.values()]);
    return readEach(keys, (key) => {
      const name = names.get(key)!;
      sectionOf(tree, parsed, name);
      const setting = settingsOf(parsed, name).at(-1) ?? settingsOf(parsed, { ...name, section: DEFAULTS }).at(-1);
      return setting && { value: valueIn(text, setting), file: tree.root, line: setting.line };
    });
  },

  /**
   * Replaces a whole value, of several lines too; collapses several settings of one key into the last of them, even when
   * that holds the wanted value. `[DEFAULT]` is never edited, so null leaves what it says. A missing setting is inserted
   * behind the last of its section, in the style of its neighbours.
   * @throws FormatError as read does, and for a value that would not be read back as it is.
   */
  edit(tree, wanted) {
    const names = Object.keys(wanted).map((key) => nameOf(tree, key));
    let draft = Draft.of(textOf(tree));
    for (const [index, value] of Object.values(wanted).entries()) {
      const name = names[index]!;
      if (value !== null) refuseValue(tree, name, value);
      const { text } = draft;
      const parsed = parse(tree, text, names);
      const section = sectionOf(tree, parsed, name);
      const settings = settingsOf(parsed, name);
      if (value === null) draft = draft.with(taken(text, settings));
      else if (settings.length > 0) draft = draft.with(replaced(text, settings, value));
      else if (inherited(text, parsed, name) !== value)
        draft = draft.with([inserted(text, parsed, section, name, value)]);
    }
    return changed([[tree.root, draft]]);
  },
};

interface Name {
  readonly section: string;
  /** In lower case. */
  readonly key: string;
}

function nameOf(tree: Tree, asked: string): Name {
  const dot = asked.indexOf(".");
  const name = { section: asked.slice(0, Math.max(0, dot)), key: asked.slice(dot + 1).toLowerCase() };
  if (!/^[\w-]+$/.test(name.section) || name.section === DEFAULTS || !/^\w[\w.-]*$/.test(name.key)) {
    throw new FormatError(tree.root, 1, "a setting is asked for whose name is not of the form section.key");
  }
  return name;
}

function textOf(tree: Tree): string {
  const text = tree.files.get(tree.root);
  if (text === undefined) throw new FormatError(tree.root, 1, "this file does not exist; check its path");
  return text;
}

function parse(tree: Tree, text: string, names: readonly Name[]): Ini {
  const isManaged = (section: string, key: string) =>
    names.some((name) => name.section === section && name.key === key);
  return parseIni(tree.root, text, isManaged);
}

function sectionOf(tree: Tree, parsed: Ini, name: Name): Section {
  const section = parsed.sections.find((section) => section.name === name.section);
  if (section) return section;
  const problem = `Python finds no [${name.section}] section, so this is not the file of a WAPT server; check its path`;
  throw new FormatError(tree.root, 1, problem);
}

function settingsOf(parsed: Ini, name: Name): Setting[] {
  const sections = parsed.sections.filter((section) => section.name === name.section);
  return sections.flatMap((section) => section.settings.filter((setting) => setting.key === name.key));
}

function inherited(text: string, parsed: Ini, name: Name): string | undefined {
  const setting = settingsOf(parsed, { ...name, section: DEFAULTS }).at(-1);
  return setting && valueIn(text, setting);
}

/** Python strips lines, drops empty ones at the end, and passes over comment lines: such a value can't be written. */
function refuseValue(tree: Tree, name: Name, value: string): void {
  const lines = value.split("\n");
  const lossy = lines.some((line, index) => isPadded(line) || (index > 0 && /^[#;]/.test(line)));
  if (lossy || (lines.length > 1 && lines.at(-1) === "") || /[\r\u0100-\uffff]/.test(value)) {
    const problem = `the value wanted for ${name.section}.${name.key} can't be written so that Python reads the same`;
    throw new FormatError(tree.root, 1, `${problem}; want one without blanks around it`);
  }
}

/** All lines of the settings go; notes stay, as comment lines. */
function taken(text: string, settings: readonly Setting[]): Splice[] {
  return settings.flatMap((setting) => setting.lines.flatMap((_, index) => takenLine(text, setting, index)));
}

function takenLine(text: string, setting: Setting, index: number): Splice[] {
  const { start, end } = setting.lines[index]!;
  // An empty line in a value stays: no one can tell it from a line between two settings.
  if (index > 0 && start === end) return [];
  const line = lineStart(text, start);
  const note = noteOf(text.slice(start, end));
  return [note === "" ? removal(text, line) : { start: line, end, text: note }];
}

/** The last setting takes the value, the others go. */
function replaced(text: string, settings: readonly Setting[], value: string): Splice[] {
  const setting = settings.at(-1)!;
  const others = taken(text, settings.slice(0, -1));
  const old = valueIn(text, setting);
  if (old === value) return others;
  const { start, end } = setting.lines[0]!;
  const below = setting.lines.flatMap((_, index) => (index === 0 ? [] : takenLine(text, setting, index)));
  const written = { start, end, text: spelled(value, setting.indent, text, setting.start) };
  return [...others, ...movedNote(text, setting, value), written, ...below];
}

/** The note that the old value's first line has and the new one lacks goes above the key; the other way, from there. */
function movedNote(text: string, setting: Setting, value: string): Splice[] {
  const { start, end } = setting.lines[0]!;
  const before = noteOf(text.slice(start, end));
  const after = noteOf(value.split("\n", 1)[0]!);
  if (before === after) return [];
  const splices: Splice[] = [];
  const key = setting.start;
  if (before !== "") splices.push({ start: key, end: key, text: before + lineBreak(text, key) });
  const above = lineStart(text, key - 1);
  if (after !== "" && text.slice(above, key) === after + lineBreak(text, above)) splices.push(removal(text, above));
  return splices;
}

/** From the first `;` or `#` that stands behind a blank or a number's digits; without one, "". */
function noteOf(line: string): string {
  const sign = line.search(/[ \t\d][;#]/);
  return sign === -1 ? "" : line.slice(sign + 1);
}

function inserted(text: string, parsed: Ini, section: Section, name: Name, value: string): Splice {
  const last = section.settings.at(-1);
  // Deeper than the line before it, a setting would continue a value; less deep than a header below, it would be continued.
  const below = parsed.sections[parsed.sections.indexOf(section) + 1];
  const indent = last ? last.indent : (below?.indent ?? "");
  const lastLine = last?.lines.findLast((line) => line.end > line.start) ?? last?.lines[0];
  const start = lastLine ? lastLine.start : section.start;
  const line = `${indent}${name.key}${delimiterOf(section)}${spelled(value, indent, text, start)}`;
  return insertion(text, lineEnd(text, start), line);
}

/** The delimiter of the section's last setting that has a value on its key's line, without what aligns columns. */
function delimiterOf(section: Section): string {
  const neighbour = section.settings.findLast((setting) => setting.lines[0]!.end > setting.lines[0]!.start);
  if (!neighbour) return " = ";
  const [before, behind] = neighbour.delimiter.split(/[=:]/, 2) as [string, string];
  return `${before && " "}${neighbour.delimiter.includes("=") ? "=" : ":"}${behind && " "}`;
}

/** The lines of a value, all but the first indented deeper than the key. */
function spelled(value: string, indent: string, text: string, at: number): string {
  const lines = value.split("\n").map((line, index) => (index > 0 && line !== "" ? `${indent}    ${line}` : line));
  return lines.join(lineBreak(text, at));
}
