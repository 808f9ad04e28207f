/**
 * The editor of formats that have one statement a line: the last line that sets a key decides it, in the root file or in
 * one that is read later. A format adds its grammar: which lines set a key, and how and where a new one is written.
 */
import type { Format, Found, Tree, Wanted } from "./format";
import { changedRoot, FormatError, readEach, rootText, withRoot } from "./format";
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
  /** Puts a line into the root file. @throws where it would have no effect. */
  insertion(tree: Tree, key: string, value: string): Splice;
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
 * The wanted value goes into the deciding line, but where that names a key which is to have another value: then, and where
 * no line names the key, a line is added. For null all lines that name the key go.
 *
 * An edit throws where a later file decides otherwise, for null where a pattern would still set the key, and for a value
 * that no line can hold.
 */
export function lineFormat<Line extends SettingLine>(grammar: Grammar<Line>): Format {
  return {
    read: (tree, keys) => readEach(keys, (key) => grammar.deciding(tree, key)),
    edit: (tree, wanted) => changedRoot(tree, new Edit(grammar, tree, wanted).run()),
  };
}

class Edit<Line extends SettingLine> {
  constructor(
    private readonly grammar: Grammar<Line>,
    private tree: Tree,
    private readonly wanted: Wanted,
  ) {}

  run(): Tree {
    const keys = Object.keys(this.wanted);
    for (const key of keys) if (this.wanted[key] === null) this.become(this.without(key));
    for (const key of this.lastLineFirst(keys)) {
      const value = this.wanted[key];
      if (typeof value === "string") this.become(this.withValue(key, value));
    }
    return this.tree;
  }

  private become(text: string): void {
    this.tree = withRoot(this.tree, text);
  }

  /** The root file's text with the key set to the value. */
  private withValue(key: string, value: string): string {
    const { grammar, tree } = this;
    const now = grammar.deciding(tree, key);
    if (now && grammar.isSame(now.value, value)) return rootText(tree);
    if (now && now.sets.length > 0 && now.file !== tree.root) {
      const problem = `sets ${grammar.name(key)} to ${now.value} after ${tree.root}`;
      throw new FormatError(now.file, now.line, `${problem}; remove this line or set ${value} here`);
    }
    const text = now && this.mayTake(now, value) ? this.replaced(now, key, value) : this.inserted(tree, key, value);
    if (grammar.deciding(withRoot(tree, text), key)?.value === value && /^[\0-\xff]*$/.test(value)) return text;
    throw new FormatError(tree.root, 1, `${grammar.name(key)} can't be ${JSON.stringify(value)}; ${grammar.remedy}`);
  }

  /** Tells whether a line names no key that it decides and that is to have another value. */
  private mayTake(line: Line, value: string): boolean {
    const decides = (key: string) => this.grammar.deciding(this.tree, key)?.start === line.start;
    return (
      isOwn(line) || (line.sets.length > 0 && line.sets.every((key) => this.wanted[key] === value && decides(key)))
    );
  }

  private inserted(tree: Tree, key: string, value: string): string {
    return spliced(rootText(tree), [this.grammar.insertion(tree, key, value)]);
  }

  private replaced(now: Line, key: string, value: string): string {
    const { start, valueStart, valueEnd } = now;
    const text = rootText(this.tree);
    // A line that was added against one that is not the key's own, and is to say the same, goes: so the old file is restored.
    const candidate = withRoot(this.tree, spliced(text, [removal(text, start)]));
    const remaining = this.grammar.deciding(candidate, key);
    const isAdded = remaining && !isOwn(remaining) && remaining.value === value;
    if (isAdded && this.inserted(candidate, key, now.value) === text) return rootText(candidate);
    return spliced(text, [{ start: valueStart, end: valueEnd, text: value }]);
  }

  /** The root file's text without the key. */
  private without(key: string): string {
    const { grammar, tree } = this;
    const lines = grammar.lines(tree, key).filter(({ file }) => file === tree.root);
    const starts = lines.filter(isOwn).map(({ start }) => start);
    const narrowed = lines.flatMap((line) => (isOwn(line) ? [] : (grammar.narrowed?.(line, key) ?? [])));
    const text = spliced(rootText(tree), [...narrowed, ...removals(rootText(tree), starts)]);
    const still = grammar.deciding(withRoot(tree, text), key);
    if (!still) return text;
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

/** Tells whether a line names one key alone. */
function isOwn(line: SettingLine): boolean {
  return line.sets.length === 1;
}
