/** A server's files in a folder, and transactions on them by this machine's shells. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import type { Server } from "../../provider/converge/observation";
import type { Claim } from "../../provider/converge/ownership";
import { type FileChange, type Plan, planOf } from "../../provider/converge/plan";
import { type Remote, type Scope, ServerQueue } from "../../provider/converge/server-queue";
import {
  applyProgram,
  type Outcome,
  parseOutcome,
  transactionCalls,
  transactionProgram,
} from "../../provider/converge/transaction";
import { definitions } from "../../provider/resources";
import { argumentNames, checkArguments } from "../../provider/resources/definition";

export const HOLDER = "the stack organization/wapt-site/paris";

/** The shells that servers have, as far as this machine has them. */
export const shells = [["sh"], ["dash"], ["busybox", "sh"]].filter(
  (shell) => spawnSync(shell[0]!, [...shell.slice(1), "-c", ":"]).status === 0,
);

export const scopeOf = (root: string): Scope => ({
  root,
  nginx: "",
  postgresql: "",
  waptserver: "/opt/wapt/conf/waptserver.ini",
  folders: ["/srv/wapt-uploads"],
});

/** What all resources ask of a server for a number of clients, or that they are taken back. */
export function claimsOn(server: Server, clients: number, mode: Claim["mode"] = "apply"): Claim[] {
  return definitions.map((definition) => {
    const given = { clients, path: "/srv/wapt-uploads", minFree: "1KiB", root: server.root || undefined };
    const names = argumentNames(definition);
    const args = Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)));
    const checked = checkArguments(definition, { connection: { host: "paris" }, ...args });
    if (checked.problems) assert.fail(checked.problems.map(({ reason }) => reason).join());
    const owner = { stack: "organization/wapt-site/paris", resource: definition.type, id: definition.type };
    return { owner, target: definition.target(checked.settings, server, checked.args as never), mode };
  });
}

export const observe = (remote: Remote, root: string): Promise<Server> =>
  new ServerQueue(async () => remote, HOLDER).observe(scopeOf(root));

export async function plan(remote: Remote, root: string, clients: number, mode?: Claim["mode"]): Promise<Plan> {
  const server = await observe(remote, root);
  return planOf(server, claimsOn(server, clients, mode));
}

/** A plan that changes one file. */
export const changing = (...changes: FileChange[]): Plan => ({
  changes,
  actions: [],
  checks: [],
  folders: [],
  removedFolders: [],
  start: [],
  notes: [],
});

export async function apply(remote: Remote, root: string, what: Plan): Promise<Outcome> {
  const { stdout } = await remote.run(applyProgram(what, root, HOLDER));
  return parseOutcome(stdout.toString("latin1"));
}

/** A transaction with commands before the first call that matches. */
export function disturbed(what: Plan, root: string, call: RegExp, commands: string): string {
  const calls = transactionCalls(what, root, HOLDER);
  const at = calls.findIndex((one) => call.test(one));
  assert.ok(at >= 0, `no call ${call}`);
  return transactionProgram([...calls.slice(0, at), commands, ...calls.slice(at)]);
}
