/** Reads observe.sh's report: a fact a line, the base64 of its fields, each ended by a NUL. */

/** The facts that one service reported, by their names. */
export class Facts {
  constructor(private readonly all: readonly (readonly string[])[]) {}

  /** The values of each fact of a name, in the order of the report. */
  named(name: string): string[][] {
    return this.all.filter(([first]) => first === name).map(([, ...values]) => values);
  }

  /** The first value of the first fact of a name; undefined where there is none. */
  one(name: string): string | undefined {
    return this.named(name)[0]?.[0];
  }

  get isEmpty(): boolean {
    return this.all.length === 0;
  }
}

export interface Report {
  /** Latin-1 text by path, as the server names it. */
  readonly files: ReadonlyMap<string, string>;
  /** The facts of a service. */
  facts(service: string): Facts;
}

/** @throws Error when the report is not whole. */
export function parseReport(text: string): Report {
  const files = new Map<string, string>();
  const facts = new Map<string, string[][]>();
  for (const line of text.split("\n")) {
    const fields = Buffer.from(line, "base64").toString("latin1");
    const [service, rest] = cut(fields);
    if (service === "file") files.set(...cut(rest));
    else facts.set(service, [...(facts.get(service) ?? []), rest.split("\0").slice(0, -1)]);
  }
  const isWhole = facts.get("base")?.some(([name]) => name === "end");
  if (!isWhole) throw new Error("the server's report is not whole: its last line is missing");
  return { files, facts: (service) => new Facts(facts.get(service) ?? []) };
}

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
