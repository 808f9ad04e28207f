/** Values of LimitNOFILE=, systemd.exec(5). */

/** Open files a process may have; "infinity" for as many as the kernel's fs.nr_open allows. */
export interface OpenFiles {
  readonly soft: number | "infinity";
  readonly hard: number | "infinity";
}

/** Decimal, 0x, 0b, 0o or 0 for octal, as systemd 252 takes it. */
const NUMBER = /^\+?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$|^0[bB]\+?[01]+$|^0[oO]\+?[0-7]+$/;

/** RLIM_INFINITY. */
const INFINITY = 2n ** 64n - 1n;

/**
 * Reads `N`, `SOFT:HARD` or `infinity`; undefined for what systemd ignores. A plain `N` sets both limits. The suffixes K
 * and M are for limits in bytes only, and systemd ignores `LimitNOFILE=32K`; so it does a soft limit above the hard one.
 */
export function limitNofile(value: string): OpenFiles | undefined {
  const colon = value.indexOf(":");
  const soft = limit(colon === -1 ? value : value.slice(0, colon));
  const hard = colon === -1 ? soft : limit(value.slice(colon + 1));
  if (soft === undefined || hard === undefined || soft > hard) return undefined;
  return { soft: shown(soft), hard: shown(hard) };
}

function limit(text: string): bigint | undefined {
  if (text === "infinity") return INFINITY;
  const digits = text.replace(/^[ \t]+/, "");
  if (!NUMBER.test(digits)) return undefined;
  const bare = digits.replace("+", "");
  const number = BigInt(/^0[0-7]/.test(bare) ? `0o${bare}` : bare);
  return number < INFINITY ? number : undefined;
}

function shown(limit: bigint): number | "infinity" {
  return limit === INFINITY ? "infinity" : Number(limit);
}
