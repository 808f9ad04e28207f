/**
 * Runs tests: `node --import tsx test/run.ts [unit | servers]`. Files that take long come first, so that at the end all
 * processors still have some. A server waits twice as long as it works, so two processors take four files at a time.
 */
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

/** The longest, each of more than a minute and a half. */
const LONG = [
  "faults-reboot",
  "takeover",
  "site",
  "faults-undone",
  "nginx-serving",
  "any-order",
  "one-transaction",
  "faults",
  "secrets",
  "layouts",
  "postgresql-serving",
  "hostile-accounts",
  "resources",
  "pool-alone",
  "fleet",
  "package",
  "cut-off",
  "first-preview",
  "credentials",
  "faults-cli",
  "new-project",
];

const nameOf = (file: string) => /([\w.-]+)\.test\.ts$/.exec(file)![1]!;

/** Long ones first, then the servers', then the others. */
const turn = (file: string): number => {
  const at = LONG.indexOf(nameOf(file));
  if (at >= 0) return at;
  return isServers(file) ? LONG.length : LONG.length + 1;
};

const isServers = (file: string) => relative(__dirname, file).startsWith("servers/");

const [part] = process.argv.slice(2);
const files = readdirSync(__dirname, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => join(__dirname, file))
  .filter((file) => part === undefined || isServers(file) === (part === "servers"))
  .sort((one, other) => turn(one) - turn(other) || one.localeCompare(other));

/** Shortly before a job is cut off at 90 minutes: the files that have not come to an end are named. */
const signal = AbortSignal.timeout(85 * 60_000);

run({ files, signal, concurrency: availableParallelism() * (part === "unit" ? 1 : 2) })
  .on("test:fail", () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
