/** The calls of every plan that the unit tests of 0.1.0 made: a later version makes the same, but for what it says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Plan } from "../../provider/converge/plan";
import { transactionCalls } from "../../provider/converge/transaction";
import { recordedCalls } from "./calls";

describe("the calls of 0.1.0", () => {
  for (const { test, plan, root, holder, calls } of recordedCalls<Plan>()) {
    it(test, () => assert.deepEqual(transactionCalls(plan, root, holder), calls));
  }
});
