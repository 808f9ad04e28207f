/**
 * What observe.sh reports, in a form to read and to compare. Made before a change and after it:
 *
 *   npx tsx test/recorded/report.ts dash            (or busybox: on a copy of an untuned server's files)
 *   npx tsx test/recorded/report.ts bookworm        (or bullseye, trixie: on a lab server)
 *   npx tsx test/recorded/report.ts bookworm tuned  (after the transaction for 2,500 clients)
 */
import { createHash } from "node:crypto";
import { observeProgram } from "../../provider/converge/transaction";
import { type Suite, startServer } from "../lab/server";
import { localRemote, untunedServer } from "../local-remote";
import { converge, MANY, withoutSsh } from "../servers/whole-server";

const SHELLS: Readonly<Record<string, readonly string[]>> = { dash: ["dash"], busybox: ["busybox", "sh"] };

/** The report of an untuned server's files by a shell of this machine. */
export async function reportBy(shell: string, context: { after(done: () => void): void }): Promise<string> {
  const root = untunedServer(context);
  const folders = ["/srv/wapt-uploads"];
  const { stdout } = await localRemote(SHELLS[shell]).run(observeProgram({ ...FOUND, root, folders }));
  return readable(stdout.toString("latin1"));
}

async function reportOf(suite: Suite, tuned: boolean): Promise<string> {
  const server = await startServer("paris", { suite });
  try {
    if (tuned) await converge(withoutSsh(server), MANY);
    const program = observeProgram({ ...FOUND, root: "", folders: ["/var/lib/nginx", MANY.path] });
    const { stdout } = await server.exec("exec sh -s", { input: program });
    return readable(stdout);
  } finally {
    await server.stop();
  }
}

const FOUND = { nginx: "", postgresql: "", waptserver: "/opt/wapt/conf/waptserver.ini" };

/** Facts whose values differ from run to run or from machine to machine, with what takes their place. */
const VOLATILE: readonly [RegExp, RegExp, string][] = [
  [/^user$/, /.*/, "N NAME"],
  [/^machine-id$/, /\w+/, "ID"],
  [/^sysctl (fs\/|net\/ipv4\/tcp_max_syn_backlog)/, /\d+/, "N"],
  [/^(cpus|memory|ceiling)$/, /\d+/, "N"],
  [/^postgres\.tasks /, /\d+/, "N"],
  [/^units$/, /(?<=^(MainPID|TasksMax)=)[1-9]\d*/gm, "N"],
  [/^(process|worker|free|disk)$/, /^\d+/, "N"],
  [/^free$/, / .* /, " MOUNT "],
];

/** A report decoded: a fact a line, files by hash only, volatile values left out. */
function readable(report: string): string {
  const decode = (base64: string) => Buffer.from(base64, "base64").toString("utf8");
  const lines = report.split("\n").map((line) => {
    const space = line.lastIndexOf(" ");
    if (space < 0) return line;
    const [name, value] = [line.slice(0, space), line.slice(space + 1)];
    if (name.startsWith("file ")) {
      const hash = createHash("sha256").update(Buffer.from(value, "base64")).digest("hex");
      return `file ${decode(name.slice(5))}\n  sha256 ${hash}`;
    }
    let text = decode(value);
    for (const [fact, volatile, instead] of VOLATILE) if (fact.test(name)) text = text.replace(volatile, instead);
    return [name, ...text.split("\n").map((one) => `  ${one}`.trimEnd())].join("\n").trimEnd();
  });
  return inOrder(lines).join("\n");
}

/** find's files come in the file system's order: those that follow one another are sorted. */
function inOrder(facts: readonly string[]): string[] {
  const groups: string[][] = [];
  for (const fact of facts) {
    const last = groups.at(-1);
    if (last?.[0]?.startsWith("file ") && fact.startsWith("file ")) last.push(fact);
    else groups.push([fact]);
  }
  return groups.flatMap((group) => group.sort());
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
