/** An undo that can't start what the run had stopped notes all that is down then, for a later run to start. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { shells } from "../../support/image";
import { ran } from "../../support/shell-program";

/** A unit `a` that can't be started, and `b`, which needs it: systemd stops that one three moments later, or never. */
const stands = (goesDown: boolean) => `
stopped='b a' moment=0
lost() { echo "lost: $1"; }
try() { "$@"; }
start_stopped() { why='systemctl start a: failed' && return 1; }
is_running() { [ "$1" = b ] && { [ "$moment" -lt 3 ] || ${!goesDown}; }; }
lives() { if is_running b; then echo up; else echo down; fi; }
processor_time() { echo 1; }
sleep() { moment=$((moment + 1)); }
note_left() { for name; do is_running "$name" || echo "left: $name"; done; }
undo_systemd_start`;

for (const shell of shells) {
  for (const [goesDown, left] of [
    [true, ["left: b", "left: a"]],
    [false, ["left: a"]],
  ] as const) {
    it(`one that ${goesDown ? "is on its way down" : "stays up"} beside it, by ${shell.join(" ")}`, () => {
      const stdout = ran(shell, ["services/systemd/systemd.sh", stands(goesDown)]);
      assert.deepEqual(stdout.trim().split("\n"), ["lost: systemctl start a: failed", ...left]);
    });
  }
}
