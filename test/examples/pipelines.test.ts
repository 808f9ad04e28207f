/** The ready pipelines: right by the CIs' own schemas, with no more rights than they need, and their commands run. */
import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { builtCommand, run } from "../support/command";
import { pulumiStandIn } from "../support/pulumi-stand-in";
import { previewOf } from "../support/recorded-previews";
import { checkSchema, loadYaml, makeSchemas, missingPython } from "../support/yaml-schemas";

const repository = join(__dirname, "../..");
const GITHUB = join(repository, "examples/pipelines/github/wapt-servers.yml");
const GITLAB = join(repository, "examples/pipelines/gitlab/.gitlab-ci.yml");
const OWN = join(repository, ".github/workflows/ci.yml");

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly "timeout-minutes"?: number;
  readonly environment?: string;
  readonly steps: readonly Step[];
}
interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}
interface GitlabJob {
  readonly script: readonly string[];
  readonly parallel?: { readonly matrix: readonly { readonly SHARE: readonly string[] }[] };
}

describe("the pipelines", { skip: missingPython() }, () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-pipelines-"));
  const stand = (name: string, stack: string) => ({
    says: {
      preview: previewOf(name, stack),
      refresh: previewOf("refresh-drift", stack),
      up: "Resources:\n    ~ 1 updated\n",
    },
  });
  const fleet = pulumiStandIn({
    paris: stand("drift", "paris"),
    lyon: stand("new", "lyon"),
    nice: stand("nothing", "nice"),
  });
  let github: Workflow;
  let gitlab: Readonly<Record<string, GitlabJob>>;

  before(async () => {
    await makeSchemas();
    github = loadYaml(GITHUB);
    gitlab = loadYaml(GITLAB);
    mkdirSync(join(folder, "bin"));
    const npx = `#!/bin/sh\nshift\nexec ${builtCommand.join(" ")} "$@"\n`;
    writeFileSync(join(folder, "bin/npx"), npx);
    chmodSync(join(folder, "bin/npx"), 0o755);
  });
  after(() => {
    fleet.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a script as the CIs do, in a folder of its own or of another job. */
  async function runScript(script: string, job: string, env: Readonly<Record<string, string>> = {}) {
    const cwd = join(folder, job);
    mkdirSync(cwd, { recursive: true });
    const path = `${join(folder, "bin")}${delimiter}${fleet.env.PATH}`;
    const none = { GITHUB_REF: "", GITLAB_CI: "", CI_MERGE_REQUEST_IID: "" };
    return run(["bash", "-eo", "pipefail", "-c", script], { ...fleet.env, ...none, PATH: path, ...env }, cwd);
  }

  it("are right by the schemas of GitHub Actions and GitLab CI", () => {
    checkSchema(GITHUB, "github");
    checkSchema(OWN, "github");
    checkSchema(GITLAB, "gitlab");
    const broken = join(folder, "broken.yml");
    writeFileSync(broken, readFileSync(GITHUB, "utf8").replace("runs-on: ubuntu-latest", "runs-at: ubuntu-latest"));
    assert.throws(() => checkSchema(broken, "github"), /runs-at/);
  });

  it("have no more rights than they need, a time limit, and nothing of a matrix or an event in a script", () => {
    assert.deepEqual(github.permissions, {});
    for (const [name, job] of Object.entries({ ...github.jobs, own: loadYaml<Workflow>(OWN).jobs.test! })) {
      assert.ok(job["timeout-minutes"], name);
      for (const { run: script = "", uses = "" } of job.steps) {
        assert.doesNotMatch(script, /\$\{\{/, name);
        assert.match(uses, /^$|^[\w-]+\/[\w/-]+@v\d+$/);
      }
    }
    const rights = Object.entries(github.jobs).map(([name, { permissions }]) => [name, permissions]);
    assert.deepEqual(Object.fromEntries(rights), {
      stacks: { contents: "read" },
      preview: { contents: "read" },
      summary: { contents: "read", "pull-requests": "write" },
      up: { contents: "read" },
      drift: { contents: "read" },
    });
    assert.equal(github.jobs.up!.environment, "wapt-servers");
  });

  const scriptOf = (job: string): string =>
    github.jobs[job]!.steps.flatMap(({ run: script = "" }) => (script.includes("pulumi-wapt") ? [script] : [])).join(
      "\n",
    );

  it("of GitHub: the matrix's runners and their artefacts come together in one summary", async () => {
    const outputs = join(folder, "outputs");
    writeFileSync(outputs, "");
    const list = await runScript(scriptOf("stacks"), "stacks", { GITHUB_OUTPUT: outputs });
    assert.equal(list.code, 0, list.stderr);
    const matrix = JSON.parse(readFileSync(outputs, "utf8").replace(/^matrix=/, ""));
    assert.deepEqual(
      matrix.include.map(({ stacks }: { stacks: string }) => stacks),
      ["lyon", "nice", "paris"],
    );
    for (const { job, stacks } of matrix.include) {
      const preview = await runScript(scriptOf("preview"), `runner-${job}`, { STACKS: stacks });
      assert.equal(preview.code, 0, preview.stderr);
      for (const name of readdirSync(join(folder, `runner-${job}/previews`)).filter((one) => one.endsWith(".json")))
        cpSync(join(folder, `runner-${job}/previews`, name), join(folder, "summary/previews", name));
    }
    const full = join(folder, "step-summary.md");
    const summary = await runScript(scriptOf("summary"), "summary", { GITHUB_STEP_SUMMARY: full });
    assert.deepEqual([summary.code, summary.stdout], [0, "no merge request: no comment is written\n"], summary.stderr);
    const comment = readFileSync(join(folder, "summary/comment.md"), "utf8");
    assert.match(comment, /### WAPT servers: 3 stacks, 3 servers: 2 to change, 1 as wanted\n/);
    assert.equal(readFileSync(full, "utf8"), comment);
    // A runner that has ended without its artefact.
    rmSync(join(folder, "summary/previews/nice.json"));
    const lacking = await runScript(scriptOf("summary"), "summary", { GITHUB_STEP_SUMMARY: full });
    assert.equal(lacking.code, 1);
    assert.match(readFileSync(full, "utf8"), /`nice`: `there is no preview of it`/);
  });

  it("of GitHub: main is rolled out, and each night tells what has drifted once", async () => {
    const up = await runScript(scriptOf("up"), "up");
    assert.equal(up.code, 0, up.stderr);
    assert.match(up.stdout, /^3 done$/m);
    const nights = [await runScript(scriptOf("drift"), "drift"), await runScript(scriptOf("drift"), "drift")];
    assert.deepEqual(
      nights.map(({ code }) => code),
      [2, 0],
    );
  });

  it("of GitLab: the shares of the matrix come together in one summary, then the same", async () => {
    const lines = (job: string) => gitlab[job]!.script.join("\n");
    const [{ SHARE: shares = [] } = { SHARE: [] }] = gitlab.preview!.parallel!.matrix;
    assert.equal(shares.length, 4);
    for (const share of shares) {
      const preview = await runScript(lines("preview"), "gitlab", { SHARE: share, GITLAB_CI: "true" });
      assert.equal(preview.code, 0, preview.stderr);
    }
    const summary = await runScript(lines("summary"), "gitlab", { GITLAB_CI: "true" });
    assert.equal(summary.code, 0, summary.stderr);
    assert.match(
      readFileSync(join(folder, "gitlab/comment.md"), "utf8"),
      /3 stacks, 3 servers: 2 to change, 1 as wanted\n/,
    );
    assert.match(
      readFileSync(join(folder, "gitlab/junit.xml"), "utf8"),
      /^<testsuites tests="3" failures="2" errors="0">$/m,
    );
    assert.equal((await runScript(lines("up"), "gitlab")).code, 0);
    assert.equal((await runScript(lines("drift"), "gitlab")).code, 2);
  });
});
