/** The drift alarm: what is new since the last report, once. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Drift, lastDrift, newsInWords, newsOf, statusOfNews, writeDrift } from "../../provider/command/drift";
import { overviewOf } from "../../provider/command/overview";
import { parsePreview } from "../../provider/command/preview";
import { command } from "../support/command";
import { pulumiStandIn } from "../support/pulumi-stand-in";

const read = (name: string): string => readFileSync(join(__dirname, `corpus/${name}.json`), "utf8");
const news = (name: string, last: Drift) => newsOf(overviewOf([parsePreview(read(name), "paris")]), last);
const DRIFTED: Drift = { paris: { worker_connections: "512" } };

describe("what has drifted", () => {
  it("is new once, with its value and that of the last run", () => {
    const first = news("refresh-drift", {});
    assert.equal(newsInWords(first), "1 new drift\n  paris: worker_connections is 512, the last run set 6250\n");
    assert.deepEqual([first.drift, statusOfNews(first)], [DRIFTED, 2]);
    const second = news("refresh-drift", first.drift);
    assert.equal(newsInWords(second), "nothing has drifted anew, 1 as reported before\n");
    assert.deepEqual([second.drift, statusOfNews(second)], [DRIFTED, 0]);
  });

  it("is new again with another value", () => {
    assert.equal(news("refresh-drift", { paris: { worker_connections: "768" } }).fresh.length, 1);
  });

  it("is forgotten when it was put right, so that the next time is new", () => {
    const right = news("refresh-nothing", DRIFTED);
    assert.equal(newsInWords(right), "nothing has drifted anew, 1 put right since\n");
    assert.deepEqual([right.drift, statusOfNews(right)], [{}, 0]);
  });

  it("stays as reported where the server can't be read, which is an error", () => {
    const down = news("refresh-down", DRIFTED);
    assert.match(
      newsInWords(down),
      /^nothing has drifted anew, 1 as reported before, 1 not read\n {2}paris: not read: .*refused/,
    );
    assert.deepEqual([down.drift, statusOfNews(down)], [DRIFTED, 1]);
  });

  it("stays as reported of stacks that were not in the run, and is forgotten with a stack that is no more", () => {
    const others: Drift = { "lyon/wapt": { max_clients: "10" }, "paris-2": { backlog: "511" } };
    const last: Drift = { ...DRIFTED, ...others };
    const seen = overviewOf([parsePreview(read("refresh-nothing"), "paris")]);
    for (const stacks of [["paris"], ["acme/servers/paris"]]) {
      const part = newsOf(seen, last, stacks);
      assert.equal(newsInWords(part), "nothing has drifted anew, 1 put right since\n");
      assert.deepEqual([part.drift, statusOfNews(part)], [others, 0]);
    }
    assert.deepEqual(newsOf(overviewOf([]), last, []).drift, last, "a share without stacks");
    const whole = newsOf(seen, last);
    assert.deepEqual([whole.drift, whole.ended], [{}, 3]);
  });

  it("is not what a run was told to leave for later", () => {
    assert.deepEqual(news("restart-left", {}).fresh, []);
  });
});

describe("a report", () => {
  it("is read back, and refused where it is none", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "wapt-drift-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "report.json");
    assert.deepEqual(lastDrift(path), {});
    writeDrift(path, DRIFTED);
    assert.deepEqual(lastDrift(path), DRIFTED);
    writeFileSync(path, "[]");
    assert.throws(() => lastDrift(path), /is no report of pulumi-wapt fleet drift: remove it/);
  });
});

describe("fleet drift", () => {
  it("reads the servers of all stacks, and writes the report that the next one is compared with", async (t) => {
    const fleet = pulumiStandIn({ paris: { says: { refresh: read("refresh-drift") } } });
    t.after(fleet.remove);
    const words = ["fleet", "drift", "--report", join(fleet.folder, "report.json")];
    const first = await command(words, fleet.env);
    assert.deepEqual([first.code, first.stdout.split("\n")[0]], [2, "1 new drift"]);
    assert.deepEqual(fleet.calls()[0]!.words.slice(2, 5), ["refresh", "--preview-only", "--json"]);
    const second = await command([...words, "--json"], fleet.env);
    assert.deepEqual([second.code, JSON.parse(second.stdout).fresh], [0, []]);
  });

  it("of some stacks leaves what was reported of others", async (t) => {
    const refresh = read("refresh-drift");
    const lyon = refresh.replaceAll("urn:pulumi:paris::", "urn:pulumi:lyon::");
    const fleet = pulumiStandIn({ lyon: { says: { refresh: lyon } }, paris: { says: { refresh } } });
    t.after(fleet.remove);
    const path = join(fleet.folder, "report.json");
    const words = ["fleet", "drift", "--report", path];
    assert.equal((await command(words, fleet.env)).code, 2);
    const both = lastDrift(path);
    assert.deepEqual(Object.keys(both), ["lyon/paris", "paris"]);
    for (const some of [
      ["--stacks", "lyon"],
      ["--share", "2/2"],
    ]) {
      const { code, stdout } = await command([...words, ...some], fleet.env);
      assert.deepEqual([code, stdout], [0, "nothing has drifted anew, 1 as reported before\n"]);
      assert.deepEqual(lastDrift(path), both);
    }
  });
});
