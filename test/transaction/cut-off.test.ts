/**
 * A transaction that is cut off anywhere, on a server's files: a program sent in part runs nothing, one that is killed
 * before any command that changes a file leaves each old or new, and the next run finishes the work.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { services } from "../../provider/services";
import { isEmpty } from "../../provider/transaction/plan";
import { observeProgram, parseOutcome } from "../../provider/transaction/program";
import { apply, callsOf, plan, programOf, scopeOf, shells } from "../support/image";
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

/** `npm run rounds` kills a run before each of them, CI before one of each kind. */
const ALL = process.env.ROUNDS === "all";

/** Each of the commands as a function that counts itself in a file, and kills the shell before the n-th. */
function killedBefore(nth: number, counter: string): string {
  const functions = COMMANDS.map((name) => `${name}() { count_up; command ${name} "$@"; }`);
  // Builtins alone: a process for each count would take as long as the run itself.
  const countUp = `count_up() { read -r counted <'${counter}'; counted=$((counted + 1)); echo $counted >'${counter}'; if [ $counted = ${nth} ]; then kill -9 $$; fi; }`;
  return [`echo 0 >'${counter}'`, countUp, ...functions].join("\n");
}

/** Each of the commands as a function that notes its words in a file, a line for each. */
function noted(file: string): string {
  const functions = COMMANDS.map((name) => `${name}() { note_words ${name} "$@"; command ${name} "$@"; }`);
  // A program of awk's is no word of interest, but has lines.
  return [`note_words() { echo $* >>'${file}'; }`, ...functions].join("\n");
}

/** What a command is and where it acts: on what is kept of the run, on the backups, beside a file, or on the file. */
function kindOf(line: string): string {
  const words = line.split(" ");
  const on = words.at(-1)!;
  const where = /\/pulumi-wapt\//.test(on) ? on.replace(/.*\/var\/(lib|backups)\/.*/, "$1") : on.replace(/[^/]*$/, "");
  return `${words[0]} ${where}`;
}

/** The numbers of the commands, from 1, before which a run is killed: of each kind the one in the middle. */
function chosen(lines: readonly string[]): number[] {
  if (ALL) return lines.map((_, index) => index + 1);
  const kinds = new Map<string, number[]>();
  for (const [index, line] of lines.entries()) {
    kinds.set(kindOf(line), [...(kinds.get(kindOf(line)) ?? []), index + 1]);
  }
  return [...kinds.values()].map((numbers) => numbers[Math.floor(numbers.length / 2)]!);
}

/** A file of its own for each run: what outlives a killed run still counts in its file. */
function counters(context: TestContext): () => string {
  const folder = mkdtempSync(join(tmpdir(), "counter-"));
  context.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 200 }));
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
    // busybox takes its own programs, whatever PATH says.
    const skip = shell[0] === "busybox" && "PATH tells nothing here";
    it(`starts no program before it has set its PATH, by ${shell.join(" ")}`, { skip }, () => {
      const path = execFileSync("sh", ["-c", `command -v ${shell[0]}`], { encoding: "utf8" }).trim();
      for (const program of [observeProgram(scopeOf(""), services), programOf([":"])]) {
        const input = program.slice(0, program.lastIndexOf("\n{\n"));
        const { status, stderr } = spawnSync(path, ["-s"], { input, env: { PATH: "/nowhere" }, encoding: "utf8" });
        assert.deepEqual([status, stderr], [0, ""]);
      }
    });

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
      const remote = localRemote(mode === "apply" ? shells.at(-1) : shells[0]);
      const tuned = untunedServer(context);
      if (mode === "restore") assert.equal((await apply(remote, tuned, await plan(remote, tuned, 2500))).result, "ok");
      const prepared = () => {
        const root = untunedServer(context);
        rmSync(root, { recursive: true });
        // With times and owners, which a run looks at.
        execFileSync("cp", ["-a", tuned, root]);
        return root;
      };
      const calls = async (root: string) => callsOf(await plan(remote, root, 2500, mode), root);
      const whole = prepared();
      const old = settled(whole);
      const words = counter();
      await remote.run(programOf([noted(words), ...(await calls(whole))]));
      const commands = readFileSync(words, "latin1").trimEnd().split("\n");
      const [final, now] = [snapshot(whole), settled(whole)];
      assert.ok(commands.length > 40, `only ${commands.length} commands`);
      for (const nth of chosen(commands)) {
        const root = prepared();
        const { code } = await remote.run(programOf([killedBefore(nth, counter()), ...(await calls(root))]));
        const where = `killed before command ${nth}, ${commands[nth - 1]}`;
        assert.notEqual(code, 0, where);
        for (const [path, found] of Object.entries(settled(root))) {
          assert.ok(found === old[path] || found === now[path], `${path}, ${where}: ${found}`);
        }
        await apply(remote, root, await plan(remote, root, 2500, mode));
        assert.deepEqual(snapshot(root), final, where);
        assert.ok(isEmpty(await plan(remote, root, 2500, mode)), where);
      }
    });
  }
});
