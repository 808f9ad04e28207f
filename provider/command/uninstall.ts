/** `pulumi-wapt uninstall`: what stays on a server after `pulumi destroy` goes. */
import { services } from "../services";
import type { Connection } from "../ssh/connection";
import { open } from "../ssh/session";
import { removeRemains } from "../transaction/removal";

/** Removes it, and returns a line for the user. */
export async function uninstall(connection: Connection): Promise<string> {
  const removed = await removeRemains(await open(connection), services);
  if (removed.length === 0) return `${connection.host}: nothing of pulumi-wapt is on it`;
  return `${connection.host}: removed ${removed.join(" and ")}; nothing of pulumi-wapt is left on it`;
}
