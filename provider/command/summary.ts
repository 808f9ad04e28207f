/** `pulumi-wapt summary`: what the previews of many stacks say, for a person who reviews them. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { messageOf } from "../problem";
import { harmlessSentence } from "../text/harmless";
import { type Failed, type Overview, overviewOf, statusOf } from "./overview";
import { type Preview, parsePreview } from "./preview";
import { asJson, asJunit, asMarkdown, asText } from "./summary-formats";
import { type Command, type Option, oneOf, textOf, UsageError, type Words } from "./words";

export const FORMATS = ["text", "markdown", "json", "junit"] as const;

export const formatOptions: Readonly<Record<string, Option>> = {
  format: {
    type: "string",
    value: "FORMAT",
    choices: FORMATS,
    help: "text, markdown, json or junit; text if not given",
  },
  title: { type: "string", value: "TITLE", help: "of the Markdown comment; a comment of the same title is updated" },
  full: { type: "string", value: "FILE", help: "where the whole Markdown goes too, such as $GITHUB_STEP_SUMMARY" },
};

export const summaryCommand: Command = {
  name: "summary",
  usage: "FILE…",
  help:
    "Reads what `pulumi preview --json` wrote, a file for each stack, and prints it for a person: equal changes once,\n" +
    "restarts, drift, warnings, and what could not be read. A folder stands for the .json files below it.\n" +
    "Only values of managed settings are printed. Exit status: 0 nothing changes, 2 changes, 1 something is not known.",
  options: formatOptions,
  async run(words) {
    if (words.names.length === 0)
      throw new UsageError("summary takes files of `pulumi preview --json`, or folders of them");
    const overview = overviewOfFiles(words.names);
    print(overview, words);
    return statusOf(overview);
  },
};

/** @param expected stacks that must have a file: one that has none is a failed one. */
export function overviewOfFiles(names: readonly string[], expected: readonly string[] = []): Overview {
  const previews: Preview[] = [];
  const failed: Failed[] = [];
  for (const path of names.flatMap(filesBelow)) {
    const stack = basename(path).replace(/\.json$/, "");
    try {
      const preview = parsePreview(readFileSync(path, "utf8"), stack);
      demandFirst(preview, previews);
      previews.push(preview);
    } catch (error) {
      failed.push({ stack, reason: harmlessSentence(`${path}: ${messageOf(error)}`) });
    }
  }
  const known = new Set([...previews, ...failed].map(({ stack }) => stack));
  const missing = expected.filter((stack) => !known.has(lastPart(stack)) && !known.has(stack));
  return overviewOf(previews, [...failed, ...missing.map((stack) => ({ stack, reason: "there is no preview of it" }))]);
}

/** @throws Error for a second preview of a stack: its servers would count twice. */
function demandFirst({ stack, project }: Preview, others: readonly Preview[]): void {
  if (others.some((other) => other.stack === stack && other.project === project))
    throw new Error(`another file has a preview of the stack ${stack}, too`);
}

/** A stack of Pulumi Cloud is ORGANIZATION/STACK, or with the project between; a URN has the last part alone. */
const lastPart = (stack: string): string => stack.split("/").at(-1)!;

function filesBelow(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
  } catch {
    throw new UsageError(`${path}: there is no such file`);
  }
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
  if (names.length === 0) throw new UsageError(`${path}: there is no .json file in this folder`);
  return names.sort().map((name) => join(path, name));
}

export function print(overview: Overview, words: Words): void {
  const format = oneOf(words, "format", FORMATS, "text");
  const title = textOf(words, "title") ?? "WAPT servers";
  const full = textOf(words, "full");
  if (full !== undefined) writeFileSync(full, asMarkdown(overview, title, Number.POSITIVE_INFINITY).text);
  process.stdout.write(
    {
      text: () => asText(overview),
      markdown: () => asMarkdown(overview, title).text,
      json: () => asJson(overview),
      junit: () => asJunit(overview),
    }[format](),
  );
}
