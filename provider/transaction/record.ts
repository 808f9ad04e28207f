/**
 * The server's own record of which stack's resource owns which setting, and what stood there before:
 * /var/lib/pulumi-wapt/record.json, mode 600. It holds managed settings and names only.
 */
import { z } from "zod";

export const RECORD = "/var/lib/pulumi-wapt/record.json";

const entrySchema = z.object({
  /** organization/project/stack */
  stack: z.string(),
  /** The resource's name in that stack. */
  resource: z.string(),
  /** The resource's Pulumi id. */
  id: z.string(),
  /** A random word that the stack's state holds too: another stack may have the same name. 0.1.0 wrote none. */
  proof: z.string().optional(),
  /** What the resource wrote last; a file that says something else was changed by someone. */
  value: z.string(),
  /** The main file of the service that held it then; 0.1.0 wrote none. */
  file: z.string().optional(),
  /** The file's value before the first change; null when no file set it. */
  before: z.string().nullable(),
  /** The running value then, where it could be asked. */
  running: z.string().optional(),
});

/** Who owns a setting. */
export interface Owner {
  readonly stack: string;
  readonly resource: string;
  readonly id: string;
  readonly proof?: string;
}

export type Entry = z.infer<typeof entrySchema>;

/** Entries by the place's id. */
export type ServerRecord = Readonly<Record<string, Entry>>;

const recordSchema = z.object({
  version: z.literal(1),
  settings: z.record(z.string(), entrySchema),
  /** 0.1.0 wrote here what it had left to do; now the server itself tells what it still runs with. */
  pending: z.array(z.string()).optional(),
});

/**
 * The record in a file's text; empty when there is no file.
 *
 * @throws Error when the file is not one that this version wrote.
 */
export function parseRecord(text: string | undefined): ServerRecord {
  if (text === undefined) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, "latin1").toString("utf8"));
  } catch {
    // It is no record.
  }
  const record = recordSchema.safeParse(parsed);
  if (!record.success) {
    throw new Error(
      `${RECORD} is no record of this version of pulumi-wapt: upgrade the package, or move the file away to take over all settings`,
    );
  }
  return record.data.settings;
}

/** The file's text, "" for an empty record: then there is no file. */
export function formatRecord(record: ServerRecord): string {
  if (Object.keys(record).length === 0) return "";
  const sorted = Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
  const text = `${JSON.stringify({ version: 1, settings: sorted }, null, 1)}\n`;
  return Buffer.from(text, "utf8").toString("latin1");
}
