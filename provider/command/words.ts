/** A command's words: its options, its help, and what is wrong with what was typed. */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

export interface Option {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
  /** The word for its value in the help. */
  readonly value?: string;
  /** The values that it takes, where these are few. */
  readonly choices?: readonly string[];
  readonly help: string;
}

export interface Words {
  /** Those that are no options, without the command's name. */
  readonly names: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

export interface Command {
  /** One word, or two: `fleet up`. */
  readonly name: string;
  /** The words behind the name, such as `HOST… --clients N`. */
  readonly usage: string;
  readonly help: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Returns the exit status. */
  run(words: Words): Promise<number>;
}

/** Words on the command line that are wrong. */
export class UsageError extends Error {}

export const HELP: Option = { type: "boolean", help: "print this" };

/** @throws UsageError of one sentence. */
export function parsed(command: Command, words: readonly string[]): Words {
  const options: ParseArgsOptionsConfig = Object.fromEntries(
    Object.entries({ ...command.options, help: HELP }).map(([name, { type, short }]) => [
      name,
      { type, ...(short && { short }) },
    ]),
  );
  try {
    const { positionals, values } = parseArgs({ args: [...words], allowPositionals: true, options });
    return { names: positionals, options: values as Words["options"] };
  } catch (error) {
    throw new UsageError(sentence(command, error as Error & { code?: string }));
  }
}

/** Node's sentences tell of its own interface. */
function sentence({ name }: Command, { code, message }: Error & { code?: string }): string {
  const option = /'(?:-\w, )?(--?[\w-]*)/.exec(message)?.[1] ?? "an option";
  const see = `see pulumi-wapt ${name} --help`;
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") return `${name} has no option ${option}: ${see}`;
  return /does not take/.test(message) ? `${option} takes no value: ${see}` : `${option} needs a value: ${see}`;
}

export function helpOf({ name, usage, help, options }: Command): string {
  const rows = Object.entries({ ...options, help: HELP }).map(([option, { value, help: text }]) => {
    return [`--${option}${value ? ` ${value}` : ""}`, text] as const;
  });
  const width = Math.max(...rows.map(([option]) => option.length));
  const lines = rows.map(([option, text]) => `  ${option.padEnd(width)}  ${text}`);
  return `usage: pulumi-wapt ${name} ${usage}\n\n${help}\n\n${lines.join("\n")}`;
}

export const textOf = ({ options }: Words, name: string): string | undefined => {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
};

/** One of some words. @throws UsageError for another. */
export function oneOf<T extends string>(words: Words, name: string, choices: readonly T[], otherwise: T): T {
  const given = textOf(words, name) ?? otherwise;
  const chosen = choices.find((choice) => choice === given);
  if (chosen === undefined) throw new UsageError(`--${name} is "${given}": give ${choices.join(", ")}`);
  return chosen;
}

/** A whole number. @throws UsageError for what is none. */
export function countOf(text: string | undefined, name: string, least = 1): number {
  const number = Number(text);
  if (!/^\d+$/.test(text ?? "") || number < least || !Number.isSafeInteger(number))
    throw new UsageError(`${name} is "${text ?? ""}": give a whole number${least > 0 ? "" : ", 0 or more"}`);
  return number;
}
