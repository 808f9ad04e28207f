/** The whole tuning of a lab server without Pulumi: what WaptServer asks for a number of clients. */
import { checkArguments } from "../../provider/resources/definition";
import { waptServer } from "../../provider/resources/wapt-server";
import { type Server, services } from "../../provider/services";
import { uploadsProbe } from "../../provider/services/uploads/uploads";
import type { Claim } from "../../provider/transaction/ownership";
import { type Plan, planOf } from "../../provider/transaction/plan";
import { type Scope, transactionCalls, transactionProgram } from "../../provider/transaction/program";
import { ManagedServer, type Remote, type Settled } from "../../provider/transaction/server";
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
  probes: [...waptServer.probes({ connection: { host: "paris" }, clients: 1 }), uploadsProbe(FEW.path, MANY.path)],
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

function claimOf(server: Server, { path, ...tuning }: Tuning, mode: Claim["mode"]): Claim {
  const uploads = { path, minFree: "1GiB" };
  // One with a kernel of its own has 1 GiB, and nobody fills its pool.
  const given = { connection: { host: "paris" }, uploads, accept: ["memory"], ...tuning };
  const checked = checkArguments(waptServer, given);
  if (checked.problems) throw new Error(checked.problems.map(({ reason }) => reason).join("\n"));
  const owner = { stack: "organization/wapt-site/paris", resource: "WaptServer paris", id: "paris" };
  return { owner, target: waptServer.target(checked.settings!, server, checked.args), mode };
}

const managed = (remote: Remote) => new ManagedServer(services, async () => remote, HOLDER);

/** The server as the next run would see it. */
export const observe = (remote: Remote): Promise<Server> => managed(remote).observe(SCOPE);

/** What a run would do on a server as it was observed. */
export const planFor = (server: Server, tuning: Tuning, mode: Claim["mode"] = "apply"): Plan =>
  planOf(server, claimOf(server, tuning, mode));

/** Its steps: the calls of the transaction's program. */
export const stepsFor = (server: Server, tuning: Tuning, mode: Claim["mode"] = "apply"): string[] =>
  transactionCalls(planFor(server, tuning, mode), services, { root: "", holder: HOLDER });

/** A transaction's program with any calls, and the programs of all services. */
export const programOf = (calls: readonly string[]): string =>
  transactionProgram(calls, services, new Set(Object.keys(services.byName)));

/** An ordinary run: what `pulumi up` does on the server, or `pulumi destroy` where the mode is "restore". */
export const converge = (
  remote: Remote,
  tuning: Tuning,
  mode: Claim["mode"] = "apply",
): Promise<Settled<typeof services>> => managed(remote).converge(SCOPE, (server) => claimOf(server, tuning, mode));
