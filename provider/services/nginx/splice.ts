/**
 * Where a directive is inserted into nginx's text and how it is removed again. Both are exact opposites: what an
 * insertion adds, the removal of that directive takes away, and no other byte.
 */
import { beforeBlanks, behindBlanks, isLineBlank, isSpace, isTabOrSpace } from "../../text/blanks";
import { lineBreak, lineEnd, lineStart } from "../../text/lines";
import type { Splice } from "../../text/splices";
import type { Block, Source } from "./configuration";
import type { Statement } from "./tokenizer";

/** Indentation of a block's first directive where the file shows none. */
const INDENT = "    ";

/** Takes a directive out: with its lines if nothing else stands on them, else with one blank beside it. */
export function removeDirective({ text }: Source, { start, end }: Statement): Splice {
  const first = lineStart(text, start);
  const behind = lineEnd(text, end);
  const leads = isEmpty(text, first, start);
  if (leads && isEmpty(text, end, behind)) return { start: first, end: behind, text: "" };
  // What follows the first directive of a line takes over its indentation.
  if (leads && blankAt(text, end)) return { start, end: end + 1, text: "" };
  return { start: start - blankAt(text, start - 1).length, end, text: "" };
}

/** Puts a directive (its text, `;` included) into a block that its source opens. */
export function insertDirective(block: Block, name: string, directive: string): Splice {
  const { source, opening } = block;
  const siblings = simpleChildren(source, opening);
  const family = name.split("_")[0];
  const kin = siblings.filter((one) => nameOf(source, one).split("_")[0] === family).at(-1);
  const sibling = kin ?? (block.parent ? undefined : siblings.findLast((one) => nameOf(source, one) === "user"));
  if (sibling) return behindSibling(source.text, sibling, directive);
  return block.parent ? atTop(source, opening, directive) : beforeBlocks(source, directive);
}

/** The name as it is written; one in quotes is no neighbour worth finding. */
function nameOf(source: Source, { words: [name] }: Statement): string {
  return name ? source.text.slice(name.start, name.end) : "";
}

/** The simple directives directly in a block (opening -1: in the file), as far as they stand in the same file. */
function simpleChildren(source: Source, opening: number): Statement[] {
  const children: Statement[] = [];
  let depth = 0;
  for (let at = opening + 1; at < source.statements.length && depth >= 0; at++) {
    const statement = source.statements[at] as Statement;
    if (statement.kind === "block") depth++;
    else if (statement.kind === "close") depth--;
    else if (depth === 0) children.push(statement);
  }
  return children;
}

function behindSibling(text: string, sibling: Statement, directive: string): Splice {
  const begin = lineStart(text, sibling.start);
  const indent = text.slice(begin, sibling.start);
  if (isEmpty(text, begin, sibling.start) && endsLine(text, sibling.end)) {
    const next = lineEnd(text, sibling.end);
    // The last line of a file may lack its line end: then the new line goes before it.
    return text[next - 1] === "\n"
      ? insert(next, indent + directive + lineBreak(text, begin))
      : insert(begin, indent + directive + lineBreak(text, begin));
  }
  const blank = blankAt(text, sibling.start - 1) || blankAt(text, sibling.end);
  return insert(sibling.end, blank + directive);
}

/** The first line of a block, or the first place behind the brace if more follows it on its line. */
function atTop(source: Source, opening: number, directive: string): Splice {
  const { text, statements } = source;
  const { start, end } = statements[opening] as Statement;
  if (!endsLine(text, end)) return insert(end, blankAt(text, end) + directive);
  const child = statements[opening + 1] as Statement;
  const indent = child.kind === "close" ? indentAt(text, start) + indentUnit(source) : indentAt(text, child.start);
  return insert(lineEnd(text, end), indent + directive + lineBreak(text, end));
}

/** A line of its own before the events block, comments on the block staying with it; else before the first statement. */
function beforeBlocks(source: Source, directive: string): Splice {
  const { text, statements } = source;
  let depth = 0;
  let previous = 0;
  for (const statement of statements) {
    if (statement.kind === "block" && depth === 0 && nameOf(source, statement) === "events") {
      const begin = lineStart(text, statement.start);
      if (isEmpty(text, begin, statement.start)) {
        const line = text.slice(begin, statement.start) + directive + lineBreak(text, begin);
        return insert(aboveComments(text, begin, previous), line);
      }
    }
    depth += statement.kind === "block" ? 1 : statement.kind === "close" ? -1 : 0;
    previous = statement.end;
  }
  // A configuration without any statement has no events block, and so is refused before.
  const begin = lineStart(text, (statements[0] as Statement).start);
  return insert(begin, indentAt(text, begin) + directive + lineBreak(text, begin));
}

/** The start of the comment lines that stand right above a line, unless they are the head of the file. */
function aboveComments(text: string, line: number, limit: number): number {
  let at = line;
  while (at > limit) {
    const above = lineStart(text, at - 1);
    if (above < limit || text[behindBlanks(text, above, isLineBlank)] !== "#") return at;
    at = above;
  }
  return line;
}

function insert(at: number, text: string): Splice {
  return { start: at, end: at, text };
}

/** What one level of indentation is in this file: that of its first indented directive. */
function indentUnit({ text, statements }: Source): string {
  let depth = 0;
  for (const { kind, start } of statements) {
    if (kind === "close") depth--;
    const indent = depth === 1 && kind !== "close" ? indentBefore(text, start) : "";
    if (indent !== "") return indent;
    if (kind === "block") depth++;
  }
  return INDENT;
}

/** The blanks between the line's start and `offset`; "" if something else stands there. Looks at no more than blanks. */
function indentBefore(text: string, offset: number): string {
  const at = beforeBlanks(text, offset, isTabOrSpace);
  return at === 0 || text[at - 1] === "\n" ? text.slice(at, offset) : "";
}

function indentAt(text: string, offset: number): string {
  const begin = lineStart(text, offset);
  return text.slice(begin, behindBlanks(text, begin, isLineBlank));
}

/** Tells whether only blanks or a comment follow up to the line's end. */
function endsLine(text: string, offset: number): boolean {
  const next = text[behindBlanks(text, offset, isLineBlank)];
  return next === undefined || next === "\n" || next === "#";
}

/** Tells whether only spaces, tabs and line ends stand there. */
function isEmpty(text: string, start: number, end: number): boolean {
  return behindBlanks(text, start, isSpace, end) >= end;
}

function blankAt(text: string, offset: number): string {
  return isTabOrSpace(text.charCodeAt(offset)) ? text.charAt(offset) : "";
}
