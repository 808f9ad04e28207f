/**
 * Reads observe.sh's report, a fact a line: "=" and its fields with a tab between, where they are printable ASCII, else the
 * base64 of its fields, each ended by a NUL.
 */
import { createHash } from "node:crypto";
import { linesOf } from "../text/lines";

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
const MOST_LINES = 100_000;

/** @throws Error when the report is not whole, or has more lines than any server's. */
export function parseReport(text: string): Report {
  const files = new Map<string, string>();
  const hashes = new Map<string, string>();
  const facts = new Map<string, string[][]>();
  for (const { number, start, end } of linesOf(text)) {
    if (number > MOST_LINES)
      throw new Error(`the server's report has more than ${MOST_LINES} lines, which no server has`);
    const line = text.slice(start, end);
    const fields = line.startsWith("=")
      ? `${line.slice(1).replaceAll("\t", "\0")}\0`
      : Buffer.from(line, "base64").toString("latin1");
    const [service, rest] = cut(fields);
    if (service === "file" || service === "masked") {
      const [path, content] = cut(rest);
      const [hash, masked] = service === "masked" ? cut(content) : [hashOf(content), content];
      files.set(path, masked);
      hashes.set(path, hash);
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
