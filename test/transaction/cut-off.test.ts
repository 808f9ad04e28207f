/**
 * A transaction that is cut off anywhere, on a server's files: a program sent in part runs nothing, one that is killed
 * before any command that changes a file leaves each old or new, and the next run finishes the work.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { isEmpty } from "../../provider/transaction/plan";
import { parseOutcome } from "../../provider/transaction/program";
import { apply, callsOf, plan, programOf, shells } from "../support/image";
import { localRemote, snapshot, untunedServer } from "../support/local-remote";

/** Commands that change something, or promise that it lasts. */
const COMMANDS = [
  "mkdir",
  "cp",
  "ln",
  "mv",
  "rm",
  "rmdir",
  "sync",
  "touch",
  "timeout",
  "chmod",
  "chown",
  "flock",
] as const;

/** Each of the commands as a function that counts itself in a file, and kills the shell before the n-th. */
function killedBefore(nth: number, counter: string): string {
  const functions = COMMANDS.map((name) => `${name}() { count_down; command ${name} "$@"; }`);
  const countDown = `count_down() { echo >>'${counter}'; if [ "$(wc -l <'${counter}')" = ${nth} ]; then kill -9 $$; fi; }`;
  return [countDown, ...functions].join("\n");
}

/** A file of its own for each run: what outlives a killed run still counts in its file. */
function counters(context: TestContext): () => string {
  const folder = mkdtempSync(join(tmpdir(), "counter-"));
  context.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));
  let runs = 0;
  return () => join(folder, String(++runs));
}

/** A snapshot without what a killed run may leave until the next one: its temporary files and folders that it made. */
function settled(root: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(snapshot(root)).filter(
      ([path, what]) => !path.includes(".pulumi-wapt.") && !what.endsWith("folder"),
    ),
  );
}

describe("a transaction that is cut off", () => {
  for (const shell of shells) {
    it(`runs nothing when it is sent in part, by ${shell.join(" ")}`, async (context) => {
      const root = untunedServer(context);
      const remote = localRemote(shell);
      const program = programOf(callsOf(await plan(remote, root, 2500), root));
      const untouched = snapshot(root);
      for (let part = 0; part < 20; part++) {
        const { stdout } = await remote.run(program.slice(0, Math.floor((program.length * part) / 20)));
        assert.equal(stdout.length, 0);
        assert.deepEqual(snapshot(root), untouched);
      }
      const { stdout } = await remote.run(program);
      assert.equal(parseOutcome(stdout.toString("latin1")).result, "ok");
      assert.notDeepEqual(snapshot(root), untouched);
    });
  }

  for (const mode of ["apply", "restore"] as const) {
    it(`leaves each file old or new wherever it is killed, and the next run goes on: ${mode}`, async (context) => {
      const counter = counters(context);
      const remote = localRemote(shells.at(-1));
      const prepared = async () => {
        const root = untunedServer(context);
        if (mode === "restore") assert.equal((await apply(remote, root, await plan(remote, root, 2500))).result, "ok");
        return root;
      };
      const program = async (root: string, nth: number, count = counter()) => {
        const calls = callsOf(await plan(remote, root, 2500, mode), root);
        return programOf([killedBefore(nth, count), ...calls]);
      };
      const whole = await prepared();
      const old = settled(whole);
      const count = counter();
      await remote.run(await program(whole, -1, count));
      const [final, commands] = [snapshot(whole), readFileSync(count, "latin1").length];
      const now = settled(whole);
      assert.ok(commands > 40, `only ${commands} commands`);
      // A file takes about ten: every seventh meets each kind of command.
      for (let nth = 1; nth <= commands; nth += 7) {
        const root = await prepared();
        const { code } = await remote.run(await program(root, nth));
        assert.notEqual(code, 0);
        for (const [path, found] of Object.entries(settled(root))) {
          assert.ok(found === old[path] || found === now[path], `${path}, killed before command ${nth}: ${found}`);
        }
        await apply(remote, root, await plan(remote, root, 2500, mode));
        assert.deepEqual(snapshot(root), final, `killed before command ${nth}`);
        assert.ok(isEmpty(await plan(remote, root, 2500, mode)), `killed before command ${nth}`);
      }
    });
  }
});
