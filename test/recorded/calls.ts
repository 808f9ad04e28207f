/** The calls that 0.1.0 made of plans; see README.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Change {
  from?: string;
  to: string;
}

/** What is recorded of one plan. */
export interface RecordedCalls<Plan> {
  /** The test that made the plan. */
  readonly test: string;
  readonly plan: Plan;
  readonly root: string;
  readonly holder: string;
  readonly calls: readonly string[];
}

/** Plan is 0.1.0's: a later version's reader translates it. */
export function recordedCalls<Plan extends { readonly changes: readonly unknown[] }>(): RecordedCalls<Plan>[] {
  const { texts, plans } = JSON.parse(readFileSync(join(__dirname, "calls-0.1.0.json"), "utf8"));
  const text = (name: string): string => {
    const stored = texts[name];
    return typeof stored === "string" ? stored : `${JSON.stringify(stored, null, 1)}\n`;
  };
  const whole = (short: string) => (short.startsWith("@") ? text(short.slice(1)) : short);
  const base64 = (_: string, name: string) => `'${Buffer.from(text(name), "latin1").toString("base64")}'`;
  return plans.map((one: RecordedCalls<{ changes: Change[] }>) => ({
    ...one,
    plan: {
      ...one.plan,
      changes: one.plan.changes.map((change) => ({
        ...change,
        from: change.from === undefined ? undefined : whole(change.from),
        to: whole(change.to),
      })),
    },
    calls: one.calls.map((call) => call.replace(/'base64 of @([^']+)'/, base64)),
  }));
}
