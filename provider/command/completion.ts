/** `pulumi-wapt completion`: what a shell needs to complete the command's words, made of the list that prints the help. */
import { type Command, HELP, type Option, UsageError } from "./words";

type Shell = (commands: readonly Command[]) => string;

/** @param all the commands, this one too: known once all are. */
export const completionCommand = (all: () => readonly Command[]): Command => ({
  name: "completion",
  usage: Object.keys(SHELLS).join("|"),
  help:
    "Prints what makes a shell complete the words of pulumi-wapt. In ~/.bashrc or ~/.zshrc (there after compinit):\n" +
    '  eval "$(pulumi-wapt completion bash)"\n' +
    "For fish: pulumi-wapt completion fish > ~/.config/fish/completions/pulumi-wapt.fish",
  options: {},
  async run({ names }) {
    const [name, ...more] = names;
    const shell = SHELLS[name ?? ""];
    if (!shell || more.length > 0)
      throw new UsageError(`completion takes the name of a shell: ${Object.keys(SHELLS).join(", ")}`);
    process.stdout.write(shell(all()));
    return 0;
  },
});

const GLOBAL = ["--help", "--version"];

/** What stands in a value's place, or in that of a command's names: by the help's own word for it. */
const KINDS = { FILE: "file", FOLDER: "folder", HOST: "host" } as const;
type Kind = (typeof KINDS)[keyof typeof KINDS];

const kindOf = (word = ""): Kind | undefined => KINDS[word.replace("…", "") as keyof typeof KINDS];
const firstOf = ({ usage }: Command): string => usage.split(" ")[0]!;
/** The names that a command takes, where these are few: `bash|zsh|fish`. */
const namesOf = (command: Command): string[] => (/^[a-z|]+$/.test(firstOf(command)) ? firstOf(command).split("|") : []);
const optionsOf = ({ options }: Command): [string, Option][] => Object.entries({ ...options, help: HELP });
const sentenceOf = (text: string): string => text.replace(/\s+/g, " ").split(/[.:;,](?: |$)/)[0]!;

/** First words with what they are, and the second words of each first word that has some. */
function wordsOf(commands: readonly Command[]) {
  const split = commands.map(({ name, help }) => [...name.split(" "), sentenceOf(help)]);
  const groups = Map.groupBy(
    split.filter(({ length }) => length === 3),
    ([first]) => first!,
  );
  const single = split.filter(({ length }) => length === 2);
  const firsts = [...single, ...[...groups.keys()].map((name) => [name, "The stacks of a project"])];
  return { firsts: firsts as [string, string][], groups: [...groups] };
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const ACTIONS = { file: "file", folder: "directory", host: "hostname" };

const bash: Shell = (commands) => {
  const { firsts, groups } = wordsOf(commands);
  const first = [...firsts.map(([name]) => name), ...GLOBAL].join(" ");
  const seconds = groups.map(([name, all]) => [name, all.map(([, second]) => second).join(" ")]);
  return `# Completion of pulumi-wapt for bash.
_pulumi_wapt() {
  local word=\${COMP_WORDS[COMP_CWORD]} words= action=
  local before="\${COMP_WORDS[*]:1:COMP_CWORD-1}"
  case "$before " in
    ' ') words=${quoted(first)} ;;
${seconds.map(([name, words = ""]) => `    '${name} ') words=${quoted(words)} ;;`).join("\n")}
${commands.map(bashNames).join("\n")}
  esac
  case "$before" in
${commands.flatMap(bashValues).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [ -z "$action" ] || [[ $word == -* ]]; then return; fi
  compopt -o filenames 2>/dev/null
  local IFS=$'\\n'
  COMPREPLY+=($(compgen -A "$action" -- "$word"))
}
complete -F _pulumi_wapt pulumi-wapt
`;
};

/** What may come behind a command: its options, and its names. */
function bashNames(command: Command): string {
  const words = [...namesOf(command), ...optionsOf(command).map(([name]) => `--${name}`)].join(" ");
  const kind = kindOf(firstOf(command));
  return `    ${quoted(`${command.name} `)}*) words=${quoted(words)}${kind ? ` action=${quoted(ACTIONS[kind])}` : ""} ;;`;
}

/** What may come behind those of its options that take a value; options with values of one kind share a line. */
function bashValues(command: Command): string[] {
  const all = optionsOf(command).flatMap(([name, { type, value, choices = [] }]) => {
    const kind = kindOf(value);
    const does = `words=${quoted(choices.join(" "))} action=${kind ? quoted(ACTIONS[kind]) : ""}`;
    return type === "boolean" ? [] : [{ does, pattern: `${quoted(command.name)}*${quoted(` --${name}`)}` }];
  });
  const alike = Map.groupBy(all, ({ does }) => does);
  return [...alike].map(([does, same]) => `    ${same.map(({ pattern }) => pattern).join("|")}) ${does} ;;`);
}

const zsh: Shell = (commands) => {
  const { firsts, groups } = wordsOf(commands);
  const actions = { file: "_files", folder: "_files -/", host: "_hosts" };
  const text = (words: string) => words.replaceAll(/[[\]:\\]/g, "\\$&");
  const described = (all: readonly (readonly [string, string])[]) =>
    all.map(([name, help]) => quoted(`${name}:${text(help)}`)).join(" ");
  const specs = (command: Command) => {
    const options = optionsOf(command).map(([name, { type, value = "", choices, help }]) => {
      const kind = kindOf(value);
      const action = choices ? `(${choices.join(" ")})` : kind ? actions[kind] : " ";
      return `--${name}[${text(help)}]${type === "boolean" ? "" : `:${value}:${action}`}`;
    });
    const [kind, names] = [kindOf(firstOf(command)), namesOf(command)];
    const rest = names.length > 0 ? [`1:name:(${names.join(" ")})`] : kind ? [`*:${kind}:${actions[kind]}`] : [];
    return [...options, ...rest].map(quoted).join(" ");
  };
  const lines = commands.map((command) => {
    const count = command.name.split(" ").length;
    return `    ${quoted(`${command.name} `)}*) shift ${count} words; (( CURRENT -= ${count} )); _arguments ${specs(command)} ;;`;
  });
  const seconds = groups.map(
    ([name, all]) =>
      `    '${name} ') words_here=(${described(all.map(([, second = "", help = ""]) => [second, help] as const))}) ;;`,
  );
  return `#compdef pulumi-wapt
# Completion of pulumi-wapt for zsh.
_pulumi_wapt() {
  local before="\${(j: :)words[2,CURRENT-1]} "
  local -a words_here
  case "$before" in
    ' ') words_here=(${described(firsts)} ${GLOBAL.join(" ")}) ;;
${seconds.join("\n")}
${lines.join("\n")}
  esac
  if (( \${#words_here} )); then _describe 'command' words_here; fi
}
if [ "\${funcstack[1]}" = _pulumi-wapt ]; then _pulumi_wapt "$@"; else compdef _pulumi_wapt pulumi-wapt; fi
`;
};

const escaped = (text: string): string => `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
const fishLine = (condition: string, rest: string) => `complete -c pulumi-wapt -n ${escaped(condition)} ${rest}`;

const fish: Shell = (commands) => {
  const { firsts, groups } = wordsOf(commands);
  const at = "__pulumi_wapt_at pulumi-wapt";
  const word = (condition: string, name = "", help = "") =>
    fishLine(condition, `-a ${escaped(name)} -d ${escaped(help)}`);
  const lines = [
    ...firsts.map(([name, help]) => word(at, name, help)),
    ...GLOBAL.map((name) => fishLine(at, `-l ${name.slice(2)}`)),
    ...groups.flatMap(([name, all]) => all.map(([, second, help]) => word(`${at} ${name}`, second, help))),
    ...commands.flatMap(fishOptions),
  ];
  return `# Completion of pulumi-wapt for fish.
function __pulumi_wapt_at
    set -l words (commandline -opc)
    test "$words" = "$argv"
end
function __pulumi_wapt_in
    set -l words (commandline -opc)
    string match -q -- "pulumi-wapt $argv *" "$words "
end
complete -c pulumi-wapt -f
${lines.join("\n")}
`;
};

function fishOptions(command: Command): string[] {
  const here = `__pulumi_wapt_in ${command.name}`;
  const options = optionsOf(command).map(([name, { type, value, choices = [], help }]) => {
    const takes = type === "boolean" ? "" : ` -r ${fishValue(choices, kindOf(value))}`;
    return fishLine(here, `-l ${name}${takes} -d ${escaped(help)}`);
  });
  const [names, kind] = [namesOf(command), kindOf(firstOf(command))];
  return names.length > 0 || kind ? [...options, fishLine(here, fishValue(names, kind))] : options;
}

function fishValue(choices: readonly string[], kind: Kind | undefined): string {
  const from = (words: string) => `-f -a ${escaped(words)}`;
  if (choices.length > 0) return from(choices.join(" "));
  if (kind === "file") return "-F";
  if (kind === "folder") return from("(__fish_complete_directories (commandline -ct))");
  return kind === "host" ? from("(__fish_print_hostnames)") : "-f";
}

const SHELLS: Readonly<Record<string, Shell>> = { bash, zsh, fish };
