/** What went wrong with a connection, in words for the user and without secrets. */
import { harmless } from "../text/harmless";

/** Why a connection or a command failed. */
export type SshErrorKind = "config" | "unreachable" | "hostkey" | "auth" | "sudo" | "timeout" | "lost";

/**
 * A failure of SSH or sudo, with a sentence for the administrator. Its message holds no secret.
 *
 * - `config`: the connection's arguments or the ssh configuration can't be used as they are
 * - `unreachable`: no SSH server answered
 * - `hostkey`: the server's key is unknown, changed or revoked
 * - `auth`: the server refused every login
 * - `sudo`: sudo did not let the user become root
 * - `timeout`: the server answered too late, or a command ran too long
 * - `lost`: the connection or the command was cut; whether the command ended is not known
 */
export class SshError extends Error {
  override readonly name = "SshError";
  constructor(
    readonly kind: SshErrorKind,
    message: string,
    /** True when the same attempt may succeed a moment later. */
    readonly passing = false,
  ) {
    super(message);
  }
}

/** Text from a server as one bounded line that can be quoted: secrets are masked. */
export function quotable(text: string, secrets: readonly string[], limit = 300): string {
  let masked = text;
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret !== "") masked = masked.replaceAll(secret, "***");
  }
  return harmless(masked, limit);
}
