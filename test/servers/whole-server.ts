/** The whole tuning of a lab server without Pulumi: what all five resources ask for a number of clients. */

import { definitions } from "../../provider/resources";
import { argumentNames, checkArguments, type Definition, WAPTSERVER_INI } from "../../provider/resources/definition";
import type { Server } from "../../provider/transaction/observation";
import type { Claim } from "../../provider/transaction/ownership";
import { type Plan, planOf } from "../../provider/transaction/plan";
import { transactionCalls } from "../../provider/transaction/program";
import { type Remote, type Scope, ServerQueue, type Settled } from "../../provider/transaction/server";
import type { LabServer } from "../lab/server";

/** Arguments of a whole server. */
export type Tuning = { readonly clients: number; readonly path: string } & Readonly<Record<string, number | string>>;

/** Two tunings of one server that differ in every file, sysctl, limit and folder. Lab servers allow 20000 open files. */
export const FEW: Tuning = {
  clients: 400,
  path: "/srv/uploads-of-few",
  workerRlimitNofile: 10000,
  limitNofile: 12000,
  nofile: 12000,
  tcpMaxSynBacklog: 2048,
  somaxconn: 2048,
};
export const MANY: Tuning = {
  clients: 2500,
  path: "/srv/uploads-of-many",
  workerRlimitNofile: 20000,
  limitNofile: 20000,
  nofile: 20000,
};

export const HOLDER = "the stack organization/wapt-site/paris";

const SCOPE: Scope = {
  root: "",
  nginx: "",
  postgresql: "",
  waptserver: WAPTSERVER_INI,
  folders: [FEW.path, MANY.path],
};

/** Runs programs on a lab server without SSH. */
export function withoutSsh(server: LabServer): Remote {
  return {
    key: server.name,
    async run(program, options) {
      const { stdout, stderr, code } = await server.exec("exec sh -s", { input: program, ...options });
      return { stdout: Buffer.from(stdout, "latin1"), stderr, code };
    },
  };
}

function claimOf(definition: Definition, server: Server, tuning: Tuning, mode: Claim["mode"]): Claim {
  const names = argumentNames(definition);
  const given = Object.entries({ ...tuning, minFree: "1GiB" }).filter(([name]) => names.includes(name));
  const checked = checkArguments(definition, { connection: { host: "paris" }, ...Object.fromEntries(given) });
  if (checked.problems) throw new Error(checked.problems.map(({ reason }) => reason).join("\n"));
  const target = definition.target(checked.settings, server, checked.args as never);
  const owner = { stack: "organization/wapt-site/paris", resource: definition.type, id: definition.type };
  return { owner, target, mode };
}

/** The server as the next run would see it. */
export function observe(remote: Remote): Promise<Server> {
  return new ServerQueue(async () => remote, HOLDER).observe(SCOPE);
}

/** What a run would do on a server as it was observed. */
export function planFor(server: Server, tuning: Tuning, mode: Claim["mode"] = "apply"): Plan {
  return planOf(
    server,
    definitions.map((definition) => claimOf(definition, server, tuning, mode)),
  );
}

/** Its steps: the calls of the transaction's program. */
export function stepsFor(server: Server, tuning: Tuning, mode: Claim["mode"] = "apply"): string[] {
  return transactionCalls(planFor(server, tuning, mode), "", HOLDER);
}

/** An ordinary run: what `pulumi up` does on the server, or `pulumi destroy` where the mode is "restore". */
export async function converge(remote: Remote, tuning: Tuning, mode: Claim["mode"] = "apply"): Promise<Settled> {
  const queue = new ServerQueue(async () => remote, HOLDER);
  const runs = definitions.map((definition) =>
    queue.converge(SCOPE, (server) => claimOf(definition, server, tuning, mode)),
  );
  const [settled] = await Promise.all(runs);
  return settled!;
}
