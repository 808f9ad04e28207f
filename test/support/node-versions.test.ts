import assert from "node:assert/strict";
import { it } from "node:test";
import { newestEven } from "./node-versions";

it("the tested Node.js versions are the three newest even majors, without those of before 22", () => {
  const versions = ["20.1.0", "22.0.0", "22.5.1", "23.1.0", "24.9.0", "25.0.0", "26.1.0", "28.0.0-rc.1"];
  assert.deepEqual(newestEven(versions), [22, 24, 26]);
  assert.deepEqual(newestEven([...versions, "28.0.0", "100.0.0"]), [26, 28, 100]);
  assert.deepEqual(newestEven(["20.1.0", "22.0.0"]), [22]);
});
