/** What observe.sh of 0.1.0 reported of an untuned server's files: a later version reports the same, but for what it says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { recordedReport, reportBy } from "./report";

describe("the report of 0.1.0", () => {
  for (const shell of ["dash", "busybox"]) {
    const absent = spawnSync(shell, ["true"]).error !== undefined && `there is no ${shell}`;
    it(`by ${shell}`, { skip: absent }, async (context) => {
      const recorded = readFileSync(join(__dirname, `report-0.1.0-${shell}.txt`), "utf8");
      assert.equal(await reportBy(shell, context), recordedReport(recorded));
    });
  }
});
