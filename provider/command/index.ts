/** The command `pulumi-wapt`: its commands by name, and what becomes of the words on its command line. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commentCommand } from "./comment";
import { completionCommand } from "./completion";
import { fleetCommands } from "./fleet";
import { inspectCommand } from "./inspect";
import { sizingCommand } from "./sizing";
import { summaryCommand } from "./summary";
import { uninstallCommand } from "./uninstall";
import { type Command, helpOf, parsed, UsageError } from "./words";

const commands: readonly Command[] = [
  sizingCommand,
  inspectCommand,
  uninstallCommand,
  summaryCommand,
  commentCommand,
  ...fleetCommands,
  completionCommand(() => commands),
];

function usage(): string {
  const lines = commands.map(({ name, usage }) => `  pulumi-wapt ${name} ${usage}`);
  return `usage:\n${lines.join("\n")}\n\nEach has a --help. pulumi-wapt --version prints the version.`;
}

/** Runs what the words say. Returns the exit status. @throws UsageError for words that are wrong. */
export async function run(words: readonly string[]): Promise<number> {
  const [first = "", second] = words;
  if (/^(--help|-h|help)$/.test(first)) return say(usage());
  if (/^(--version|-v|version)$/.test(first)) return say(version());
  const command =
    commands.find(({ name }) => name === `${first} ${second}`) ?? commands.find(({ name }) => name === first);
  if (!command) throw new UsageError(unknown(first, second));
  const rest = words.slice(command.name.split(" ").length);
  if (rest.some((word) => word === "--help" || word === "-h")) return say(helpOf(command));
  return command.run(parsed(command, rest));
}

function say(text: string): number {
  console.log(text);
  return 0;
}

function unknown(first: string, second: string | undefined): string {
  if (first === "") return usage();
  const group = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.split(" ")[1]);
  if (group.length > 0) return `pulumi-wapt ${first} takes ${group.join(", ")}${second ? `, not ${second}` : ""}`;
  const what = first.startsWith("-") ? "option" : "command";
  return `pulumi-wapt has no ${what} ${first}: see pulumi-wapt --help`;
}

function version(): string {
  return JSON.parse(readFileSync(join(__dirname, "../../package.json"), "utf8")).version;
}
