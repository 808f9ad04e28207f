/** A server's files in a folder, and transactions on them by this machine's shells. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { definitions } from "../../provider/resources";
import { argumentNames, checkArguments } from "../../provider/resources/definition";
import { waptServer } from "../../provider/resources/wapt-server";
import { type Server, services } from "../../provider/services";
import type { Claim } from "../../provider/transaction/ownership";
import { type Plan, planOf } from "../../provider/transaction/plan";
import {
  applyProgram,
  type Outcome,
  parseOutcome,
  type Scope,
  transactionCalls,
  transactionProgram,
} from "../../provider/transaction/program";
import { RECORD } from "../../provider/transaction/record";
import { hashOf } from "../../provider/transaction/report";
import { ManagedServer, type Remote } from "../../provider/transaction/server";
import { snapshot } from "./local-remote";

export const HOLDER = "the stack organization/wapt-site/paris";
export const UPLOADS = "/srv/wapt-uploads";

/** The shells that servers have, as far as this machine has them; its `sh` where that is none of the others. */
export const shells = [["sh"], ["dash"], ["busybox", "sh"]].filter(
  ([shell, ...words]) =>
    spawnSync(shell!, [...words, "-c", ":"]).status === 0 &&
    (shell !== "sh" || !/\/(dash|busybox)$/.test(realpathSync("/bin/sh"))),
);

export const scopeOf = (root: string): Scope => ({
  root,
  probes: waptServer.probes({ connection: { host: "paris" }, clients: 1, uploads: { path: UPLOADS } }),
  folders: [UPLOADS],
});

/** What a resource asks of a server for a number of clients, or that it is taken back. */
export function claimOf(
  server: Server,
  type: string,
  clients: number,
  more: Partial<Claim> & { args?: object } = {},
): Claim {
  const definition = definitions.find((one) => one.type === type)!;
  const { args, ...rest } = more;
  const folder = { path: UPLOADS, minFree: "1KiB" };
  const given = { clients, root: server.root || undefined, ...folder, uploads: folder, ...args };
  const names = argumentNames(definition);
  const own = Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)));
  const checked = checkArguments(definition, { connection: { host: "paris" }, ...own });
  if (checked.problems) assert.fail(checked.problems.map(({ reason }) => reason).join());
  const owner = { stack: "organization/wapt-site/paris", resource: `${type} paris`, id: `id-${type}` };
  return { owner, target: definition.target(checked.settings!, server, checked.args), mode: "apply", ...rest };
}

/** What the whole server asks. */
export const wholeClaim = (server: Server, clients: number, mode: Claim["mode"] = "apply"): Claim =>
  claimOf(server, "WaptServer", clients, { mode });

export const observe = (remote: Remote, root: string): Promise<Server> =>
  new ManagedServer(services, async () => remote, HOLDER).observe(scopeOf(root));

export async function plan(remote: Remote, root: string, clients: number, mode?: Claim["mode"]): Promise<Plan> {
  const server = await observe(remote, root);
  return planOf(server, wholeClaim(server, clients, mode));
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

/** A change of one file's whole text; `from` is undefined where there is none yet, `to` removes it where it is. */
export interface Rewriting {
  readonly path: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export const to = (path: string, from: string | undefined, text: string | undefined): Rewriting => ({
  path,
  from,
  to: text,
});

/** The hash of a journal in which nothing is left to do. */
export const NOTHING_LEFT = journalHash();

/** The hash of what a journal says is left to do. */
export function journalHash(...lines: readonly string[]): string {
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

/** A plan that changes files alone. */
export const changing = (...files: Rewriting[]): Plan => ({
  changes: files
    .filter(({ path }) => path !== RECORD)
    .map(({ path, from, to: text }) => ({
      path,
      hash: from === undefined ? undefined : hashOf(from),
      splices: text === undefined ? undefined : [{ start: 0, end: (from ?? "").length, text }],
      stage: "kernel",
    })),
  record: files.find(({ path }) => path === RECORD),
  steps: [],
  checks: [],
  folders: [],
  returnedFolders: [],
  removedFolders: [],
  journal: NOTHING_LEFT,
  notes: [],
});

export const callsOf = (what: Plan, root: string): string[] =>
  transactionCalls(what, services, { root, holder: HOLDER });

/** A transaction's program with any calls, and the programs of all services. */
export const programOf = (calls: readonly string[]): string =>
  transactionProgram(calls, services, new Set(Object.keys(services.byName)));

export async function apply(remote: Remote, root: string, what: Plan): Promise<Outcome> {
  const { stdout } = await remote.run(applyProgram(what, services, { root, holder: HOLDER }));
  return parseOutcome(stdout.toString("latin1"));
}

/** Runs a transaction with commands before the first call that matches. */
export async function disturb(remote: Remote, root: string, what: Plan, call: RegExp, commands: string) {
  const { stdout } = await remote.run(disturbed(what, root, call, commands));
  return parseOutcome(stdout.toString("latin1"));
}

/** A transaction with commands before the first call that matches. */
export function disturbed(what: Plan, root: string, call: RegExp, commands: string): string {
  const calls = callsOf(what, root);
  const at = calls.findIndex((one) => call.test(one));
  assert.ok(at >= 0, `no call ${call}`);
  return programOf([...calls.slice(0, at), commands, ...calls.slice(at)]);
}
