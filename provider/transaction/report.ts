/** Reads observe.sh's report, in the forms that observe.sh's first lines name. */
import { createHash } from "node:crypto";

/** The facts that one service reported, by their names. */
export class Facts {
  private readonly byName: ReadonlyMap<string | undefined, readonly string[][]>;

  constructor(all: readonly (readonly string[])[]) {
    const groups = Map.groupBy(all, ([name]) => name);
    this.byName = new Map([...groups].map(([name, facts]) => [name, facts.map(([, ...values]) => values)]));
  }

  /** The values of each fact of a name, in the order of the report. */
  named(name: string): readonly string[][] {
    return this.byName.get(name) ?? [];
  }

  /** The first value of the first fact of a name; undefined where there is none. */
  one(name: string): string | undefined {
    return this.named(name)[0]?.[0];
  }
}

export interface Report {
  /** Latin-1 text by path, as the server names it; of some files with what is not ours masked. */
  readonly files: ReadonlyMap<string, string>;
  /** The SHA-256 of each file's bytes on the server. */
  readonly hashes: ReadonlyMap<string, string>;
  /** The facts of a service. */
  facts(service: string): Facts;
}

/** More than the largest server's report has. */
const MOST_FACTS = 100_000;

/** @throws Error when the report is not whole, or has more facts than any server's. */
export function parseReport(text: string): Report {
  const files = new Map<string, string>();
  const hashes = new Map<string, string>();
  const facts = new Map<string, string[][]>();
  const addFile = (path: string, content: string, hash = hashOf(content)) => {
    files.set(path, content);
    hashes.set(path, hash);
  };
  let count = 0;
  for (const fields of fieldsOf(text)) {
    if (++count > MOST_FACTS)
      throw new Error(`the server's report has more than ${MOST_FACTS} lines, which no server has`);
    const [service, rest] = cut(fields);
    if (service === "file") addFile(...cut(rest));
    else if (service === "files") for (const [path, content] of severalFiles(rest)) addFile(path, content);
    else if (service === "masked") {
      const [path, content] = cut(rest);
      const [hash, masked] = cut(content);
      addFile(path, masked, hash);
    } else {
      const known = facts.get(service);
      if (known) known.push(rest.split("\0").slice(0, -1));
      else facts.set(service, [rest.split("\0").slice(0, -1)]);
    }
  }
  // It went while it was sent, perhaps as an empty one.
  for (const [name, path = ""] of facts.get("base") ?? [])
    if (name === "gone") for (const of of [files, hashes]) of.delete(path);
  const isWhole = facts.get("base")?.some(([name]) => name === "end");
  if (!isWhole) throw new Error("the server's report is not whole: its last line is missing");
  return { files, hashes, facts: (service) => new Facts(facts.get(service) ?? []) };
}

/** Each fact, its fields ended by NULs. */
export function* fieldsOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const ended = text[start] === "\x1d" ? "\x1e\n" : "\n";
    const found = text.indexOf(ended, start);
    const end = found === -1 ? text.length : found;
    const line = text.slice(start, end);
    if (line.startsWith("=")) yield `${line.slice(1).replaceAll("\t", "\0")}\0`;
    else if (line.startsWith("\x1d")) yield `${line.slice(1).replaceAll("\x1f", "\0")}\0`;
    else yield Buffer.from(line, "base64").toString("latin1");
    start = end + ended.length;
  }
}

/** Several files: the size of each and the path of each, a line each, and the bytes of all. */
function* severalFiles(fields: string): Generator<[path: string, content: string]> {
  const [sizes, rest] = cut(fields);
  const [paths, contents] = cut(rest);
  const [all, lengths] = [paths.split("\n").slice(0, -1), sizes.split("\n").map((line) => Number.parseInt(line, 10))];
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (all.length !== lengths.length || total !== contents.length)
    throw new Error("the server's report is not whole: a file has another size than it says");
  let start = 0;
  for (const [i, path] of all.entries()) {
    yield [path, contents.slice(start, start + lengths[i]!)];
    start += lengths[i]!;
  }
}

/** The SHA-256 of a file's bytes, from its Latin-1 text. */
export const hashOf = (text: string): string => createHash("sha256").update(text, "latin1").digest("hex");

function cut(fields: string): [string, string] {
  const end = fields.indexOf("\0");
  return end === -1 ? [fields, ""] : [fields.slice(0, end), fields.slice(end + 1)];
}

/** Soft and hard limit of open files; Infinity where there is none. */
export interface OpenFiles {
  readonly soft: number;
  readonly hard: number;
}

export function openFiles(soft: string | undefined, hard: string | undefined): OpenFiles {
  return { soft: bound(soft), hard: bound(hard) };
}

/** A bound as systemd or /proc gives it; Infinity for any other word. */
export const bound = (text: string | undefined): number =>
  /^\d+$/.test(text ?? "") ? Number(text) : Number.POSITIVE_INFINITY;
