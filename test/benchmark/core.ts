/**
 * This package without Pulumi: connect, observe, plan and one transaction a server, all servers at the same time, within
 * the process that measures. What the CLI and its program take is the difference to {@link pulumiWapt}'s times.
 */
import { checkArguments } from "../../provider/resources/definition";
import { waptServer } from "../../provider/resources/wapt-server";
import { type Server, services } from "../../provider/services";
import { type Connection, closeAll, open } from "../../provider/ssh/session";
import type { Claim } from "../../provider/transaction/ownership";
import { isEmpty, planOf } from "../../provider/transaction/plan";
import { ManagedServer, type Remote } from "../../provider/transaction/server";
import type { Contender } from "./contender";
import { USER } from "./fleet";
import type { Link } from "./link";
import { CLIENTS, OPEN_FILES, WANTED } from "./wanted";

export interface Job {
  readonly managed: ManagedServer<typeof services>;
  readonly scope: { root: string; probes: ReturnType<typeof waptServer.probes>; folders: readonly string[] };
  claimOn(server: Server): Claim;
}

export const core: Contender = {
  name: "its core alone, without the CLI",
  async session(fleet) {
    const connections = fleet.servers.map(({ hostKey }, i) => connectionTo(fleet.links[i]!, hostKey));
    // As a new process would: no connection is open, nothing is known of the servers.
    const onAll = (work: (job: Job) => Promise<void>) =>
      Promise.all(
        connections.map((connection) =>
          work(jobFor(connection, () => open(connection, { privateKey: fleet.privateKey }))),
        ),
      ).then(() => undefined);
    return {
      apply: () => onAll((job) => converge(job, false)),
      again: () => onAll((job) => converge(job, true)),
      ask: () => onAll((job) => look(job, true)),
      drift: () => onAll((job) => look(job, false)),
      settle: ended,
    };
  },
};

/** Connections without a user keep no process alive, not even until they have ended. */
async function ended(): Promise<void> {
  const alive = setInterval(() => {}, 1000);
  await closeAll().finally(() => clearInterval(alive));
}

async function converge({ managed, scope, claimOn }: Job, unchanged: boolean): Promise<void> {
  const { plan } = await managed.converge(scope, claimOn);
  if (isEmpty(plan) !== unchanged) {
    throw new Error(unchanged ? "a tuned server was changed again" : "nothing was changed on an untuned server");
  }
}

/** @throws Error where the plan is not as it should be. */
export async function look({ managed, scope, claimOn }: Job, unchanged: boolean): Promise<void> {
  const server = await managed.observe(scope);
  if (isEmpty(planOf(server, claimOn(server))) !== unchanged)
    throw new Error(unchanged ? "the plan of a tuned server is not empty" : "the plan does not see what was changed");
}

const connectionTo = ({ host, port }: Link, hostKey: string): Connection => ({
  host,
  port,
  user: USER,
  sudo: true,
  hostKey,
});

/** The whole tuning of a server, by SSH unless another way is given. */
export function jobFor(connection: Connection, remote: () => Promise<Remote>): Job {
  const limits = { workerRlimitNofile: OPEN_FILES, limitNofile: OPEN_FILES, nofile: OPEN_FILES };
  const uploads = { path: WANTED.client_body_temp_path };
  const checked = checkArguments(waptServer, { connection, clients: CLIENTS, uploads, ...limits });
  if (checked.problems) throw new Error(checked.problems.map(({ reason }) => reason).join("\n"));
  const { args, settings } = checked;
  const owner = { stack: "benchmark", resource: "WaptServer", id: "benchmark" };
  return {
    managed: new ManagedServer(services, remote, "the benchmark"),
    scope: { root: "", probes: waptServer.probes(args), folders: [uploads.path] },
    claimOn: (server) => ({ owner, target: waptServer.target(settings!, server, args), mode: "apply" }),
  };
}
