/** One simple directive of nginx: its value, and how that is spelled and respelled in the text. */
import { beforeBlanks, isTabOrSpace } from "../../text/blanks";
import { FormatError } from "../../text/format";
import type { Splice } from "../../text/splices";
import { argumentsOf, type Directive, errorAt } from "./configuration";
import { quoteOf, spelled, unquoted, type Word } from "./tokenizer";

/** Bytes; nginx's buffer of 4096 must hold an argument with its quotes and escapes. */
const LONGEST = 2000;

/** The arguments, unquoted, with one space between. */
export function joinedArguments({ source, statement }: Directive): string {
  return argumentsOf(source, statement).join(" ");
}

/**
 * Takes a wanted value apart; `file` and `line` are where it is to stand.
 * @throws FormatError for a value that does not come out of nginx's reader as it went in.
 */
export function argumentsIn(value: string, name: string, file: string, line: number): string[] {
  const refuse = (problem: string) => new FormatError(file, line, `the wanted value of "${name}" ${problem}`);
  if (/[^ -~\x80-\xff]/.test(value)) throw refuse("has a control character, or one that is no byte; remove it");
  const words = value.split(" ");
  if (words.includes("")) throw refuse("has an empty argument; put one space between arguments and none around them");
  if (words.some((word) => word.length > LONGEST)) throw refuse(`is longer than ${LONGEST} bytes; shorten it`);
  return words;
}

/** The text of a new directive. */
export function directiveText(name: string, words: readonly string[]): string {
  return `${[name, ...words.map((word) => spelled(word, ""))].join(" ")};`;
}

/** Respells the arguments that differ, adds those that are missing behind the last, takes out those that are too many. */
export function replaceArguments({ name, source, statement }: Directive, wanted: readonly string[]): Splice[] {
  const { text } = source;
  if (argumentsOf(source, statement).some((argument) => argument === "" || /[ \t\r\n]/.test(argument))) {
    throw errorAt(source, statement, `"${name}" has an empty argument or one with a blank; change it by hand`);
  }
  const splices: Splice[] = [];
  const words = statement.words;
  for (let at = 1; at < words.length; at++) {
    const word = words[at] as Word;
    const before = (words[at - 1] as Word).end;
    const argument = wanted[at - 1];
    if (argument === undefined)
      splices.push({ start: beforeBlanks(text, word.start, isTabOrSpace), end: word.end, text: "" });
    else if (argument !== unquoted(text, word)) splices.push(respelled(text, before, word, argument));
  }
  const last = words[words.length - 1] as Word;
  const more = wanted.slice(words.length - 1).map((argument) => ` ${spelled(argument, "")}`);
  if (more.length > 0) splices.push({ start: last.end, end: last.end, text: more.join("") });
  return splices;
}

/** Tells whether something but blanks stands between the words of a directive, or before its `;`. */
export function hasComment({ source, statement }: Directive): boolean {
  const ends = [...statement.words.slice(1).map(({ start }) => start), statement.end - 1];
  return statement.words.some((word, at) => source.text.slice(word.end, ends[at]).trim() !== "");
}

/** nginx lets an argument in quotes end right before one that begins with `)`; without it, they need a blank. */
function respelled(text: string, before: number, word: Word, argument: string): Splice {
  const blank = before === word.start ? " " : "";
  return { start: word.start, end: word.end, text: blank + spelled(argument, quoteOf(text, word)) };
}
