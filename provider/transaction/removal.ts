/** Takes from a server what every run leaves there, once no resource owns anything on it. */
import { RefusedError } from "../problem";
import { harmless } from "../text/harmless";
import { type Base, demandRoot } from "./observation";
import { parseOutcome, removalProgram } from "./program";
import { hashOf } from "./report";
import { ManagedServer, type Remote, TransactionError } from "./server";
import type { Services } from "./service";

/** The folders of the record, the lock and the journal, and of the backups. */
const REMAINS = ["/var/lib/pulumi-wapt", "/var/backups/pulumi-wapt"] as const;

const HOLDER = "pulumi-wapt uninstall";
const SECONDS = { timeoutSeconds: 300 };

/**
 * Removes them and returns their names; none where nothing of it is there.
 *
 * @throws RefusedError where a resource owns something on the server, or a run of it was cut off.
 */
export async function removeRemains(remote: Remote, services: Services, root = ""): Promise<readonly string[]> {
  const managed = new ManagedServer(services, async () => remote, HOLDER);
  const server = await managed.observe({ root, probes: [], folders: [...REMAINS] });
  demandRoot(server);
  const found = REMAINS.filter((path) => server.folders[path]?.mode !== undefined);
  if (found.length === 0) return [];
  refuseWhereNeeded(server);
  const program = removalProgram({ root, holder: HOLDER }, server.journal.hash, services);
  const { result, reason } = parseOutcome((await remote.run(program, SECONDS)).stdout.toString("latin1"));
  if (result !== "ok") throw new TransactionError(reason, result === "unknown");
  return found;
}

function refuseWhereNeeded({ record, journal }: Base): void {
  const owners = [...new Set(Object.values(record).map(({ stack, resource }) => `${stack} (${resource})`))];
  const all = owners.map((owner) => harmless(owner, 200)).join(", ");
  const owned = `still owned on it by ${all}: ${Object.keys(record)
    .map((id) => harmless(id, 100))
    .join(", ")}. Destroy that first: what stood there before comes back by it alone`;
  if (owners.length > 0) throw new RefusedError([{ property: "connection", reason: owned }]);
  const cutOff = "a run on it was cut off and left something to do: an up or a destroy of its stack ends that first";
  if (journal.hash !== hashOf("")) throw new RefusedError([{ property: "connection", reason: cutOff }]);
}
