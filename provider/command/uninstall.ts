/** `pulumi-wapt uninstall`: what stays on a server after `pulumi destroy` goes. */
import { services } from "../services";
import type { Connection } from "../ssh/connection";
import { open } from "../ssh/session";
import { removeRemains } from "../transaction/removal";
import { checked } from "./inspection";
import { CREDENTIALS, connectionOf, loginOptions } from "./login";
import { type Command, UsageError } from "./words";

export const uninstallCommand: Command = {
  name: "uninstall",
  usage: "HOST",
  help: `Removes from a server what pulumi destroy leaves there: backups, and the record where nothing is owned any more.\n${CREDENTIALS}`,
  options: loginOptions,
  async run(words) {
    const [host, ...more] = words.names;
    if (host === undefined || more.length > 0)
      throw new UsageError("uninstall takes one server: pulumi-wapt uninstall HOST");
    const { args } = checked({ connection: connectionOf(words, host), clients: 1 });
    console.log(await uninstall(args.connection));
    return 0;
  },
};

/** Removes it, and returns a line for the user. */
export async function uninstall(connection: Connection): Promise<string> {
  const removed = await removeRemains(await open(connection), services);
  if (removed.length === 0) return `${connection.host}: nothing of pulumi-wapt is on it`;
  return `${connection.host}: removed ${removed.join(" and ")}; nothing of pulumi-wapt is left on it`;
}
