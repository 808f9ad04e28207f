/**
 * nginx's configuration. A key is a directive's name behind the names of the blocks around it, with dots:
 * `worker_rlimit_nofile`, `events.worker_connections`, `http.client_body_temp_path`. The blocks must occur once each. The
 * keys of listens are those of listen.ts.
 * A value is the directive's arguments, unquoted, with one space between: `/srv/uploads 1 2`.
 *
 * The grammar and the rules of includes are those of nginx 1.22.
 */
import { Draft } from "../../text/draft";
import { changed, type Format, FormatError, type Found, readEach, type Tree, type Wanted } from "../../text/format";
import type { Splice } from "../../text/splices";
import {
  type Block,
  type Configuration,
  contextOf,
  type Directive,
  errorAt,
  hasContext,
  type Source,
  walk,
} from "./configuration";
import { argumentsIn, directiveText, hasComment, joinedArguments, replaceArguments } from "./directive";
import { QUEUE, queueChange, queueOf } from "./listen";
import { insertDirective, removeDirective } from "./splice";
import type { Statement } from "./tokenizer";

/** A simple directive wherever it stands. */
export interface Occurrence extends Found {
  /** The blocks around it, outermost first; empty in the main context. */
  readonly context: string[];
}

/**
 * Reads and edits nginx's configuration: the root is nginx.conf, the files are all that `nginx -T` names (or all in its
 * folder: a file that no include reaches counts for nothing).
 *
 * A replaced value keeps its quotes, and the blanks and comments between its arguments. A missing directive is inserted
 * near its like in the style of its neighbours. Setting a value and then the former one restores the file's bytes,
 * unless the number of arguments changed and something other than one space stood between them, or the value took
 * quotes that the former one did not have.
 *
 * Both functions refuse what nginx refuses of the syntax, a missing included file, and a second `events` block, `http`
 * block or directive; edit also refuses a missing block and a file that nginx reads in more than one place.
 */
export const nginxConf: Format = { read, edit };

/**
 * Every occurrence of a simple directive, in the order in which nginx meets them, whatever blocks they stand in.
 * @throws FormatError as the read of {@link nginxConf} does.
 */
export function directives(tree: Tree, name: string): Occurrence[] {
  const { directives: found } = walk(tree, new Set([name]));
  return found.map((directive) => ({ ...foundAt(directive), context: contextOf(directive.block) }));
}

function read(tree: Tree, keys: readonly string[]): Readonly<Record<string, Found>> {
  const [queues, others] = byKind(keys);
  const found: Record<string, Found> = readEach(queues, (key) => queueOf(tree, key));
  if (queues.length > 0 && others.length === 0) return found;
  const settings = others.map((key) => settingOf(tree, key));
  const configuration = walk(tree, namesOf(settings));
  for (const setting of settings) {
    const directive = directiveOf(configuration, setting, blockOf(configuration, setting));
    if (directive) found[setting.key] = foundAt(directive);
  }
  return found;
}

function edit(tree: Tree, wanted: Wanted): ReadonlyMap<string, readonly Splice[]> {
  const [queues, others] = byKind(Object.keys(wanted));
  const settings = others.map((key) => settingOf(tree, key));
  const configuration = walk(tree, namesOf(settings).add("events"));
  const splices = new Map<string, Splice[]>();
  for (const change of [
    ...settings.map((setting) => changeOf(tree, configuration, setting, wanted[setting.key] ?? null)),
    ...queues.map((key) => queueChange(tree, key, wanted[key] ?? null)),
  ]) {
    if (change) splices.set(change.file, [...(splices.get(change.file) ?? []), ...change.splices]);
  }
  return changed([...splices].map(([file, list]) => [file, Draft.of(tree.files.get(file) ?? "").with(list)] as const));
}

/** Keys of queues, and those of directives. */
function byKind(keys: readonly string[]): [queues: string[], directives: string[]] {
  return [keys.filter((key) => key.startsWith(QUEUE)), keys.filter((key) => !key.startsWith(QUEUE))];
}

/** A key, taken apart. */
interface Setting {
  readonly key: string;
  readonly context: readonly string[];
  readonly name: string;
}

function settingOf(tree: Tree, key: string): Setting {
  const names = key.split(".");
  const wrong = names.find((name) => !/^[a-z][a-z0-9_]*$/.test(name));
  if (wrong !== undefined) throw new FormatError(tree.root, 1, `"${key}" names no directive; ask for block.directive`);
  return { key, context: names.slice(0, -1), name: names.at(-1) ?? "" };
}

function namesOf(settings: readonly Setting[]): Set<string> {
  return new Set(settings.flatMap(({ context, name }) => [...context, name]));
}

/** The block that a setting belongs to: none when there is none. */
function blockOf({ main, blocks }: Configuration, { context }: Setting): Block | undefined {
  let found: Block | undefined = main;
  for (const [at, name] of context.entries()) {
    const [first, second] = blocks.filter((block) => hasContext(block, context.slice(0, at + 1)));
    if (second) {
      const opening = second.source.statements[second.opening] as Statement;
      throw errorAt(second.source, opening, `a second "${name}" block; the setting needs exactly one: merge the two`);
    }
    found = first;
  }
  return found;
}

/** The one directive that decides a setting. */
function directiveOf({ directives }: Configuration, { name }: Setting, block?: Block): Directive | undefined {
  const [first, second] = directives.filter((one) => one.block === block && one.name === name);
  if (!first || !second) return first;
  const { file, line } = foundAt(first);
  const problem = `a second "${name}", the first being at ${file}:${line}; nginx allows one: remove one`;
  throw errorAt(second.source, second.statement, problem);
}

interface Change {
  readonly file: string;
  readonly splices: readonly Splice[];
}

/** What to splice so that a setting has the value; undefined when it has. */
function changeOf(
  tree: Tree,
  configuration: Configuration,
  setting: Setting,
  value: string | null,
): Change | undefined {
  const block = blockOf(configuration, setting);
  const directive = directiveOf(configuration, setting, block);
  if (value === null) return directive && removalOf(configuration, directive);
  if (!configuration.blocks.some((one) => hasContext(one, ["events"]))) throw missing(tree, "events");
  if (!block) throw missing(tree, setting.context.join("."));
  return directive ? replacementOf(configuration, directive, value) : insertionOf(configuration, block, setting, value);
}

function removalOf(configuration: Configuration, directive: Directive): Change {
  const { name, source, statement } = directive;
  refuseSharedFile(configuration, source, statement);
  if (hasComment(directive)) throw errorAt(source, statement, `a comment within "${name}"; move it before the line`);
  return { file: source.path, splices: [removeDirective(source, statement)] };
}

function replacementOf(configuration: Configuration, directive: Directive, value: string): Change | undefined {
  if (joinedArguments(directive) === value) return undefined;
  const { name, source, statement } = directive;
  refuseSharedFile(configuration, source, statement);
  const words = argumentsIn(value, name, source.path, source.lineAt(statement.start));
  return { file: source.path, splices: replaceArguments(directive, words) };
}

function insertionOf(configuration: Configuration, block: Block, { name }: Setting, value: string): Change {
  const { source, opening } = block;
  const statement = source.statements[opening];
  if (statement) refuseSharedFile(configuration, source, statement);
  const words = argumentsIn(value, name, source.path, statement ? source.lineAt(statement.start) : 1);
  return { file: source.path, splices: [insertDirective(block, name, directiveText(name, words))] };
}

/** A line that nginx reads in two places cannot be changed for one of them. */
function refuseSharedFile({ readings }: Configuration, source: Source, statement: Statement): void {
  if ((readings.get(source.path) ?? 0) < 2) return;
  throw errorAt(source, statement, "this file is included in more than one place; give the setting a file of its own");
}

function missing(tree: Tree, block: string): FormatError {
  return new FormatError(tree.root, 1, `no "${block}" block in this file or those it includes; add one`);
}

function foundAt(directive: Directive): Found {
  const { source, statement } = directive;
  return { value: joinedArguments(directive), file: source.path, line: source.lineAt(statement.start) };
}
