/** Of the units' own files those that name a limit are sent, masked, wherever they lie. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { parseReport } from "../../../provider/transaction/report";
import { imageOf, shells } from "../../support/image";
import { ran } from "../../support/shell-program";

const PROGRAM = ["transaction/lines.sh", "transaction/observe.sh", "services/systemd/systemd.sh"];

for (const shell of shells) {
  it(`also in a folder with a blank or a pattern in its name, by ${shell.join(" ")}`, (context) => {
    const limited = "[Service]\nExecStart=/bin/x secret\nLimitNOFILE=5\n";
    const files = {
      "/opt/my units/a.service": limited,
      "/opt/[b]*/b.service": limited,
      "/opt/b/b.service": "[Service]\nLimitNOFILE=6\n",
      "/etc/c.service": "[Service]\nExecStart=/bin/x\n",
    };
    const { root } = imageOf(context, files);
    const fragments = ["a /opt/my units/a.service", "b /opt/[b]*/b.service", "c /etc/c.service", "d /etc/none.service"];
    const calls = `root='${root}'; on_lines "$1" units_themselves; fact base end`;
    const report = parseReport(ran(shell, [...PROGRAM, calls], { words: [fragments.join("\n")] }));
    assert.deepEqual(report.facts("systemd").named("fragment"), [
      ["a", "/opt/my units/a.service"],
      ["b", "/opt/[b]*/b.service"],
    ]);
    assert.deepEqual([...report.files.keys()], ["/opt/my units/a.service", "/opt/[b]*/b.service"]);
    assert.match(report.files.get("/opt/my units/a.service")!, /^\[Service\]\nx+ x+\nLimitNOFILE=5\n$/);
  });
}
