/** A server that lies: each ends in one plain line that names it, within bounds of time and memory. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { RefusedError } from "../../provider/problem";
import { services } from "../../provider/services";
import { closeAll, open } from "../../provider/ssh/session";
import { FormatError } from "../../provider/text/format";
import { parseOutcome } from "../../provider/transaction/program";
import { ManagedServer } from "../../provider/transaction/server";
import { scopeOf } from "../support/image";
import { inProcess, runShell, to } from "../support/in-process-server";
import { Sandbox } from "../support/sandbox";

new Sandbox();
after(closeAll);

/** What is said once the program has begun; the program itself is not run. */
async function saying(commands: string) {
  const server = await inProcess({
    execute: (channel) => runShell(channel, `IFS= read -r marker; eval "$marker"; ${commands}`),
  });
  const managed = new ManagedServer(services, () => open(to(server)), "a test");
  const started = performance.now();
  const memory = process.memoryUsage().rss;
  const error = await managed.observe(scopeOf("")).then(
    () => assert.fail("it was believed"),
    (reason: Error) => reason,
  );
  const [seconds, mebibytes] = [(performance.now() - started) / 1000, (process.memoryUsage().rss - memory) / 2 ** 20];
  assert.ok(seconds < 60 && mebibytes < 400, `${seconds} s, ${mebibytes} MiB`);
  assert.match(error.message, /^[ -~]{1,2000}$/);
  assert.ok(error.message.includes("127.0.0.1"), error.message);
  return error.message;
}

const FACT = Buffer.from("nginx\0worker\x001\x002\x003\0").toString("base64");
const END = Buffer.from("base\0end\0").toString("base64");

describe("a report", () => {
  test("of 400,000 lines", async () => {
    const said = await saying(`yes ${FACT} | head -n 400000; echo ${END}`);
    assert.match(said, /report has more than 100000 lines, which no server has$/);
  });

  test("of 99,000 facts without an end", async () => {
    assert.match(await saying(`yes ${FACT} | head -n 99000`), /report is not whole: its last line is missing$/);
  });

  test("without an end", async () => assert.match(await saying("yes"), /the command printed more than 32 MiB$/));

  test("of one line without an end", async () => {
    assert.match(await saying("tr '\\0' A </dev/zero"), /the command printed more than 32 MiB$/);
  });

  test("of 20 MiB of bytes that are no base64", async () => {
    assert.match(await saying("head -c 20971520 /dev/urandom"), /report/);
  });

  test("and a complaint with commands for a terminal and a CI", async () => {
    const said = await saying("printf '::error::x\\n\\033[2J##vso[task.complete]\\n' >&2; exit 3");
    assert.match(said, /failed with status 3: \\::error::x \\x1b\[2J#\\#vso\[task.complete\]$/);
  });

  test("with a record of nobody's", async () => {
    const record = Buffer.from('file\0/var/lib/pulumi-wapt/record.json\0{"version": 9}').toString("base64");
    assert.match(await saying(`echo ${record}; echo ${END}`), /record.json is no record of this version/);
  });
});

describe("words of a server", () => {
  const hostile = "::warning::a\n##vso[x]\x1b[31m";
  const shown = "\\::warning::a #\\#vso[x]\\x1b[31m";

  test("are harmless in a transaction's notes and reason, which are no more than a hundred", () => {
    const line = (word: string, text: string) => `${word} ${Buffer.from(text).toString("base64")}\n`;
    const report = line("note", hostile).repeat(100_000) + line("result", `refused ${hostile}`);
    const { notes, reason } = parseOutcome(report);
    assert.deepEqual([notes.length, notes[0], reason], [100, shown, shown]);
  });

  test("are harmless in errors", () => {
    assert.equal(new FormatError(hostile, 1, "x").message, `${shown}:1: x`);
    assert.equal(new RefusedError([{ property: "p", reason: hostile }]).message, shown);
    assert.equal(new RefusedError([{ property: "p", reason: hostile }]).problems[0]!.reason, shown);
  });
});
