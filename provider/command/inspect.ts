/** `pulumi-wapt inspect`: what servers have beside what they need, without Pulumi. */
import { messageOf } from "../problem";
import { harmlessSentence } from "../text/harmless";
import { checked, type Inspection, inspect, type Use } from "./inspection";
import { CREDENTIALS, connectionOf, loginOptions } from "./login";
import { sideBySide } from "./side-by-side";
import { type Command, countOf, textOf, UsageError, type Words } from "./words";

/** How many servers are read at the same time. */
const PARALLEL = 8;

interface Failed {
  readonly host: string;
  readonly error: string;
}

export const inspectCommand: Command = {
  name: "inspect",
  usage: "HOST… --clients N",
  help:
    "Reads servers over SSH and changes nothing: each value beside the one that so many clients need, what forbids the\n" +
    "change, what is due, who owns the server, and how much is in use now of what is limited.\n" +
    `${CREDENTIALS}\n` +
    "Exit status: 0 all is as wanted, 2 something is not, 1 a server can't be read, or would be refused.",
  options: {
    clients: { type: "string", value: "N", help: "of each server" },
    uploads: { type: "string", value: "PATH", help: "where uploads shall lie; where they lie now if not given" },
    ...loginOptions,
    json: { type: "boolean", help: "print JSON" },
  },
  async run(words) {
    if (words.names.length === 0) throw new UsageError("inspect takes servers: pulumi-wapt inspect HOST… --clients N");
    const given = words.names.map((host) => ({ host, ...checked(argumentsOf(words, host)) }));
    const results = await sideBySide(given, PARALLEL, async ({ host, ...one }) =>
      inspect(one).catch((error): Failed => ({ host, error: harmlessSentence(messageOf(error)) })),
    );
    if (words.options.json) console.log(JSON.stringify({ version: 1, servers: results }, null, 2));
    else for (const result of results) printServer(result, results.length > 1);
    // Not known comes before differs.
    const statuses = results.map(statusOf);
    return statuses.includes(1) ? 1 : Math.max(...statuses);
  },
};

function argumentsOf(words: Words, host: string) {
  const uploads = textOf(words, "uploads");
  const connection = connectionOf(words, host);
  const clients = countOf(textOf(words, "clients"), "--clients");
  return { connection, clients, ...(uploads && { uploads: { path: uploads } }) };
}

function statusOf(result: Inspection | Failed): 0 | 1 | 2 {
  if ("error" in result || result.problems.length > 0) return 1;
  return result.due.length > 0 || result.findings.some(({ isRight }) => !isRight) ? 2 : 0;
}

function printServer(result: Inspection | Failed, isOneOfMany: boolean): void {
  if (isOneOfMany) console.log(`${result.host}:`);
  if ("error" in result) {
    console.error(isOneOfMany ? `${result.host}: ${result.error}` : result.error);
    return;
  }
  for (const { place, present, wanted, isRight } of result.findings)
    console.log(`${place.padEnd(34)} ${present.padEnd(24)} ${isRight ? "right" : `wanted ${wanted}`}`);
  for (const one of result.headroom) console.log(`in use: ${useOf(one)}`);
  for (const owner of result.owners) console.log(`owner: ${owner}`);
  for (const what of result.due) console.log(`due: ${what}`);
  for (const problem of result.problems) console.log(`problem: ${problem}`);
  for (const warning of result.warnings) console.log(`warning: ${warning}`);
}

const useOf = ({ what, used, limit, unit }: Use): string =>
  `${what} ${used} of ${limit}${unit && ` ${unit}`} (${limit > 0 ? Math.round((100 * used) / limit) : 100} %)`;
