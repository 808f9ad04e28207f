/** The command `pulumi-wapt`: what it prints, what it refuses, and its exit status. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sizeNames, sizing } from "../provider/sizing";
import { command } from "./support/command";

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

  it("--help prints its usage", async () => {
    const { code, stdout } = await command(["--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /^usage: pulumi-wapt sizing CLIENTS\n {7}pulumi-wapt show HOST CLIENTS/);
  });

  const refused: [string, string[], RegExp][] = [
    ["nothing", [], /^usage: pulumi-wapt sizing CLIENTS/],
    ["a command that does not exist", ["tune", "3000"], /^usage: /],
    ["a word too many", ["sizing", "3000", "4000"], /^usage: /],
    ["an option that does not exist", ["sizing", "3000", "--clients"], /Unknown option '--clients'/],
    ["no clients", ["sizing", "0"], /^CLIENTS is "0"; give a whole number$/m],
    ["half a client", ["sizing", "0.5"], /^CLIENTS is "0\.5"; give a whole number$/m],
    ["clients in words", ["show", "wapt.example", "many"], /^CLIENTS is "many"; give a whole number$/m],
    ["more clients than there are", ["sizing", "1e12"], /^clients: 1000000000000 is no whole number from 1 to/],
    ["more clients than one server carries", ["show", "wapt.example", "9000"], /use 2 servers of 4500 clients each/],
    ["a port that is none", ["show", "wapt.example", "400", "--port", "http"], /^connection\.port: a port is a number/],
  ];
  for (const [name, words, reason] of refused) {
    it(`refuses ${name}, with status 2 and before any connection`, async () => {
      const { code, stdout, stderr } = await command(words);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, reason);
      assert.doesNotMatch(stderr, /\n +at /, "no stack is printed");
    });
  }

  it("show ends with status 1 and the reason where the server can't be reached", async () => {
    const { code, stdout, stderr } = await command(["show", "127.0.0.1", "400", "--port", "1"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /127\.0\.0\.1:1: the connection was refused/);
  });
});
