/**
 * What observe.sh reports, in a form to read and to compare. Made before a change and after it:
 *
 *   npx tsx test/recorded/report.ts dash            (or busybox: on a copy of an untuned server's files)
 *   npx tsx test/recorded/report.ts bookworm        (or bullseye, trixie: on a lab server)
 *   npx tsx test/recorded/report.ts bookworm tuned  (after the transaction for 2,500 clients)
 */
import { waptServer } from "../../provider/resources/wapt-server";
import { services } from "../../provider/services";
import { observeProgram } from "../../provider/transaction/program";
import { fieldsOf } from "../../provider/transaction/report";
import { type Suite, startServer } from "../lab/server";
import { localRemote, untunedServer } from "../support/local-remote";
import { converge, MANY, withoutSsh } from "../support/whole-server";

const SHELLS: Readonly<Record<string, readonly string[]>> = { dash: ["dash"], busybox: ["busybox", "sh"] };

/** The report of an untuned server's files by a shell of this machine. */
export async function reportBy(shell: string, context: { after(done: () => void): void }): Promise<string> {
  const root = untunedServer(context);
  const folders = ["/srv/wapt-uploads"];
  const { stdout } = await localRemote(SHELLS[shell]).run(observeProgram({ root, probes: PROBES, folders }, services));
  return readable(stdout.toString("latin1"));
}

async function reportOf(suite: Suite, tuned: boolean): Promise<string> {
  const server = await startServer("paris", { suite });
  try {
    if (tuned) await converge(withoutSsh(server), MANY);
    const program = observeProgram({ root: "", probes: PROBES, folders: ["/var/lib/nginx", MANY.path] }, services);
    const { stdout } = await server.exec("exec sh -s", { input: program });
    return readable(stdout);
  } finally {
    await server.stop();
  }
}

const PROBES = waptServer.probes({ connection: { host: "paris" }, clients: 1 });

/** Facts whose values differ from run to run or from machine to machine, with what takes their place. */
const VOLATILE: readonly [RegExp, RegExp, string][] = [
  [/^user$/, /.*/, "N NAME"],
  [/^machine-id$/, /\w+/, "ID"],
  [/^sysctl (fs\/|net\/ipv4\/tcp_max_syn_backlog)/, /\d+/, "N"],
  [/^(cpus|memory|ceiling)$/, /\d+/, "N"],
  [/^postgres\.tasks /, /\d+/, "N"],
  [/^units$/, /(?<=^(MainPID|TasksMax)=)[1-9]\d*/gm, "N"],
  [/^(process|worker|free)$/, /^\d+/, "N"],
];

/** What a fact was called by 0.1.0, and how it was written. A new fact has no name there. */
function earlier([service = "", name = "", ...values]: readonly string[]): [string, string][] {
  const [first = "", ...others] = values;
  const line = values.join(" ");
  const [, binary = "", unit = "", tasks = ""] = values;
  const [path, mode, owner, type, free] = values;
  const names: Readonly<Record<string, [string, string][]>> = {
    "base user": [["user", line]],
    "base machine-id": [["machine-id", line]],
    "base journal": [["journal", line]],
    "base end": [["end", ""]],
    "base folder": [
      ["folder", type === "missing" ? `missing ${path}` : `${mode} ${owner} ${type} ${path}`],
      ["free", `${free} MOUNT ${path}`],
    ],
    "kernel sysctl": [[`sysctl ${first}`, others.join(" ")]],
    "kernel cpus": [["cpus", line]],
    "kernel memory": [["memory", line]],
    "kernel ceiling": [["ceiling", line]],
    "systemd units": [["units", line]],
    "systemd process": [["process", line]],
    "systemd unit-file": [["unit-file", line]],
    "nginx version": [["nginx.version", line]],
    "nginx test": [["nginx.test", line]],
    "nginx conf": [["nginx.conf", line]],
    "nginx worker": [["worker", values.slice(0, 3).join(" ")]],
    "postgresql cluster": [["postgres", [...values.slice(1, 6), first, values[6]].join(" ")]],
    "postgresql command": [[`postgres.command ${first}`, others.join(" ")]],
    "postgresql answer": [[`postgres.answer ${first}`, others.join(" ")]],
    "postgresql process": [
      [`postgres.binary ${first}`, binary],
      [`postgres.unit ${first}`, unit],
      [`postgres.tasks ${first}`, tasks],
    ],
  };
  return names[`${service} ${name}`] ?? [];
}

/** A report decoded and in order: a fact a line under its name of 0.1.0, of files the names, volatile values left out. */
function readable(report: string): string {
  const facts = [...fieldsOf(report)].map((fields) => fields.split("\0"));
  const lines = facts.flatMap(([service, ...rest]) => {
    if (service === "file" || service === "masked") return [`file ${rest[0]}`];
    if (service === "files")
      return rest[1]!
        .trimEnd()
        .split("\n")
        .map((path) => `file ${path}`);
    return earlier([service ?? "", ...rest.slice(0, -1)]).map(([name, value]) => {
      let text = value;
      for (const [fact, volatile, instead] of VOLATILE) if (fact.test(name)) text = text.replace(volatile, instead);
      return [name, ...text.split("\n").map((one) => `  ${one}`.trimEnd())].join("\n").trimEnd();
    });
  });
  return inOrder(lines);
}

/** Each service reports its own facts together: what is compared is which there are. */
const inOrder = (facts: readonly string[]): string => `${[...facts].sort().join("\n")}\n`;

/** A report as it was recorded of 0.1.0, in the same form; that the disks of other folders were asked is left out. */
export function recordedReport(text: string): string {
  const facts: string[] = [];
  for (const line of text.trimEnd().split("\n")) {
    if (/^ {2}|^$/.test(line)) facts.push(`${facts.pop()}\n${line}`);
    else facts.push(line);
  }
  const bare = facts.map((fact) => (fact.startsWith("file ") ? fact.split("\n")[0]! : fact));
  return inOrder(bare.filter((fact) => !fact.startsWith("disk")));
}

async function main(): Promise<void> {
  const [where = "", state] = process.argv.slice(2);
  const after: (() => void)[] = [];
  const report = SHELLS[where]
    ? await reportBy(where, { after: (done) => after.push(done) })
    : await reportOf(where as Suite, state === "tuned");
  for (const done of after) done();
  process.stdout.write(report);
}

if (require.main === module) {
  main().catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
}
