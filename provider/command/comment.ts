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
  /** Says by GET whose token it is. */
  readonly user: string;
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
  const api = env.GITHUB_API_URL || "https://api.github.com";
  const issues = `${api}/repos/${env.GITHUB_REPOSITORY}/issues`;
  return {
    comments: `${issues}/${number}/comments`,
    comment: (id) => `${issues}/comments/${id}`,
    user: `${api}/user`,
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
    user: `${env.CI_API_V4_URL}/user`,
    method: "PUT",
    headers: { "private-token": given(env, "GITLAB_TOKEN") },
  };
}

function given(env: Environment, name: string): string {
  const value = env[name];
  if (!value) throw new UsageError(`${name} is not set: see pulumi-wapt comment --help`);
  return value;
}

const authorSchema = z.looseObject({ id: z.number(), type: z.string().nullish() });
/** GitHub calls the author its `user`; that of a deleted account is null. */
const commentsSchema = z.array(
  z.looseObject({
    id: z.number(),
    body: z.string().nullish(),
    user: authorSchema.nullish(),
    author: authorSchema.nullish(),
  }),
);

type Comment = z.infer<typeof commentsSchema>[number];

const PER_PAGE = 100;

/** Returns what was done, in a sentence. @throws Error where the forge refuses it. */
export async function write(thread: Thread, text: string, marker: string): Promise<string> {
  const known = await find(thread, marker);
  if (known === undefined) await request(thread, thread.comments, "POST", text);
  else await request(thread, thread.comment(known), thread.method, text);
  return known === undefined ? "the comment is written" : "the comment of an earlier run is updated";
}

async function find(thread: Thread, marker: string): Promise<number | undefined> {
  let me: Promise<number | undefined> | undefined;
  for (let page = 1; ; page++) {
    const answer = await request(thread, `${thread.comments}?per_page=${PER_PAGE}&page=${page}`, "GET");
    const comments = commentsSchema.parse(await answer.json());
    for (const one of comments) {
      if (!one.body?.startsWith(marker)) continue;
      me ??= whoAmI(thread);
      if (isOwn(one, await me)) return one.id;
    }
    if (comments.length < PER_PAGE) return undefined;
  }
}

/** Anyone can write a comment that begins with the marker: only the token's own is updated, as far as the forge tells. */
function isOwn({ user, author = user }: Comment, me: number | undefined): boolean {
  if (author === undefined) return true;
  if (me !== undefined) return author?.id === me;
  // The token of GitHub's own jobs may not ask who it is: it is a bot.
  return author !== null && (author.type ?? "Bot") === "Bot";
}

/** Statuses of a token that may not ask who it is. */
const NOT_TOLD = [401, 403, 404];

async function whoAmI(thread: Thread): Promise<number | undefined> {
  const answer = await ask(thread, thread.user, "GET");
  if (NOT_TOLD.includes(answer.status)) return undefined;
  return authorSchema.parse(await (await demandOk(answer, "GET", thread.user)).json()).id;
}

const MILLISECONDS = 60_000;

async function request(thread: Thread, url: string, method: string, text?: string): Promise<Response> {
  return demandOk(await ask(thread, url, method, text), method, url);
}

function ask({ headers }: Thread, url: string, method: string, text?: string): Promise<Response> {
  const body = text === undefined ? {} : { body: JSON.stringify({ body: text }) };
  return fetch(url, {
    method,
    headers: { ...headers, "content-type": "application/json", "user-agent": "pulumi-wapt" },
    signal: AbortSignal.timeout(MILLISECONDS),
    ...body,
  });
}

async function demandOk(answer: Response, method: string, url: string): Promise<Response> {
  if (answer.ok) return answer;
  throw new Error(`${method} ${url}: ${answer.status} ${harmless(await answer.text(), 300)}`);
}
