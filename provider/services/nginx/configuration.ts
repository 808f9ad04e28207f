/**
 * The configuration that nginx reads: its root file and what that includes, walked in nginx's order, each statement in
 * the block that it really stands in.
 */
import { posix } from "node:path";
import { FormatError, type Tree } from "../../text/format";
import { lineIndex } from "../../text/lines";
import { isPattern, pathMatcher } from "../../text/wildcards";
import { type Statement, tokenize, unquoted } from "./tokenizer";

/** A file and its statements. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly statements: readonly Statement[];
  /** The line, from 1, of a place in the text. */
  readonly lineAt: (offset: number) => number;
}

/** A place where directives stand: a block, or the main context, which has no parent and no opening statement. */
export interface Block {
  readonly name: string;
  readonly parent: Block | undefined;
  /** The file that opens it; its directives may stand in included files. */
  readonly source: Source;
  /** The index of its opening statement in the source. */
  readonly opening: number;
}

/** A simple directive where nginx meets it; a file included twice gives two of each. */
export interface Directive {
  readonly name: string;
  readonly source: Source;
  readonly statement: Statement;
  readonly block: Block;
}

/** What a walk found of the names that it was asked for, in nginx's order. */
export interface Configuration {
  readonly main: Block;
  readonly blocks: readonly Block[];
  readonly directives: readonly Directive[];
  /** How often nginx reads a file. */
  readonly readings: ReadonlyMap<string, number>;
}

/** Blocks that hold free words instead of directives. */
const FREE_WORDS: ReadonlySet<string> = new Set(["types", "map", "geo", "split_clients", "charset_map"]);
/** Those of them in which `include` is a word like any other, or (geo) may mean a compiled file. */
const NO_INCLUDES: ReadonlySet<string> = new Set(["geo", "split_clients", "charset_map"]);
/** More than any server has; files that include others twice, and so on, would have no end. */
const MOST_READINGS = 100_000;

/** The arguments of a directive as nginx takes them. */
export function argumentsOf(source: Source, statement: Statement): string[] {
  return statement.words.slice(1).map((word) => unquoted(source.text, word));
}

/** The names of the blocks around a directive that stands in `block`, outermost first; none in the main context. */
export function contextOf(block: Block): string[] {
  const names: string[] = [];
  for (let outer: Block | undefined = block; outer?.parent; outer = outer.parent) names.push(outer.name);
  return names.reverse();
}

/** Tells whether {@link contextOf} a block is exactly these names. */
export function hasContext(block: Block, names: readonly string[]): boolean {
  let outer: Block = block;
  for (const name of names.toReversed()) {
    if (!outer.parent || outer.name !== name) return false;
    outer = outer.parent;
  }
  return !outer.parent;
}

/** An error about a statement, by its first line. */
export function errorAt(source: Source, statement: Statement, problem: string): FormatError {
  return new FormatError(source.path, source.lineAt(statement.start), problem);
}

/**
 * Walks the tree for blocks and simple directives by name. A root that is not in the tree is read as an empty file.
 * @throws FormatError where nginx would stop for the syntax, a missing or circular include, or a second `events` or
 * `http` block.
 */
export function walk(tree: Tree, names: ReadonlySet<string>): Configuration {
  const known = walks.get(tree.files) ?? { sources: new Map(), configurations: new Map() };
  walks.set(tree.files, known);
  const asked = JSON.stringify([tree.root, ...[...names].sort()]);
  const configuration = known.configurations.get(asked) ?? new Walk(tree, names, known.sources).run();
  known.configurations.set(asked, configuration);
  return configuration;
}

/** One set of files is asked many times over, for each setting and by each check. */
interface Known {
  readonly sources: Map<string, Source>;
  readonly configurations: Map<string, Configuration>;
}
const walks = new WeakMap<ReadonlyMap<string, string>, Known>();

/** A file that is being read. */
interface Reading {
  readonly source: Source;
  /** The block that the next statement stands in. */
  block: Block;
  /** The index of the next statement. */
  next: number;
  /** Files to read before it: those of the include just met. */
  readonly included: string[];
}

class Walk {
  private readonly blocks: Block[] = [];
  private readonly directives: Directive[] = [];
  private readonly readings = new Map<string, number>();
  private total = 0;
  private readonly stack: Reading[] = [];
  private readonly single = new Map<string, Block>();
  /** The tree's files by normalized path, since an include may be written with `..` or `//`. */
  private readonly paths = new Map<string, string>();
  /** The files of each include path that was looked up. */
  private readonly matched = new Map<string, readonly string[]>();

  constructor(
    private readonly tree: Tree,
    private readonly names: ReadonlySet<string>,
    private readonly sources: Map<string, Source>,
  ) {
    for (const path of tree.files.keys()) {
      const normal = posix.normalize(path);
      if (!this.paths.has(normal)) this.paths.set(normal, path);
    }
  }

  run(): Configuration {
    const source = this.source(this.tree.root);
    const main: Block = { name: "", parent: undefined, source, opening: -1 };
    this.read(source, main);
    for (let reading = this.stack.at(-1); reading; reading = this.stack.at(-1)) this.step(reading);
    return { main, blocks: this.blocks, directives: this.directives, readings: this.readings };
  }

  private step(reading: Reading): void {
    const path = reading.included.shift();
    if (path !== undefined) {
      this.read(this.source(path), reading.block);
      return;
    }
    const statement = reading.source.statements[reading.next++];
    if (statement) this.visit(reading, statement);
    else this.stack.pop();
  }

  private source(path: string): Source {
    let source = this.sources.get(path);
    if (!source) {
      const text = this.tree.files.get(path) ?? "";
      source = { path, text, statements: tokenize(path, text), lineAt: lineIndex(text) };
      this.sources.set(path, source);
    }
    return source;
  }

  private read(source: Source, block: Block): void {
    this.readings.set(source.path, (this.readings.get(source.path) ?? 0) + 1);
    this.stack.push({ source, block, next: 0, included: [] });
  }

  private visit(reading: Reading, statement: Statement): void {
    const { source, block } = reading;
    const first = statement.words[0];
    if (!first) {
      reading.block = block.parent ?? block;
      return;
    }
    const name = unquoted(source.text, first);
    if (statement.kind === "block") {
      this.enter(reading, statement, name);
      return;
    }
    if (name === "include" && !NO_INCLUDES.has(block.name)) this.include(reading, statement);
    if (this.names.has(name) && !FREE_WORDS.has(block.name)) this.directives.push({ name, source, statement, block });
  }

  private enter(reading: Reading, statement: Statement, name: string): void {
    const { source, block: parent } = reading;
    if (FREE_WORDS.has(parent.name)) {
      throw errorAt(source, statement, `a block within "${parent.name}"; nginx allows none`);
    }
    if (name === "include") throw errorAt(source, statement, 'an "include" without its ";"; end it');
    const block: Block = { name, parent, source, opening: reading.next - 1 };
    reading.block = block;
    if (!parent.parent && (name === "events" || name === "http")) {
      if (this.single.has(name)) {
        throw errorAt(source, statement, `a second "${name}" block; nginx allows one: merge the two`);
      }
      this.single.set(name, block);
    }
    if (this.names.has(name)) this.blocks.push(block);
  }

  private include(reading: Reading, statement: Statement): void {
    const { source } = reading;
    const [argument, ...more] = argumentsOf(source, statement);
    if (argument === undefined || more.length > 0) throw errorAt(source, statement, 'an "include" takes one path');
    // The conf prefix is the root's folder, whichever file holds the include.
    const path = argument.startsWith("/") ? argument : `${posix.dirname(this.tree.root)}/${argument}`;
    const included = this.includedFiles(path);
    if (included.length === 0 && !isPattern(path)) {
      throw errorAt(source, statement, `the included file ${posix.normalize(path)} is not there; restore it`);
    }
    for (const file of included) {
      if (this.stack.some((outer) => outer.source.path === file)) {
        throw errorAt(source, statement, `the file ${file} includes itself; remove this include`);
      }
      if (++this.total > MOST_READINGS) {
        throw errorAt(source, statement, `more than ${MOST_READINGS} includes; reduce them`);
      }
      reading.included.push(file);
    }
  }

  /** The tree's files that an include's path names, in the order of glob(3). */
  private includedFiles(path: string): readonly string[] {
    const wanted = posix.normalize(path);
    let found = this.matched.get(wanted);
    if (!found) {
      const matches = isPattern(path) ? pathMatcher(wanted) : (normal: string) => normal === wanted;
      found = [...this.paths]
        .filter(([normal]) => matches(normal))
        .map(([, file]) => file)
        .sort();
      this.matched.set(wanted, found);
    }
    return found;
  }
}
