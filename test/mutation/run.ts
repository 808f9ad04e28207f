/**
 * `npm run mutation -- [--concurrency N] [ROOM|FILE]…`: Stryker changes the code in small ways, N at a time (two unless
 * given), and says which changes no unit test has noticed. Each room of `rooms.ts` is a run of its own, with its own tests
 * alone: a mutant costs a second or two.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOMS, type Room } from "./rooms";

const REPOSITORY = join(__dirname, "../..");

interface Mutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: string;
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
}
interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly Mutant[] }>>;
}

/** What counts: a mutant that no test can run, such as one that does not compile, tells nothing. */
const NOTICED = ["Killed", "Timeout"];
const MISSED = ["Survived", "NoCoverage"];

function reportOf({ files, tests }: Room, folder: string, concurrency: number): Report {
  const [configuration, report] = [join(folder, "stryker.json"), join(folder, "report.json")];
  const reporter = "--test-reporter=./test/mutation/first-failure.mjs";
  // How an edit's time grows is not asked here, and properties are tried on fewer files: a change that no test notices costs a whole run.
  const large = '"--test-skip-pattern=/ MB|megabytes|long runs of one/"';
  const command = `node --import tsx --test --test-isolation=none ${large} ${reporter} ${tests.join(" ")}`;
  const options = {
    testRunner: "command",
    commandRunner: { command },
    mutate: files,
    concurrency,
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName: report },
    tempDirName: join(folder, "sandboxes"),
    ignorePatterns: ["dist", "docs", "test/servers", "test/recorded", "test/benchmark"],
    // A mutant that loops is one that is noticed; two processors may have other work.
    timeoutMS: 20_000,
    logLevel: "warn",
    allowConsoleColors: false,
  };
  writeFileSync(configuration, JSON.stringify(options));
  const stryker = join(REPOSITORY, "node_modules/.bin/stryker");
  const env = { ...process.env, CI: "true", SEED: "1", RUNS: "0.1" };
  const { status } = spawnSync(stryker, ["run", configuration], { cwd: REPOSITORY, stdio: "inherit", env });
  if (status !== 0) throw new Error(`Stryker ended with status ${status}`);
  return JSON.parse(readFileSync(report, "utf8"));
}

function printRoom({ files }: Report): void {
  for (const [file, { mutants }] of Object.entries(files)) {
    const [noticed, missed] = [NOTICED, MISSED].map((kinds) => mutants.filter(({ status }) => kinds.includes(status)));
    const all = noticed!.length + missed!.length;
    console.log(`${file}: ${noticed!.length} of ${all}, ${((100 * noticed!.length) / all).toFixed(0)} %`);
    for (const { location, mutatorName, replacement = "" } of missed!) {
      const change = replacement.replace(/\s+/g, " ").slice(0, 80);
      console.log(`  ${file}:${location.start.line}:${location.start.column} ${mutatorName}: ${change}`);
    }
  }
}

/** The rooms that the words name, and of those only the files that they name. */
function chosen(words: readonly string[]): Room[] {
  if (words.length === 0) return [...ROOMS];
  const unknown = words.filter((word) => !ROOMS.some(({ name, files }) => [name, ...files].includes(word)));
  const names = [...new Set(ROOMS.map(({ name }) => name))];
  if (unknown.length > 0) throw new Error(`no room or file ${unknown.join(" ")}: the rooms are ${names.join(" ")}`);
  return ROOMS.flatMap((room) => {
    const files = words.includes(room.name) ? room.files : room.files.filter((file) => words.includes(file));
    return files.length === 0 ? [] : [{ ...room, files }];
  });
}

const { values, positionals } = parseArgs({
  options: { concurrency: { type: "string", default: "2" } },
  allowPositionals: true,
});
for (const room of chosen(positionals)) {
  const folder = mkdtempSync(join(tmpdir(), "wapt-mutation-"));
  const began = Date.now();
  try {
    printRoom(reportOf(room, folder, Number(values.concurrency)));
    console.log(`${room.name}: ${Math.round((Date.now() - began) / 1000)} s`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
