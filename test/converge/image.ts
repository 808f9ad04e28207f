/** A server's files in a folder, and transactions on them by this machine's shells. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { definitions } from "../../provider/resources";
import { argumentNames, checkArguments } from "../../provider/resources/definition";
import type { Server } from "../../provider/transaction/observation";
import type { Claim } from "../../provider/transaction/ownership";
import { type FileChange, type Plan, planOf } from "../../provider/transaction/plan";
import {
  applyProgram,
  type Outcome,
  parseOutcome,
  transactionCalls,
  transactionProgram,
} from "../../provider/transaction/program";
import { type Remote, type Scope, ServerQueue } from "../../provider/transaction/server";
import { snapshot } from "../local-remote";

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

/** A folder with these files, Latin-1 text by path; removed at the end of the test. */
export function imageOf(context: { after(done: () => void): void }, files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), "image-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const at = (path: string) => join(root, path);
  const write = (path: string, text: string) => writeFileSync(at(path), text, "latin1");
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(at(path)), { recursive: true });
    write(path, text);
  }
  return {
    root,
    at,
    write,
    read: (path: string) => readFileSync(at(path), "latin1"),
    mode: (path: string) => (statSync(at(path)).mode & 0o777).toString(8),
  };
}

/** All paths below a root but what is kept on purpose: the record, the lock and the backups. */
export const rest = (root: string): string[] => Object.keys(snapshot(root));

/** A change of one file; undefined where there is none yet, "" removes it. */
export const to = (path: string, from: string | undefined, text: string): FileChange => ({
  path,
  from,
  to: text,
  stage: "kernel",
});

/** A plan that changes files alone. */
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

/** Runs a transaction with commands before the first call that matches. */
export async function disturb(remote: Remote, root: string, what: Plan, call: RegExp, commands: string) {
  const { stdout } = await remote.run(disturbed(what, root, call, commands));
  return parseOutcome(stdout.toString("latin1"));
}

/** A transaction with commands before the first call that matches. */
export function disturbed(what: Plan, root: string, call: RegExp, commands: string): string {
  const calls = transactionCalls(what, root, HOLDER);
  const at = calls.findIndex((one) => call.test(one));
  assert.ok(at >= 0, `no call ${call}`);
  return transactionProgram([...calls.slice(0, at), commands, ...calls.slice(at)]);
}
