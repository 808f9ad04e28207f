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
});
