/** The comment of a merge request: written once, then updated, on a stand-in for GitHub's and GitLab's interface. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { command } from "../support/command";
import { pulumiStandIn } from "../support/pulumi-stand-in";

interface Author {
  readonly id: number;
  readonly type?: string;
}

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token?: string;
}

describe("the comment of a merge request", () => {
  const { folder, remove } = pulumiStandIn({});
  const file = join(folder, "summary.md");
  let forge: Server;
  let asked: Asked[] = [];
  let comments: { id: number; body: string; user?: Author | null; author?: Author }[] = [];
  /** Whose the token is; undefined where it may not ask. */
  let me: Author | undefined;
  /** Whom the forge names as the author of what is written. */
  let writer: { user?: Author; author?: Author } = {};
  let address: string;

  before(async () => {
    forge = createServer((request, answer) => {
      const [path = "", query = ""] = (request.url ?? "").split("?");
      const { authorization, "private-token": token } = request.headers;
      asked.push({ method: request.method!, path, token: String(authorization ?? token) });
      let text = "";
      request.on("data", (bytes: Buffer) => {
        text += bytes;
      });
      request.on("end", () => {
        if (authorization === "Bearer wrong")
          return answer.writeHead(403).end('{"message": "Resource not accessible"}');
        if (path.endsWith("/user"))
          return me ? answer.end(JSON.stringify(me)) : answer.writeHead(403).end('{"message": "not by integration"}');
        const page = Number(new URLSearchParams(query).get("page") ?? 1);
        if (request.method === "GET") return answer.end(JSON.stringify(comments.slice(100 * (page - 1), 100 * page)));
        const { body } = JSON.parse(text);
        const known = comments.find(({ id }) => path.endsWith(`/${id}`));
        if (known) known.body = body;
        else comments.push({ id: 1000 + comments.length, body, ...writer });
        return answer.end("{}");
      });
    });
    await new Promise<void>((resolve) => forge.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(forge.address() as AddressInfo).port}`;
  });
  after(() => {
    forge.close();
    remove();
  });
  beforeEach(() => {
    asked = [];
    me = undefined;
    writer = {};
    // Others have said much before.
    comments = Array.from({ length: 130 }, (_, id) => ({
      id,
      body: `comment ${id}, which quotes <!-- pulumi-wapt summary: WAPT servers -->`,
    }));
  });

  const comment = (headline: string, env: Record<string, string>, title = "WAPT servers") => {
    writeFileSync(file, `<!-- pulumi-wapt summary: ${title} -->\n### ${headline}\n`);
    return command(["comment", file], { GITLAB_CI: "", GITHUB_REF: "", ...env });
  };
  const github = (token = "secret") => ({
    GITHUB_API_URL: address,
    GITHUB_REPOSITORY: "acme/servers",
    GITHUB_REF: "refs/pull/7/merge",
    GITHUB_TOKEN: token,
  });
  const gitlab = () => ({
    GITLAB_CI: "true",
    CI_API_V4_URL: `${address}/api/v4`,
    CI_PROJECT_ID: "3",
    CI_MERGE_REQUEST_IID: "9",
    GITLAB_TOKEN: "secret",
  });

  for (const [name, env, method, token, paths] of [
    [
      "GitHub",
      github,
      "PATCH",
      "Bearer secret",
      ["/repos/acme/servers/issues/7/comments", "/repos/acme/servers/issues/comments/1130"],
    ],
    [
      "GitLab",
      gitlab,
      "PUT",
      "secret",
      ["/api/v4/projects/3/merge_requests/9/notes", "/api/v4/projects/3/merge_requests/9/notes/1130"],
    ],
  ] as const) {
    it(`is written once on ${name}, and the second one updates it`, async () => {
      const first = await comment("first", env());
      assert.deepEqual(first, { code: 0, stdout: "the comment is written\n", stderr: "" });
      const second = await comment("second", env());
      assert.deepEqual(second, { code: 0, stdout: "the comment of an earlier run is updated\n", stderr: "" });
      assert.equal(comments.length, 131);
      assert.match(comments[130]!.body, /### second/);
      const writes = asked.filter((one) => one.method !== "GET");
      assert.deepEqual(writes, [
        { method: "POST", path: paths[0], token },
        { method, path: paths[1], token },
      ]);
    });
  }

  const stranger = { id: 66, type: "User" };
  const marked = (more: object) => ({ id: 500, body: "<!-- pulumi-wapt summary: WAPT servers -->\nmine", ...more });

  for (const [name, env, own, written, others] of [
    [
      "GitHub, whose own jobs may not ask who they are,",
      github,
      undefined,
      { user: { id: 41898282, type: "Bot" } },
      [{ user: stranger }, { user: null }],
    ],
    [
      "GitHub with a person's token",
      github,
      { id: 7, type: "User" },
      { user: { id: 7, type: "User" } },
      [{ user: stranger }, { user: { id: 8, type: "Bot" } }, { user: null }],
    ],
    ["GitLab", gitlab, { id: 7 }, { author: { id: 7 } }, [{ author: { id: 66 } }]],
  ] as const) {
    it(`of someone else that begins alike stays as it is on ${name} and the own one is found after it`, async () => {
      me = own;
      writer = written;
      comments.unshift(...others.map(marked));
      const first = await comment("first", env());
      assert.deepEqual(first, { code: 0, stdout: "the comment is written\n", stderr: "" });
      const second = await comment("second", env());
      assert.deepEqual(second, { code: 0, stdout: "the comment of an earlier run is updated\n", stderr: "" });
      for (const { body } of comments.slice(0, others.length)) assert.equal(body, marked({}).body);
      assert.match(comments.at(-1)!.body, /### second/);
      assert.equal(comments.length, 131 + others.length);
    });
  }

  it("is known by its first line alone where GitLab does not tell whose the token is", async () => {
    comments.unshift(marked({ author: { id: 66 } }));
    assert.equal((await comment("first", gitlab())).stdout, "the comment of an earlier run is updated\n");
  });

  it("of another title is another one", async () => {
    await comment("paris", github(), "Paris");
    await comment("lyon", github(), "Lyon");
    assert.equal(comments.length, 132);
  });

  it("is none where there is no merge request", async () => {
    const { code, stdout } = await comment("main", { ...github(), GITHUB_REF: "refs/heads/main" });
    assert.deepEqual([code, stdout, asked], [0, "no merge request: no comment is written\n", []]);
  });

  it("that may not be written is an error with the forge's reason", async () => {
    const { code, stderr } = await comment("first", github("wrong"));
    assert.equal(code, 1);
    assert.match(stderr, /^GET http:\S+: 403 \{"message": "Resource not accessible"\}$/m);
    assert.doesNotMatch(stderr, /wrong/);
  });

  it("is refused without a token, and for a file that is no summary", async () => {
    const { stderr } = await comment("first", { ...github(), GITHUB_TOKEN: "" });
    assert.match(stderr, /^GITHUB_TOKEN is not set: see pulumi-wapt comment --help$/m);
    writeFileSync(file, "# Something else\n");
    const other = await command(["comment", file], github());
    assert.match(other.stderr, /does not begin as what summary --format markdown prints$/m);
    assert.deepEqual(asked, []);
  });
});
