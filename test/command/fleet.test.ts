/** `pulumi-wapt fleet` with a stand-in for Pulumi: who is started when, what is said, kept and returned. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { matrixOf } from "../../provider/command/stacks";
import { builtCommand, command } from "../support/command";
import { pulumiStandIn, type Stand } from "../support/pulumi-stand-in";
import { previewOf } from "../support/recorded-previews";

const UPDATED = "Updating (paris):\n\nResources:\n    ~ 1 updated\n    1 unchanged\n\nDuration: 2s\n";

function standIn(t: TestContext, stands: Readonly<Record<string, Stand>>) {
  const one = pulumiStandIn(stands);
  t.after(one.remove);
  return one;
}

const stacks = (count: number, stand: Stand): Record<string, Stand> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`site-${at + 1}`, stand]));

describe("fleet up", () => {
  it("runs one pulumi process a stack, the canary first, and ends with a table", async (t) => {
    const fleet = standIn(t, stacks(4, { says: { up: UPDATED }, milliseconds: 50 }));
    const { code, stdout, stderr } = await command(["fleet", "up", "--yes", "--waves", "1,100%"], fleet.env);
    assert.equal(code, 0, stderr);
    const rows = stdout.trimEnd().split("\n");
    assert.equal(rows.at(-1), "4 done");
    assert.match(rows[0]!, /^site-1 {2}done {2}\d+ s {2}1 updated, 1 unchanged$/);
    assert.match(
      stderr,
      /^wave 1 of 2: 1 of 4 stacks\nsite-1: started\nsite-1: done in \d+ s: 1 updated, 1 unchanged\nwave 2 of 2/,
    );
    const calls = fleet.calls();
    assert.deepEqual(calls[0]!.words, [
      "--stack",
      "site-1",
      "up",
      "--yes",
      "--skip-preview",
      "--non-interactive",
      "--color=never",
    ]);
    assert.ok(calls.slice(1).every(({ began }) => began >= calls[0]!.ended!));
    assert.ok(
      calls.every(({ cache }) => cache),
      "Node.js keeps what it has compiled",
    );
    assert.ok(
      calls.every(({ runProgram }) => runProgram === "true"),
      "the process that plans reads the servers",
    );
  });

  it("keeps the whole log of what fails, names it, and says what was not started", async (t) => {
    const said = "error: update failed\nerror: paris: the connection was refused\n";
    const fleet = standIn(t, {
      ...stacks(2, { says: { up: UPDATED } }),
      "site-1": { says: { up: said }, status: 255 },
    });
    const { code, stdout } = await command(["fleet", "up", "--yes"], fleet.env);
    assert.equal(code, 1);
    const [, log = ""] = /^site-1 +failed +\d+ s {2}paris: the connection was refused; log: (\S+)$/m.exec(stdout) ?? [];
    assert.equal(readFileSync(log, "utf8"), said);
    assert.equal(statSync(log).mode & 0o077, 0, "others can't read it");
    assert.match(stdout, /^site-2 +not started$/m);
    assert.match(stdout, /^0 done, 1 failed, 1 not started$/m);
  });

  it("goes on with --max-fail, and keeps all logs with --output", async (t) => {
    const fleet = standIn(t, { ...stacks(3, { says: { up: UPDATED } }), "site-1": { status: 1 } });
    const output = join(fleet.folder, "logs");
    const { code, stdout } = await command(["fleet", "up", "--yes", "--max-fail", "1", "--output", output], fleet.env);
    assert.equal(code, 1);
    assert.match(stdout, /^2 done, 1 failed$/m);
    assert.deepEqual(readdirSync(output).sort(), ["site-1.log", "site-2.log", "site-3.log"]);
  });

  it("tells the provider of --restarts, and nothing where it is not given", async (t) => {
    const fleet = standIn(t, stacks(1, {}));
    await command(["fleet", "up", "--yes"], fleet.env);
    await command(["fleet", "up", "--yes", "--restarts", "window"], fleet.env);
    assert.deepEqual(fleet.restarts(), ["", "window"]);
  });

  it("takes the stacks of --stacks alone, in their order", async (t) => {
    const fleet = standIn(t, { ...stacks(3, {}), paris: {}, "acme/lyon": {} });
    const { code, stderr } = await command(
      ["fleet", "up", "--yes", "--stacks", "paris,site-*,lyon", "--parallel", "1"],
      fleet.env,
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      fleet.calls().map(({ stack }) => stack),
      ["paris", "site-1", "site-2", "site-3", "acme/lyon"],
    );
  });

  const refused: [string, string[], RegExp][] = [
    [
      "without --yes",
      ["fleet", "up"],
      /^fleet up changes servers: look at pulumi-wapt fleet preview first, then give --yes$/m,
    ],
    [
      "a stack that is not there",
      ["fleet", "up", "--yes", "--stacks", "pari"],
      /^--stacks: no stack is pari; there are site-1, site-2$/m,
    ],
    [
      "a stack without --stacks",
      ["fleet", "up", "--yes", "site-1"],
      /^site-1 is no option: name stacks by --stacks site-1$/m,
    ],
    [
      "waves that leave out stacks",
      ["fleet", "up", "--yes", "--waves", "1"],
      /1 of 2 stacks are in none; end it with 100%/,
    ],
    [
      "a word that is none of its",
      ["fleet", "tune"],
      /^pulumi-wapt fleet takes preview, up, refresh, destroy, .*, not tune$/m,
    ],
  ];
  for (const [name, words, reason] of refused) {
    it(`refuses ${name}, before a stack is touched`, async (t) => {
      const fleet = standIn(t, stacks(2, {}));
      const { code, stdout, stderr } = await command(words, fleet.env);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, reason);
      assert.deepEqual(fleet.calls(), []);
    });
  }

  it("says so where there is no pulumi", async () => {
    const { code, stderr } = await command(["fleet", "list"], { PATH: "/nowhere" });
    assert.equal(code, 1);
    assert.match(stderr, /pulumi could not be started: spawn pulumi ENOENT/);
  });
});

/** Starts the command, interrupts it when so many stacks have started, and returns what came of it. */
async function interrupted(
  env: Readonly<Record<string, string>>,
  started: () => number,
  interrupt: (child: ChildProcess) => void,
  words: string[],
) {
  const child = spawn(words[0]!, words.slice(1), { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Buffer) => {
      output += bytes;
    });
  }
  const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? 255)));
  const deadline = Date.now() + 60_000;
  while (started() < 2 && Date.now() < deadline) await sleep(50);
  interrupt(child);
  return { code: await ended, output };
}

describe("an interrupt", () => {
  const FLEET = ["fleet", "up", "--yes", "--waves", "100%", "--parallel", "2"];

  it("lets the stacks that run end, and says which were not started", async (t) => {
    const fleet = standIn(t, stacks(4, { says: { up: UPDATED }, milliseconds: 1500 }));
    const words = [...builtCommand, ...FLEET];
    const { code, output } = await interrupted(
      fleet.env,
      () => fleet.calls().length,
      (child) => child.kill("SIGINT"),
      words,
    );
    assert.equal(code, 1);
    assert.match(output, /interrupted: the stacks that run go on to their end/);
    assert.match(output, /^site-3 +not started\nsite-4 +not started\n2 done, 2 not started$/m);
    assert.deepEqual(
      fleet.calls().map(({ ended }) => ended !== undefined),
      [true, true],
    );
  });

  it("a second time is passed on to Pulumi", async (t) => {
    const fleet = standIn(t, stacks(2, { milliseconds: 60_000 }));
    const words = [...builtCommand, ...FLEET];
    const twice = async (child: ChildProcess) => {
      child.kill("SIGINT");
      await sleep(300);
      child.kill("SIGINT");
    };
    const { code, output } = await interrupted(fleet.env, () => fleet.calls().length, twice, words);
    assert.equal(code, 1);
    assert.match(output, /^site-1 +failed +\d+ s {2}cancelled; log: /m);
  });

  it("on a terminal does the same, where the lines of the stacks are kept up to date", {
    skip: noTerminal(),
  }, async (t) => {
    const fleet = standIn(t, stacks(4, { says: { up: UPDATED }, milliseconds: 1500 }));
    const line = [...builtCommand, ...FLEET].join(" ");
    const key = (child: ChildProcess) => child.stdin!.write("\x03");
    const { output } = await interrupted(fleet.env, () => fleet.calls().length, key, [
      "script",
      "-qec",
      line,
      "/dev/null",
    ]);
    assert.match(output, /site-1 {2}\d+ s {2}Duration: 2s\r\nsite-2 {2}\d+ s/);
    assert.match(output, /\r\x1b\[2A\x1b\[0Jinterrupted: /);
    assert.match(output, /^site-4 +not started\r\n2 done, 2 not started\r$/m);
    assert.deepEqual(
      fleet.calls().map(({ ended }) => ended !== undefined),
      [true, true],
    );
  });
});

/** `script` of util-linux gives a terminal. */
function noTerminal(): string | false {
  const paths = (process.env.PATH ?? "").split(":").map((folder) => join(folder, "script"));
  return paths.some(existsSync) ? false : "there is no program `script`";
}

describe("fleet preview", () => {
  const previews = (names: Readonly<Record<string, string>>): Record<string, Stand> =>
    Object.fromEntries(
      Object.entries(names).map(([stack, name]) => [stack, { says: { preview: previewOf(name, stack) } }]),
    );

  it("prints the summary of all stacks, and keeps the previews for a summary of several jobs", async (t) => {
    const fleet = standIn(t, previews({ paris: "drift", lyon: "new", nice: "nothing" }));
    const output = join(fleet.folder, "previews");
    const { code, stdout } = await command(["fleet", "preview", "--output", output], fleet.env);
    assert.equal(code, 2);
    assert.match(stdout, /^3 stacks, 3 servers: 2 to change, 1 as wanted\n/);
    const again = await command(["fleet", "summary", output], fleet.env);
    assert.deepEqual([again.code, again.stdout], [code, stdout]);
    const other = standIn(t, previews({ paris: "drift", lyon: "new", nice: "nothing", brest: "new" }));
    const lacking = await command(["fleet", "summary", output], other.env);
    assert.equal(lacking.code, 1);
    assert.match(lacking.stdout, /^ {2}brest: there is no preview of it$/m);
  });

  it("goes on when a stack fails, which is an error in the summary", async (t) => {
    const broken = { says: { preview: "error: could not load the program\n" }, status: 255 };
    const fleet = standIn(t, { ...previews({ paris: "nothing", lyon: "refused" }), brest: broken });
    const { code, stdout } = await command(["fleet", "preview"], fleet.env);
    assert.equal(code, 1);
    assert.match(stdout, /^3 stacks, 2 servers: nothing to change, 1 as wanted, 1 not read, 2 stacks failed\n/);
    assert.match(stdout, /^ {2}brest: could not load the program; log: \S+brest\.log$/m);
  });
});

describe("fleet list", () => {
  it("prints names, JSON, or the matrix of a CI", async (t) => {
    const fleet = standIn(t, { b10: {}, b2: {}, a: {} });
    assert.equal((await command(["fleet", "list"], fleet.env)).stdout, "a\nb2\nb10\n");
    assert.equal((await command(["fleet", "list", "--format", "json"], fleet.env)).stdout, '["a","b2","b10"]\n');
    const matrix = await command(["fleet", "list", "--format", "matrix", "--jobs", "2", "--ci", "github"], fleet.env);
    assert.deepEqual(JSON.parse(matrix.stdout), {
      include: [
        { job: "1", stacks: "a,b10" },
        { job: "2", stacks: "b2" },
      ],
    });
    const gitlab = await command(["fleet", "list", "--format", "matrix", "--jobs", "2"], {
      ...fleet.env,
      GITLAB_CI: "true",
    });
    assert.deepEqual(JSON.parse(gitlab.stdout), [
      { JOB: "1", STACKS: "a,b10" },
      { JOB: "2", STACKS: "b2" },
    ]);
  });

  it("of a share is every N-th stack, and of all shares each once", async (t) => {
    const fleet = standIn(t, { a: {}, b: {}, c: {} });
    const share = async (part: string) => (await command(["fleet", "list", "--share", part], fleet.env)).stdout;
    assert.deepEqual([await share("1/2"), await share("2/2")], ["a\nc\n", "b\n"]);
    const empty = await command(["fleet", "preview", "--share", "4/4"], fleet.env);
    assert.deepEqual([empty.code, empty.stdout], [0, "0 stacks, 0 servers: nothing to change\n"]);
    assert.match(
      (await command(["fleet", "list", "--share", "3/2"], fleet.env)).stderr,
      /^--share is "3\/2": give a part of all, such as 1\/4$/m,
    );
  });

  it("has no more jobs than the CI takes, and each stack once", () => {
    const all = Array.from({ length: 1000 }, (_, at) => `s${at}`);
    const github = JSON.parse(matrixOf(all, "github")).include;
    assert.equal(github.length, 256);
    assert.deepEqual(github.flatMap(({ stacks }: { stacks: string }) => stacks.split(",")).sort(), [...all].sort());
    assert.equal(JSON.parse(matrixOf(all, "gitlab")).length, 200);
  });
});
