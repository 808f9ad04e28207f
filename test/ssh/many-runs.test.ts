/** Many runs of a program that are asked for together, as against one after another. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LocalProgramError } from "../../provider/ssh/local-program";
import { runnerOfMany } from "../../provider/ssh/many-runs";

/** Prints its words, notes who started it, and hangs, fails or is silent where it is told so. */
const PROGRAM = `#!/bin/sh
echo "$PPID" >>"\${0%/*}/parents"
case $1 in
  hangs) exec sleep 60 ;;
  fails) echo "no such $2" >&2; exit 3 ;;
  silent) exit 0 ;;
esac
printf '<%s>' "$@"
`;

function program(context: { after(done: () => void): void }) {
  const folder = mkdtempSync(join(tmpdir(), "wapt-runs-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "program");
  writeFileSync(path, PROGRAM);
  chmodSync(path, 0o755);
  const shells = () => new Set(readFileSync(join(folder, "parents"), "utf8").trim().split("\n"));
  return { run: runnerOfMany(path, 3), shells };
}

describe("runs that are asked for together", () => {
  it("each have their own output, errors and status, by few shells", async (t) => {
    const { run, shells } = program(t);
    const words = (i: number) =>
      i % 10 === 3 ? ["fails", `${i}`] : i % 10 === 7 ? ["silent"] : [`${i} 'a"`, "$HOME", ""];
    const results = await Promise.all(Array.from({ length: 60 }, (_, i) => run(words(i))));
    for (const [i, result] of results.entries()) {
      const good = { stdout: `<${i} 'a"><$HOME><>`, stderr: "", code: 0 };
      const expected = { 3: { stdout: "", stderr: `no such ${i}\n`, code: 3 }, 7: { stdout: "", stderr: "", code: 0 } }[
        i % 10
      ];
      assert.deepEqual(result, expected ?? good);
    }
    assert.equal(shells().size, 3);
  });

  it("are told apart where one hangs: the others have their answers", async (t) => {
    const { run } = program(t);
    const [first, hanging, last] = await Promise.allSettled([run(["a"]), run(["hangs"]), run(["b"])]);
    assert.deepEqual(
      [first, last].map((one) => one?.status === "fulfilled" && one.value.stdout),
      ["<a>", "<b>"],
    );
    assert.ok(hanging?.status === "rejected" && hanging.reason instanceof LocalProgramError);
    assert.equal(hanging.reason.kind, "late");
  });

  it("each say that there is no such program", async () => {
    const run = runnerOfMany(join(__dirname, "no-such-program"));
    for (const one of await Promise.allSettled([run(["a"]), run(["b"])]))
      assert.equal(one.status === "rejected" && one.reason instanceof LocalProgramError && one.reason.kind, "missing");
  });
});
