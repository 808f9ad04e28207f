/**
 * The calls of every plan that the unit tests of 0.1.0 made: today's are the same in the same order, under their new
 * names. What a file's call carries is left out: it has another form now.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { services } from "../../provider/services";
import type { FileChange, Plan } from "../../provider/transaction/plan";
import { transactionCalls } from "../../provider/transaction/program";
import { formatRecord, parseRecord } from "../../provider/transaction/record";
import type { Step } from "../../provider/transaction/service";
import { NOTHING_LEFT } from "../support/image";
import { recordedCalls } from "./calls";

type Named = { readonly name: string } & Readonly<Record<string, string | readonly string[]>>;

/** A plan of 0.1.0. */
interface EarlierPlan extends Omit<Plan, "changes" | "record" | "steps" | "checks" | "journal"> {
  readonly changes: readonly { path: string; from?: string; to: string; stage: string }[];
  readonly actions: readonly Named[];
  readonly checks: readonly Named[];
  readonly start: readonly string[];
}

const words = (named: Named, ...names: string[]) => names.map((name) => String(named[name] ?? "-"));

function stepOf(named: Named): Step {
  const step = (service: string, verb: string, all: readonly string[], of?: string): Step => {
    return { service, verb, words: all, of };
  };
  const key = String(named.key).replaceAll(".", "/");
  const postgresql = words(named, "unit", "owner", "port", "data", "maxConnections");
  const steps: Readonly<Record<string, Step>> = {
    sysctl: step("kernel", "sysctl", [key, String(named.value)], key),
    "daemon-reload": step("systemd", "reload", []),
    "nginx reload": step("nginx", "reload", words(named, "configuration", "workerNofile")),
    "postgresql restart": step("postgresql", "restart", postgresql),
    "wapt restart": step("wapt", "restart", (named.units ?? []) as readonly string[]),
  };
  return steps[named.name]!;
}

function checkOf(named: Named): Step {
  const postgresql = words(named, "owner", "binary", "data", "configuration", "maxConnections");
  return named.name === "nginx"
    ? { service: "nginx", verb: "check", words: words(named, "configuration") }
    : { service: "postgresql", verb: "check", words: postgresql };
}

function translated(plan: EarlierPlan): Plan {
  const { actions, checks, start, changes, ...rest } = plan;
  const sysctls = actions.filter(({ name }) => name === "sysctl").map(stepOf);
  return {
    ...rest,
    journal: NOTHING_LEFT,
    returnedFolders: [],
    folders: plan.folders.map((folder) => ({ ...folder, selinuxType: "httpd_var_lib_t" })),
    // What 0.1.0 noted in the record as left to do is not written any more.
    record: changes
      .filter(isRecord)
      .map(({ from, to }) => ({ from, to: formatRecord(parseRecord(to || undefined)) || undefined }))[0],
    changes: changes
      .filter((change) => !isRecord(change))
      .map(({ path, from, to, stage }): FileChange => {
        const splices = to === "" ? undefined : [{ start: 0, end: from?.length ?? 0, text: to }];
        const hash = from === undefined ? undefined : "0".repeat(64);
        return { path, hash, splices, stage: path.includes(".service.d/") ? "systemd" : stage };
      }),
    steps: [...actions.map(stepOf), ...(start.length > 0 ? [{ service: "systemd", verb: "start", words: start }] : [])],
    checks: [...sysctls.map((step) => ({ ...step, verb: "check" })), ...checks.map(checkOf)],
  };
}

const isRecord = ({ stage }: { stage: string }) => stage === "record";

/** Today's name of a call of 0.1.0; undefined for one that says nothing any more. */
const NAMES: Readonly<Record<string, string>> = {
  check_space: "space",
  check_sysctl: "step 'kernel' 'check'",
  check_nginx: "step 'nginx' 'check'",
  check_postgres: "step 'postgresql' 'check'",
  check_placed_postgres: "step 'postgresql' 'placed'",
  set_sysctl: "step 'kernel' 'sysctl'",
  daemon_reload: "step 'systemd' 'reload'",
  nginx_reload: "step 'nginx' 'reload'",
  postgres_restart: "step 'postgresql' 'restart'",
  stop: "step 'systemd' 'stop'",
};

function renamed(call: string): string {
  const [name = "", ...rest] = call.split(" ");
  return [NAMES[name] ?? name, ...rest].join(" ");
}

/**
 * The calls without what has another form: locks, journals, starts, and the checks of the kernel, which come later now; and
 * without what 0.1.0 did not do.
 */
const compared = (calls: readonly string[]): string[] =>
  calls
    .filter(
      (call) => !/^(begin|pending|start|step 'systemd' 'start|step 'kernel' 'check'|step 'wapt' 'started')/.test(call),
    )
    .map((call) => (/^(file|folder)/.test(call) ? call.split(" ").slice(0, 3).join(" ") : call));

describe("the calls of 0.1.0", () => {
  for (const { test, plan, root, holder, calls } of recordedCalls<EarlierPlan>()) {
    it(test, () => {
      const now = transactionCalls(translated(plan), services, { root, holder });
      assert.deepEqual(compared(now).sort(byRank), compared(calls.map(renamed)).sort(byRank));
      assert.deepEqual(compared(now).filter(isPut), stoppedEarlier(compared(calls.map(renamed)).filter(isPut)));
    });
  }
});

/** 0.1.0 stopped WAPT behind PostgreSQL's new file. */
function stoppedEarlier(calls: readonly string[]): string[] {
  const stop = calls.filter((call) => call.startsWith("step 'systemd' 'stop'"));
  const rest = calls.filter((call) => !stop.includes(call));
  const file = rest.findIndex((call) => /^put .*postgresql/.test(call));
  const at = file === -1 ? calls.indexOf(stop[0]!) : file;
  return [...rest.slice(0, at), ...stop, ...rest.slice(at)];
}

const isPut = (call: string) => /^(put|step|finish)/.test(call);

/** Files of one stage may be written beside each other in any order before any is put in place. */
const byRank = (one: string, other: string) => (one < other ? -1 : 1);
