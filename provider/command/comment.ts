/** `pulumi-wapt comment`: a summary as the one comment of a merge request, which is updated by the next one. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { harmless } from "../text/harmless";
import { LONGEST_COMMENT, markerOf } from "./summary-formats";
import { type Command, UsageError } from "./words";

export const commentCommand: Command = {
  name: "comment",
  usage: "FILE",
  help:
    "Writes what `pulumi-wapt summary --format markdown` printed as a comment of this merge request, or updates the one that\n" +
    "it wrote before. In GitHub Actions: GITHUB_TOKEN, with pull-requests: write. In GitLab CI: GITLAB_TOKEN, an access token\n" +
    "with the scope api. A run of no merge request writes none.",
  options: {},
  async run({ names }) {
    if (names.length !== 1) throw new UsageError("comment takes one file: what summary --format markdown printed");
    const text = readFileSync(names[0]!, "utf8");
    const marker = markerOf(text);
    if (marker === undefined)
      throw new UsageError(`${names[0]} does not begin as what summary --format markdown prints`);
    if (Buffer.byteLength(text) > LONGEST_COMMENT) throw new UsageError(`${names[0]} is longer than a comment may be`);
    const thread = threadOf(process.env);
    if (!thread) {
      console.log("no merge request: no comment is written");
      return 0;
    }
    console.log(await write(thread, text, marker));
    return 0;
  },
};

/** The comments of one merge request, by the interface of its forge. */
export interface Thread {
  /** Lists comments by GET, and makes one by POST. */
  readonly comments: string;
  /** One of them. */
  comment(id: number): string;
  /** The method that replaces its text. */
  readonly method: "PATCH" | "PUT";
  readonly headers: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UsageError where something is missing that the forge needs. */
export function threadOf(env: Environment): Thread | undefined {
  return env.GITLAB_CI ? threadOfGitlab(env) : threadOfGithub(env);
}

function threadOfGithub(env: Environment): Thread | undefined {
  const number = /^refs\/pull\/(\d+)\//.exec(env.GITHUB_REF ?? "")?.[1];
  if (number === undefined) return undefined;
  const api = `${env.GITHUB_API_URL || "https://api.github.com"}/repos/${env.GITHUB_REPOSITORY}/issues`;
  return {
    comments: `${api}/${number}/comments`,
    comment: (id) => `${api}/comments/${id}`,
    method: "PATCH",
    headers: { authorization: `Bearer ${given(env, "GITHUB_TOKEN")}`, accept: "application/vnd.github+json" },
  };
}

function threadOfGitlab(env: Environment): Thread | undefined {
  if (!env.CI_MERGE_REQUEST_IID) return undefined;
  const comments = `${env.CI_API_V4_URL}/projects/${env.CI_PROJECT_ID}/merge_requests/${env.CI_MERGE_REQUEST_IID}/notes`;
  return {
    comments,
    comment: (id) => `${comments}/${id}`,
    method: "PUT",
    headers: { "private-token": given(env, "GITLAB_TOKEN") },
  };
}

function given(env: Environment, name: string): string {
  const value = env[name];
  if (!value) throw new UsageError(`${name} is not set: see pulumi-wapt comment --help`);
  return value;
}

const commentsSchema = z.array(z.looseObject({ id: z.number(), body: z.string().nullish() }));

const PER_PAGE = 100;

/** Returns what was done, in a sentence. @throws Error where the forge refuses it. */
export async function write(thread: Thread, text: string, marker: string): Promise<string> {
  const known = await find(thread, marker);
  if (known === undefined) await request(thread, thread.comments, "POST", text);
  else await request(thread, thread.comment(known), thread.method, text);
  return known === undefined ? "the comment is written" : "the comment of an earlier run is updated";
}

async function find(thread: Thread, marker: string): Promise<number | undefined> {
  for (let page = 1; ; page++) {
    const answer = await request(thread, `${thread.comments}?per_page=${PER_PAGE}&page=${page}`, "GET");
    const comments = commentsSchema.parse(await answer.json());
    const known = comments.find(({ body }) => body?.startsWith(marker));
    if (known || comments.length < PER_PAGE) return known?.id;
  }
}

const MILLISECONDS = 60_000;

async function request({ headers }: Thread, url: string, method: string, text?: string): Promise<Response> {
  const body = text === undefined ? {} : { body: JSON.stringify({ body: text }) };
  const answer = await fetch(url, {
    method,
    headers: { ...headers, "content-type": "application/json", "user-agent": "pulumi-wapt" },
    signal: AbortSignal.timeout(MILLISECONDS),
    ...body,
  });
  if (answer.ok) return answer;
  throw new Error(`${method} ${url}: ${answer.status} ${harmless(await answer.text(), 300)}`);
}
