/** Values of LimitNOFILE=, systemd.exec(5). */

/** Open files a process may have; "infinity" for as many as the kernel's fs.nr_open allows. */
export interface OpenFiles {
  readonly soft: number | "infinity";
  readonly hard: number | "infinity";
}

/** Decimal, 0x, 0b, 0o or 0 for octal, as systemd 252 takes it: a sign stands before 0x, and behind 0b and 0o, with blanks. */
const NUMBER = /^([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;
const PREFIXED = /^(0[bB](?=[ \t\r\v\f]*[+-]?[01]+$)|0[oO])([ \t\r\v\f]*)([+-]?)([0-7]+)$/;

/** RLIM_INFINITY. */
const INFINITY = 2n ** 64n - 1n;

/**
 * Reads `N`, `SOFT:HARD` or `infinity`; undefined for what systemd ignores. A plain `N` sets both limits. The suffixes K
 * and M are for limits in bytes only, and systemd ignores `LimitNOFILE=32K`; so it does a soft limit above the hard one.
 */
export function limitNofile(value: string): OpenFiles | undefined {
  const [one = "", other = one, ...more] = wordsOf(value) ?? [];
  const [soft, hard] = [limit(one), limit(other)];
  if (more.length > 0) return undefined;
  if (soft === undefined || hard === undefined || soft > hard) return undefined;
  return { soft: shown(soft), hard: shown(hard) };
}

/** What colons separate; a backslash makes the next character an ordinary one, and none may follow it. */
function wordsOf(value: string): string[] | undefined {
  const words: string[] = [];
  let word = "";
  for (let at = 0; at < value.length; at++) {
    const isEscape = value[at] === "\\";
    if (isEscape && ++at === value.length) return undefined;
    if (value[at] !== ":" || isEscape) {
      word += value[at];
    } else {
      words.push(word);
      word = "";
    }
  }
  return [...words, word];
}

function limit(word: string): bigint | undefined {
  if (word === "infinity") return INFINITY;
  const digits = word.replace(/^[ \t]+/, "");
  const [, sign = "", plain = ""] = NUMBER.exec(digits) ?? [];
  const [, prefix = "", blanks = "", prefixedSign = "", prefixed = ""] = PREFIXED.exec(digits) ?? [];
  const text = plain.replace(/^0(?=[0-7])/, "0o") || prefix + prefixed;
  if (text === "") return undefined;
  const isNegative = (sign || prefixedSign) === "-";
  const number = BigInt(text);
  if (number >= INFINITY || (isNegative && blanks === "" && number > 0n)) return undefined;
  // Behind blanks systemd does not see the sign, and C's strtoull wraps around.
  const wrapped = BigInt.asUintN(64, isNegative ? -number : number);
  return wrapped >= INFINITY ? undefined : wrapped;
}

function shown(limit: bigint): number | "infinity" {
  return limit === INFINITY ? "infinity" : Number(limit);
}
