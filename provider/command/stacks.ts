/** The stacks of the project in this folder, and those of them that are meant. */
import { z } from "zod";
import { nameMatcher } from "../text/wildcards";
import { ask } from "./stack-run";
import { type Option, textOf, UsageError, type Words } from "./words";

export const stacksOption: Readonly<Record<string, Option>> = {
  stacks: { type: "string", value: "LIST", help: "such as paris,site-*; all stacks of the project if not given" },
  share: { type: "string", value: "I/N", help: "the I-th of N parts of them, for jobs that run side by side" },
};

const listSchema = z.array(z.looseObject({ name: z.string() }));

/** @throws UsageError where a name or pattern of `--stacks` finds none. */
export async function stacksOf(words: Words): Promise<string[]> {
  const answer = await ask(["stack", "ls", "--json"]);
  const all = listSchema.parse(JSON.parse(answer)).map(({ name }) => name);
  return sharedOut(chosen(all, textOf(words, "stacks")), textOf(words, "share"));
}

/** Every N-th of them; there may be none where there are more jobs than stacks. @throws UsageError for no share. */
export function sharedOut(stacks: readonly string[], share = "1/1"): string[] {
  const [, part = 0, parts = 0] = (/^(\d+)\/(\d+)$/.exec(share) ?? []).map(Number);
  if (part < 1 || part > parts) throw new UsageError(`--share is "${share}": give a part of all, such as 1/4`);
  return stacks.filter((_, at) => at % parts === part - 1);
}

/** In the order in which they are named: the first is the canary. */
export function chosen(all: readonly string[], list: string | undefined): string[] {
  if (all.length === 0) throw new UsageError("this project has no stacks: pulumi stack init makes one");
  const sorted = [...all].sort(new Intl.Collator("en", { numeric: true }).compare);
  if (list === undefined) return sorted;
  const patterns = list.split(",").map((pattern) => pattern.trim());
  const found = patterns.flatMap((pattern) => {
    const isMeant = nameMatcher(pattern);
    const some = sorted.filter((name) => isMeant(name) || isMeant(name.split("/").at(-1)!));
    if (some.length === 0) throw new UsageError(`--stacks: no stack is ${pattern}; there are ${namesOf(sorted)}`);
    return some;
  });
  return [...new Set(found)];
}

const namesOf = (names: readonly string[]): string =>
  names.length > 10 ? `${names.slice(0, 10).join(", ")} and ${names.length - 10} more` : names.join(", ");

/** How many jobs a matrix may have. */
const MOST_JOBS = { github: 256, gitlab: 200 };

/** The stacks as the CI's own matrix, in no more jobs than it takes: each job has a list for `--stacks`. */
export function matrixOf(stacks: readonly string[], ci: "github" | "gitlab", jobs = MOST_JOBS[ci]): string {
  const count = Math.min(jobs, MOST_JOBS[ci], stacks.length);
  const lists = Array.from({ length: count }, (_, job) => sharedOut(stacks, `${job + 1}/${count}`).join(","));
  const include = lists.map((list, job) => ({ job: String(job + 1), stacks: list }));
  return JSON.stringify(
    ci === "github" ? { include } : include.map(({ job, stacks: list }) => ({ JOB: job, STACKS: list })),
  );
}
