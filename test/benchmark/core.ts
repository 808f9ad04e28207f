/**
 * This package without Pulumi: connect, observe, plan and one transaction a server, all servers at the same time, within
 * the process that measures. What the CLI and its program take is the difference to {@link pulumiWapt}'s times.
 */

import { definitions } from "../../provider/resources";
import { argumentNames, checkArguments, type Definition, WAPTSERVER_INI } from "../../provider/resources/definition";
import { type Connection, closeAll, open } from "../../provider/ssh/session";
import type { Claim } from "../../provider/transaction/ownership";
import { isEmpty, planOf } from "../../provider/transaction/plan";
import { type Claimant, type Scope, ServerQueue } from "../../provider/transaction/server";
import type { Contender } from "./contender";
import { USER } from "./fleet";
import type { Link } from "./link";
import { CLIENTS, OPEN_FILES, WANTED } from "./wanted";

const SCOPE: Scope = {
  root: "",
  nginx: "",
  postgresql: "",
  waptserver: WAPTSERVER_INI,
  folders: [WANTED.client_body_temp_path],
};

export const core: Contender = {
  name: "its core alone, without the CLI",
  async session(fleet) {
    const connections = fleet.servers.map(({ hostKey }, i) => connectionTo(fleet.links[i]!, hostKey));
    const onAll = async (work: (queue: ServerQueue, claimants: readonly Claimant[]) => Promise<void>) => {
      // As a new process would: no connection is open, nothing is known of the servers.
      const each = connections.map((connection) => {
        const queue = new ServerQueue(() => open(connection, { privateKey: fleet.privateKey }), "the benchmark");
        return work(queue, claimantsFor(connection));
      });
      await Promise.all(each);
    };
    return {
      apply: () => onAll((queue, claimants) => converge(queue, claimants, false)),
      again: () => onAll((queue, claimants) => converge(queue, claimants, true)),
      ask: () =>
        onAll(async (queue, claimants) => {
          const server = await queue.observe(SCOPE);
          const claims: Claim[] = claimants.map((claimant) => claimant(server));
          if (!isEmpty(planOf(server, claims))) throw new Error("the plan of a tuned server is not empty");
        }),
      settle: ended,
    };
  },
};

/** Connections without a user keep no process alive, not even until they have ended. */
async function ended(): Promise<void> {
  const alive = setInterval(() => {}, 1000);
  await closeAll().finally(() => clearInterval(alive));
}

async function converge(queue: ServerQueue, claimants: readonly Claimant[], unchanged: boolean): Promise<void> {
  const settled = await Promise.all(claimants.map((claimant) => queue.converge(SCOPE, claimant)));
  if (settled.every(({ plan }) => isEmpty(plan)) !== unchanged) {
    throw new Error(unchanged ? "a tuned server was changed again" : "nothing was changed on an untuned server");
  }
}

const connectionTo = ({ host, port }: Link, hostKey: string): Connection => ({
  host,
  port,
  user: USER,
  sudo: true,
  hostKey,
});

/** The five resources of one server, with the arguments that each takes. */
function claimantsFor(connection: Connection): Claimant[] {
  const all: Record<string, unknown> = {
    connection,
    clients: CLIENTS,
    path: WANTED.client_body_temp_path,
    workerRlimitNofile: OPEN_FILES,
    limitNofile: OPEN_FILES,
    nofile: OPEN_FILES,
  };
  return definitions.map((definition) => claimantOf(definition, all));
}

function claimantOf(definition: Definition, all: Readonly<Record<string, unknown>>): Claimant {
  const names = argumentNames(definition).concat("connection");
  const checked = checkArguments(
    definition,
    Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name))),
  );
  if (checked.problems) throw new Error(checked.problems.map(({ reason }) => reason).join("\n"));
  const { args, settings } = checked;
  const owner = { stack: "benchmark", resource: definition.type, id: definition.type };
  return (server) => ({ owner, target: definition.target(settings, server, args), mode: "apply" });
}
