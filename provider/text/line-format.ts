/**
 * The editor of formats that have one statement a line: the last line that sets a key decides it, in the root file or in
 * one that is read later. A format adds its grammar: which lines set a key, and how and where a new one is written.
 */
import { Draft } from "./draft";
import type { Format, Found, Tree, Wanted } from "./format";
import { changed, FormatError, fileToEdit, isAfter, isOurs, readEach, textOf, withText } from "./format";
import { removal, removals } from "./lines";
import { type Splice, spliced } from "./splices";

/** A line that sets a key. */
export interface SettingLine extends Found {
  /** Where the line begins. */
  readonly start: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** The keys that it names; none of a pattern, to which any line that names the key is preferred. */
  readonly sets: readonly string[];
}

/** What tells one such format from another. Its functions throw nothing but {@link FormatError}. */
export interface Grammar<Line extends SettingLine> {
  /** The lines of the tree that name the key, in reading order. @throws for a key that no line can set. */
  lines(tree: Tree, key: string): readonly Line[];
  /** The line whose value the key gets. @throws as `lines` does. */
  deciding(tree: Tree, key: string): Line | undefined;
  isSame(one: string, other: string): boolean;
  /** Puts a line into a file of the tree. @throws where it would have no effect. */
  insertion(tree: Tree, file: string, key: string, value: string): Splice;
  /** Makes a line that names several keys name all but this one. */
  narrowed?(line: Line, key: string): Splice;
  /** The key as messages name it. */
  name(key: string): string;
  /** What to do about a value that no line can hold: `give a number`. */
  readonly remedy: string;
  /** What to do about a pattern that sets a key which no file shall set. */
  exclusion?(key: string): string;
}

/**
 * The wanted value goes into the deciding line, but where that is in a file that may not be edited, or names a key which is
 * to have another value: then, and where no line names the key, a line is added. For null all lines of ours go.
 *
 * An edit throws where a later file decides otherwise that can neither be edited nor overridden, for null where a line or a
 * pattern behind ours would still set the key, and for a value that no line can hold.
 */
export function lineFormat<Line extends SettingLine>(grammar: Grammar<Line>): Format {
  return {
    read: (tree, keys) => readEach(keys, (key) => grammar.deciding(tree, key)),
    edit: (tree, wanted) => changed(new Edit(grammar, tree, wanted).run()),
  };
}

class Edit<Line extends SettingLine> {
  private readonly drafts = new Map<string, Draft>();

  constructor(
    private readonly grammar: Grammar<Line>,
    private tree: Tree,
    private readonly wanted: Wanted,
  ) {}

  /** The files, edited. */
  run(): ReadonlyMap<string, Draft> {
    const keys = Object.keys(this.wanted);
    for (const key of keys) if (this.wanted[key] === null) this.without(key);
    for (const key of this.lastLineFirst(keys)) {
      const value = this.wanted[key];
      if (typeof value === "string") this.withValue(key, value);
    }
    return this.drafts;
  }

  private splice(file: string, splices: readonly Splice[]): void {
    const draft = (this.drafts.get(file) ?? Draft.of(textOf(this.tree, file))).with(splices);
    this.drafts.set(file, draft);
    this.tree = withText(this.tree, file, draft.text);
  }

  /** Sets the key to the value. */
  private withValue(key: string, value: string): void {
    const { grammar, tree } = this;
    const now = grammar.deciding(tree, key);
    if (now && grammar.isSame(now.value, value)) return;
    const file = fileFor(tree, now);
    if (now && file === undefined) {
      const problem = `sets ${grammar.name(key)} to ${now.value} after ${tree.root}`;
      throw new FormatError(now.file, now.line, `${problem}; remove this line or set ${value} here`);
    }
    const at = file ?? tree.root;
    const takes = now && now.file === at && this.mayTake(now, value);
    const splices = takes ? this.replaced(now, key, value) : [grammar.insertion(tree, at, key, value)];
    const after = withText(tree, at, spliced(textOf(tree, at), splices));
    if (grammar.deciding(after, key)?.value !== value || !/^[\0-\xff]*$/.test(value))
      throw new FormatError(at, 1, `${grammar.name(key)} can't be ${JSON.stringify(value)}; ${grammar.remedy}`);
    this.splice(at, splices);
  }

  /** Tells whether a line names no key that it decides and that is to have another value. */
  private mayTake(line: Line, value: string): boolean {
    const decides = (key: string) => {
      const now = this.grammar.deciding(this.tree, key);
      return now?.file === line.file && now.start === line.start;
    };
    return (
      isOwn(line) || (line.sets.length > 0 && line.sets.every((key) => this.wanted[key] === value && decides(key)))
    );
  }

  private replaced(now: Line, key: string, value: string): Splice[] {
    const { file, start, valueStart, valueEnd } = now;
    const text = textOf(this.tree, file);
    // A line that was added against one that may not be edited, and is to say the same, goes: so the old file is restored.
    const added = removal(text, start);
    const candidate = withText(this.tree, file, spliced(text, [added]));
    const remaining = this.grammar.deciding(candidate, key);
    const isEdited = remaining && isOwn(remaining) && fileFor(candidate, remaining) === remaining.file;
    const mayBeAdded = remaining?.value === value && !isEdited && fileFor(candidate, remaining) === file;
    const again = () => spliced(textOf(candidate, file), [this.grammar.insertion(candidate, file, key, now.value)]);
    if (mayBeAdded && again() === text) return [added];
    return [{ start: valueStart, end: valueEnd, text: value }];
  }

  /** Takes the key out of the files that are ours. */
  private without(key: string): void {
    const { grammar } = this;
    const lines = grammar.lines(this.tree, key).filter(({ file }) => isOurs(this.tree, file));
    for (const [file, own] of Map.groupBy(lines, (line) => line.file)) {
      const starts = own.filter(isOwn).map(({ start }) => start);
      const narrowed = own.flatMap((line) => (isOwn(line) ? [] : (grammar.narrowed?.(line, key) ?? [])));
      this.splice(file, [...narrowed, ...removals(textOf(this.tree, file), starts)]);
    }
    const still = grammar.deciding(this.tree, key);
    // What is read before ours was never ours to take out.
    if (!still || isAfter(this.tree, this.tree.root, still.file)) return;
    const remedy = (still.sets.length === 0 && grammar.exclusion?.(key)) || "remove this line";
    throw new FormatError(still.file, still.line, `sets ${grammar.name(key)}, which no file shall set; ${remedy}`);
  }

  /** What was added last is taken back first: only then does each earlier line stand where its insertion put it. */
  private lastLineFirst(keys: readonly string[]): string[] {
    const line = (key: string) => {
      const at = this.grammar.deciding(this.tree, key);
      return at && isOwn(at) ? at.line : 0;
    };
    const lines = new Map(keys.length < 2 ? [] : keys.map((key) => [key, line(key)]));
    return keys.toSorted((one, other) => lines.get(other)! - lines.get(one)!);
  }
}

/** Where a key that a line decides gets its value: a pattern loses to any line that names it. */
function fileFor(tree: Tree, now: SettingLine | undefined): string | undefined {
  return fileToEdit(tree, now && now.sets.length > 0 ? now.file : undefined);
}

/** Tells whether a line names one key alone. */
function isOwn(line: SettingLine): boolean {
  return line.sets.length === 1;
}
