/** `pulumi-wapt fleet`: the stacks of a project side by side, one `pulumi` process a stack. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { lastDrift, newsInWords, newsOf, statusOfNews, writeDrift } from "./drift";
import { countsOf, type FleetRun, reasonOf, runFleet, runOptions, tableOf } from "./fleet-run";
import { type Failed, type Overview, overviewOf, statusOf } from "./overview";
import { type Preview, parsePreview } from "./preview";
import { fileName } from "./stack-run";
import { matrixOf, stacksOf, stacksOption } from "./stacks";
import { formatOptions, overviewOfFiles, print } from "./summary";
import { type Command, countOf, type Option, oneOf, textOf, UsageError, type Words } from "./words";

const waveOptions: Readonly<Record<string, Option>> = {
  waves: { type: "string", value: "LIST", help: "how many stacks each wave ends with; 1,10%,100% if not given" },
  "max-fail": { type: "string", value: "N", help: "failures that do not stop the roll-out; 0 if not given" },
  yes: { type: "boolean", help: "do it without asking" },
};

const RESTARTS = ["now", "window", "never"] as const;

const restartsOption: Readonly<Record<string, Option>> = {
  restarts: {
    type: "string",
    value: "WHEN",
    choices: RESTARTS,
    help: "now, window or never, whatever the programs say; as they say if not given",
  },
};

const WAVES = "1,10%,100%";

const REPORT = "pulumi-wapt-drift.json";

const IN_PROJECT = "Run it in the folder of a Pulumi project, logged in to its backend.";

interface Operation {
  readonly name: string;
  readonly does: string;
  readonly words: readonly string[];
  readonly options?: Readonly<Record<string, Option>>;
  /** Whether it is refused where two stacks name one server; what takes away must go on. */
  readonly ownsServers?: boolean;
}

const OPERATIONS: readonly Operation[] = [
  {
    name: "up",
    does: "Tunes the servers of all stacks",
    words: ["up", "--yes", "--skip-preview"],
    options: restartsOption,
    ownsServers: true,
  },
  {
    name: "refresh",
    does: "Reads the servers of all stacks into their states",
    words: ["refresh", "--yes", "--skip-preview"],
  },
  {
    name: "destroy",
    does: "Puts back what stood on the servers of all stacks before",
    words: ["destroy", "--yes", "--skip-preview"],
  },
];

function changing({ name, does, words, options = {}, ownsServers = false }: Operation): Command {
  return {
    name: `fleet ${name}`,
    usage: "--yes",
    help:
      `${does}, one pulumi process a stack, in waves: a wave starts when the one before it is well.\n` +
      `${IN_PROJECT} An interrupt lets the stacks that run end.\nExit status: 0 all is done, 1 a stack failed or was not started.`,
    options: { ...stacksOption, ...waveOptions, ...options, ...runOptions },
    async run(given) {
      demandNoNames(given);
      if (given.options.yes !== true)
        throw new UsageError(`fleet ${name} changes servers: look at pulumi-wapt fleet preview first, then give --yes`);
      const maxFail = countOf(textOf(given, "max-fail") ?? "0", "--max-fail", 0);
      const restarts = given.options.restarts && oneOf(given, "restarts", RESTARTS, "never");
      const environment: Record<string, string> = restarts ? { PULUMI_WAPT_RESTARTS: restarts } : {};
      const waves = textOf(given, "waves") ?? WAVES;
      const run = await runFleet(given, { words, waves, maxFail, environment, ownsServers, verdict: countsOf });
      process.stdout.write(tableOf(run, countsOf));
      return run.failed.length + run.notStarted.length > 0 ? 1 : 0;
    },
  };
}

function demandNoNames({ names }: Words): void {
  if (names.length > 0) throw new UsageError(`${names[0]} is no option: name stacks by --stacks ${names.join(",")}`);
}

const previewCommand: Command = {
  name: "fleet preview",
  usage: "[--stacks LIST]",
  help: `Previews all stacks, and prints their summary. ${IN_PROJECT}\nExit status: as pulumi-wapt summary's.`,
  options: { ...stacksOption, ...runOptions, ...formatOptions },
  async run(words) {
    demandNoNames(words);
    const { overview } = await previewFleet(words, ["preview", "--json"], true);
    print(overview, words);
    return statusOf(overview);
  },
};

/** What all stacks' previews say; with `--output` they are kept there, a file a stack. */
async function previewFleet(words: Words, asked: readonly string[], ownsServers = false) {
  const plan = { words: asked, ownsServers, waves: "100%", maxFail: Number.POSITIVE_INFINITY, verdict: () => "" };
  const run = await runFleet(words, plan);
  const output = textOf(words, "output");
  if (output !== undefined) {
    for (const { stack, result } of run.done)
      writeFileSync(join(output, `${fileName(stack)}.json`), result.stdout, { mode: 0o600 });
  }
  return { overview: overviewOfRun(run), stacks: [...run.done.map(({ stack }) => stack), ...run.notStarted] };
}

export function overviewOfRun({ done, notStarted }: Pick<FleetRun, "done" | "notStarted">): Overview {
  const previews: Preview[] = [];
  const failed: Failed[] = notStarted.map((stack) => ({ stack, reason: "it was not started" }));
  for (const { stack, result } of done) {
    const preview = previewIn(result.stdout, stack);
    if (preview) previews.push(preview);
    if (!preview || (result.status !== 0 && preview.errors.length === 0))
      failed.push({ stack, reason: `${reasonOf(result)}; log: ${result.log}` });
  }
  return overviewOf(previews, failed);
}

function previewIn(text: string, stack: string): Preview | undefined {
  try {
    return parsePreview(text, stack);
  } catch {
    return undefined;
  }
}

const driftCommand: Command = {
  name: "fleet drift",
  usage: "[--report FILE]",
  help:
    "Reads the servers of all stacks, and says what someone has changed there since the last run of Pulumi: what was not in\n" +
    `the last report, which it then replaces. No program is run. ${IN_PROJECT}\n` +
    "Exit status: 0 nothing new, 2 something has drifted, 1 a server could not be read.",
  options: {
    ...stacksOption,
    ...runOptions,
    report: { type: "string", value: "FILE", help: `the last report, and the next; ${REPORT} if not given` },
    json: { type: "boolean", help: "print JSON" },
  },
  async run(words) {
    demandNoNames(words);
    const path = textOf(words, "report") ?? REPORT;
    const last = lastDrift(path);
    const { overview, stacks } = await previewFleet(words, ["refresh", "--preview-only", "--json"]);
    const isPart = textOf(words, "stacks") !== undefined || textOf(words, "share") !== undefined;
    const news = newsOf(overview, last, isPart ? stacks : undefined);
    writeDrift(path, news.drift);
    process.stdout.write(
      words.options.json ? `${JSON.stringify({ version: 1, ...news }, null, 2)}\n` : newsInWords(news),
    );
    return statusOfNews(news);
  },
};

const summaryOfFleet: Command = {
  name: "fleet summary",
  usage: "FILE…",
  help:
    "The summary of the previews that several jobs wrote, such as those of a CI's matrix. A stack of the project of which\n" +
    `there is none is a failed one. ${IN_PROJECT}\nExit status: as pulumi-wapt summary's.`,
  options: { ...stacksOption, ...formatOptions },
  async run(words) {
    if (words.names.length === 0) throw new UsageError("fleet summary takes files of previews, or folders of them");
    const overview = overviewOfFiles(words.names, await stacksOf(words));
    print(overview, words);
    return statusOf(overview);
  },
};

const LIST_FORMATS = ["text", "json", "matrix"] as const;
const CIS = ["github", "gitlab"] as const;

const listCommand: Command = {
  name: "fleet list",
  usage: "[--format FORMAT]",
  help: `Prints the names of the stacks, or the matrix of a CI's jobs. ${IN_PROJECT}`,
  options: {
    ...stacksOption,
    format: { type: "string", value: "FORMAT", choices: LIST_FORMATS, help: "text, json or matrix; text if not given" },
    ci: {
      type: "string",
      value: "CI",
      choices: CIS,
      help: "whose matrix: github or gitlab; where it runs if not given",
    },
    jobs: { type: "string", value: "N", help: "how many jobs the matrix has at most" },
  },
  async run(words) {
    demandNoNames(words);
    const format = oneOf(words, "format", LIST_FORMATS, "text");
    const here = process.env.GITLAB_CI ? "gitlab" : "github";
    const ci = oneOf(words, "ci", CIS, here);
    const jobs = textOf(words, "jobs");
    const most = jobs === undefined ? undefined : countOf(jobs, "--jobs");
    const stacks = await stacksOf(words);
    if (format === "text") console.log(stacks.join("\n"));
    else console.log(format === "json" ? JSON.stringify(stacks) : matrixOf(stacks, ci, most));
    return 0;
  },
};

export const fleetCommands: readonly Command[] = [
  previewCommand,
  ...OPERATIONS.map(changing),
  driftCommand,
  summaryOfFleet,
  listCommand,
];
