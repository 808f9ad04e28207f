/** The command line of a running PostgreSQL server, as far as it sets what files set too. */

/** The short options of a PostgreSQL server that stand for a setting. */
const SHORT_OPTIONS: Readonly<Record<string, string>> = {
  B: "shared_buffers",
  h: "listen_addresses",
  k: "unix_socket_directories",
  N: "max_connections",
  p: "port",
  S: "work_mem",
};
/** Its short options that take an argument (postmaster.c of PostgreSQL 15); `-` stands for `--name=value`. */
const WITH_ARGUMENT = "BCcDdfhkNprStW-";

/**
 * What the command line of a running PostgreSQL server sets, which wins over every file; undefined when it does not set it.
 * @param argv the arguments as in /proc/PID/cmdline, with or without the program's name in front
 * @param key a setting's name, such as `max_connections`
 */
export function commandLineSetting(argv: readonly string[], key: string): string | undefined {
  const name = key.toLowerCase();
  let found: string | undefined;
  for (const [option, argument] of optionsOf(argv)) {
    if (SHORT_OPTIONS[option] === name) found = argument;
    if (option !== "c" && option !== "-") continue;
    const equals = argument.indexOf("=");
    if (equals > 0 && argument.slice(0, equals).replaceAll("-", "_").toLowerCase() === name) {
      found = argument.slice(equals + 1);
    }
  }
  return found;
}

/** The options that take an argument, as getopt splits them: `-c x=1`, `-cx=1`, `-ic x=1`, `--x=1`. */
function* optionsOf(argv: readonly string[]): Generator<[option: string, argument: string]> {
  for (let at = argv[0]?.startsWith("-") ? 0 : 1; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === "--" || !word.startsWith("-")) return;
    for (let letter = 1; letter < word.length; letter++) {
      if (!WITH_ARGUMENT.includes(word[letter]!)) continue;
      const attached = word.slice(letter + 1);
      yield [word[letter]!, attached === "" ? (argv[++at] ?? "") : attached];
      break;
    }
  }
}
