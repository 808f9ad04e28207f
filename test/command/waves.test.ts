/** Waves: who is started when, and what stops it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { rollOut, waveEnds } from "../../provider/command/waves";

describe("the ends of waves", () => {
  it("are numbers and shares of all stacks, rounded up", () => {
    assert.deepEqual(waveEnds("1,10%,100%", 30), [1, 3, 30]);
    assert.deepEqual(waveEnds("1, 25 %, 100%".replace(" %", "%"), 10), [1, 3, 10]);
    assert.deepEqual(waveEnds("1,10%,100%", 1), [1]);
    assert.deepEqual(waveEnds("1,10%,100%", 5), [1, 5]);
    assert.deepEqual(waveEnds("50", 5), [5]);
  });

  const refused: [string, RegExp][] = [
    ["", /give how many stacks each wave ends with, such as 1,10%,100%/],
    ["1,all", /give how many stacks/],
    ["0,100%", /give how many stacks/],
    ["101%", /give how many stacks/],
    ["3,2,100%", /each wave ends with more stacks than the one before it/],
    ["1,10%", /27 of 30 stacks are in none; end it with 100%/],
  ];
  for (const [text, reason] of refused) {
    it(`refuses "${text}"`, () => assert.throws(() => waveEnds(text, 30), reason));
  }

  it("are never more than the stacks, rise, and end with all of them", () => {
    const share = fc.integer({ min: 1, max: 99 });
    fc.assert(
      fc.property(fc.array(share, { maxLength: 4 }), fc.integer({ min: 1, max: 500 }), (shares, stacks) => {
        const text = [...shares.sort((a, b) => a - b), 100].map((one) => `${one}%`).join(",");
        const ends = waveEnds(text, stacks);
        assert.equal(ends.at(-1), stacks);
        assert.ok(ends.every((end, at) => end >= 1 && (at === 0 || end > ends[at - 1]!)));
      }),
    );
  });
});

describe("a roll-out", () => {
  /** Each stack takes some turns of the event loop, and fails where it is said to. */
  async function rolledOut(
    turns: readonly number[],
    failing: ReadonlySet<number>,
    waves: number[],
    parallel: number,
    maxFail: number,
  ) {
    const stacks = turns.map((_, at) => `s${at}`);
    const running = new Set<string>();
    const events: string[] = [];
    let most = 0;
    const { done, notStarted } = await rollOut(
      stacks,
      { waves, parallel, maxFail, isFailure: (ok: boolean) => !ok, isStopped: () => false },
      async (stack) => {
        const at = stacks.indexOf(stack);
        events.push(`+${at}`);
        running.add(stack);
        most = Math.max(most, running.size);
        for (let turn = 0; turn < turns[at]!; turn++) await new Promise(setImmediate);
        running.delete(stack);
        events.push(`-${at}`);
        return !failing.has(at);
      },
    );
    return { stacks, done, notStarted, events, most };
  }

  it("starts every stack once and in order, no wave before the end of the one before it, never too many at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(4), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 99 }),
        async (turns, parallel, share) => {
          const waves = waveEnds(`${share}%,100%`, turns.length);
          const { stacks, done, notStarted, events, most } = await rolledOut(turns, new Set(), waves, parallel, 0);
          assert.deepEqual(notStarted, []);
          assert.equal(done.length, stacks.length);
          assert.deepEqual(
            events.filter((event) => event.startsWith("+")),
            stacks.map((_, at) => `+${at}`),
          );
          assert.ok(most <= parallel);
          const first = waves[0]!;
          if (first < stacks.length) {
            const ended = events.slice(0, events.indexOf(`+${first}`)).filter((event) => event.startsWith("-"));
            assert.equal(ended.length, first);
          }
        },
      ),
    );
  });

  it("stops when there are more failures than allowed, and lets those that run end", async () => {
    const { done, notStarted } = await rolledOut([1, 9, 9, 1, 1], new Set([0]), [5], 3, 0);
    assert.deepEqual(done.map(({ stack }) => stack).sort(), ["s0", "s1", "s2"]);
    assert.deepEqual(notStarted, ["s3", "s4"]);
  });

  it("goes on with as many failures as allowed", async () => {
    const { done, notStarted } = await rolledOut([1, 1, 1, 1], new Set([0, 1]), [1, 4], 1, 1);
    assert.deepEqual([done.length, notStarted], [2, ["s2", "s3"]]);
  });

  it("does not begin a wave when its canary has failed", async () => {
    const { done, notStarted } = await rolledOut([0, 0, 0], new Set([0]), [1, 3], 3, 0);
    assert.deepEqual([done.length, notStarted], [1, ["s1", "s2"]]);
  });
});
