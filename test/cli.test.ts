/** The command `pulumi-wapt`: what it prints, what it refuses, and its exit status. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { sizeNames, sizing } from "../provider/sizing";
import { command } from "./support/command";

const VERSION = JSON.parse(readFileSync(join(__dirname, "../package.json"), "utf8")).version;

describe("pulumi-wapt", () => {
  it("sizing prints every size by name, as sizing() computes it", async () => {
    const { code, stdout, stderr } = await command(["sizing", "3000"]);
    assert.deepEqual([code, stderr], [0, ""]);
    const printed = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/ +/));
    assert.deepEqual(
      printed.map(([name, size]) => [name, Number(size)]),
      Object.entries(sizing(3000)),
    );
    assert.deepEqual(new Set(printed.map(([name]) => name)), new Set(sizeNames));
  });

  it("sizing prints those of more clients than one server carries only when told to", async () => {
    const { code, stdout } = await command(["sizing", "6000", "--allow-above-5000"]);
    assert.equal(code, 0);
    assert.match(stdout, /^workerConnections +15000$/m);
  });

  it("--version prints the package's version", async () => {
    assert.deepEqual(await command(["--version"]), { code: 0, stdout: `${VERSION}\n`, stderr: "" });
  });

  it("--help names every command, and each command has a help with all of its options", async () => {
    const { code, stdout } = await command(["--help"]);
    assert.equal(code, 0);
    const names = [...stdout.matchAll(/^ {2}pulumi-wapt ((?:fleet )?\w+)/gm)].map(([, name = ""]) => name);
    assert.ok(names.includes("sizing") && names.includes("summary"), stdout);
    for (const name of names) {
      const help = await command([...name.split(" "), "--help"]);
      assert.equal(help.code, 0, name);
      assert.match(help.stdout, new RegExp(`^usage: pulumi-wapt ${name} `));
      assert.match(help.stdout, /^ {2}--help +print this$/m);
    }
  });

  const refused: [string, string[], RegExp][] = [
    ["nothing", [], /^usage:\n {2}pulumi-wapt sizing CLIENTS/],
    ["a command that does not exist", ["tune", "3000"], /^pulumi-wapt has no command tune: see pulumi-wapt --help$/m],
    ["an option in a command's place", ["--json"], /^pulumi-wapt has no option --json: see pulumi-wapt --help$/m],
    ["a word too many", ["sizing", "3000", "4000"], /^sizing takes one number of clients: pulumi-wapt sizing 3000$/m],
    ["an option that does not exist", ["sizing", "3000", "--clients"], /^sizing has no option --clients: see/],
    ["an option without its value", ["summary", "a.json", "--format"], /^--format needs a value: see/],
    [
      "a value for an option that has none",
      ["sizing", "--allow-above-5000=1"],
      /^--allow-above-5000 takes no value: see/,
    ],
    [
      "a format that does not exist",
      ["summary", "package.json", "--format", "yaml"],
      /^--format is "yaml": give text, markdown/,
    ],
    ["a file that is not there", ["summary", "gone.json"], /^gone\.json: there is no such file$/m],
    ["no clients", ["sizing", "0"], /^CLIENTS is "0": give a whole number$/m],
    ["half a client", ["sizing", "0.5"], /^CLIENTS is "0\.5": give a whole number$/m],
    [
      "more clients than one server carries",
      ["sizing", "6000"],
      /use 2 servers of 3000 clients each, or give allowAbove5000/,
    ],
  ];
  for (const [name, words, reason] of refused) {
    it(`refuses ${name}, with status 1 and one sentence`, async () => {
      const { code, stdout, stderr } = await command(words);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, reason);
      assert.doesNotMatch(stderr, /\n +at /, "no stack is printed");
      if (words.length > 0) assert.equal(stderr.trim().split("\n").length, 1, stderr);
    });
  }

  it("inspect ends with status 1 and the reason where a server can't be reached", async () => {
    const { code, stdout, stderr } = await command(["inspect", "127.0.0.1", "--clients", "400", "--port", "1"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /127\.0\.0\.1:1: the connection was refused/);
  });
});
