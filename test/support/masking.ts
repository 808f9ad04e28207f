/** What leaves a server of files whose values are masked there: the real observe.sh on them, by each shell and each awk. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { services } from "../../provider/services";
import { call } from "../../provider/text/shell";
import { parseReport, type Report } from "../../provider/transaction/report";
import { ran } from "./shell-program";

export interface Interpreter {
  readonly name: string;
  readonly shell: readonly string[];
  /** The command that stands for awk, or for every tool. */
  readonly tools: string;
}

const exists = (command: string) => spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

/** Those that servers have, as far as this machine has them; bash and gawk are RHEL's. */
export const interpreters: readonly Interpreter[] = [
  { name: "dash and mawk", shell: ["dash"], tools: "mawk" },
  { name: "busybox", shell: ["busybox", "sh"], tools: "busybox" },
  { name: "bash and gawk", shell: ["bash", "--posix"], tools: "gawk" },
].filter(({ shell, tools }) => exists(shell[0]!) && exists(tools));

/** What observe.sh and the masks call, as far as busybox has it. */
const TOOLS = "awk base64 cat cut df grep head id printf sed sha256sum stat timeout tr wc".split(" ");

/** What is reported of files, Latin-1 text by path, that are masked as a format. */
export function reported(
  { shell, tools }: Interpreter,
  format: string,
  files: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>> = {},
): Report {
  const root = mkdtempSync(join(tmpdir(), "masking-"));
  try {
    for (const [path, text] of Object.entries({ ...files, ...others })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text, "latin1");
    }
    mkdirSync(join(root, "bin"));
    const found = execFileSync("sh", ["-c", `command -v ${tools}`])
      .toString()
      .trim();
    for (const tool of tools === "busybox" ? TOOLS : ["awk"]) symlinkSync(found, join(root, "bin", tool));
    const programs = [
      "transaction/lines.sh",
      "transaction/observe.sh",
      ...Object.keys(services.byName).map((name) => `services/${name}/${name}.sh`),
    ];
    const calls = [
      call("observe", root),
      ...Object.keys(files).map((path) => call("masked", path, format)),
      "end_report",
    ];
    const env = { ...process.env, PATH: `${join(root, "bin")}:${process.env.PATH}` };
    return parseReport(ran(shell, [...programs, ...calls], { env }));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
