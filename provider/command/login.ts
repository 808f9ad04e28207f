/** The options that say how to log in to a server. */
import type { Connection } from "../ssh/session";
import { type Option, textOf, type Words } from "./words";

export const loginOptions: Readonly<Record<string, Option>> = {
  user: { type: "string", value: "USER", help: "who logs in; as ssh's configuration says if not given" },
  port: { type: "string", value: "PORT", help: "of the SSH server" },
  sudo: { type: "boolean", help: "become root by sudo" },
};

export const CREDENTIALS =
  "Credentials are ssh's own, or PULUMI_WAPT_SSH_PASSWORD, PULUMI_WAPT_SSH_PRIVATE_KEY, PULUMI_WAPT_SUDO_PASSWORD.";

export function connectionOf(words: Words, host: string): Connection {
  const [user, port] = [textOf(words, "user"), textOf(words, "port")];
  return {
    host,
    ...(user && { user }),
    ...(port && { port: Number(port) }),
    ...(words.options.sudo === true && { sudo: true }),
  };
}
