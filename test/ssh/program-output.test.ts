import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Marker, NOISE_LIMIT, Output } from "../../provider/ssh/program-output";

test("the marker is found wherever the stream is cut, and all after it is kept", () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  const property = fc.property(
    bytes,
    bytes,
    fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
    (noise, text, cuts) => {
      const marker = new Marker();
      let begins = 0;
      const output = new Output(marker.line, 1000, () => begins++);
      let rest = Buffer.concat([noise, marker.line.subarray(0, 7), marker.line, text]);
      for (let i = 0; rest.length > 0; i++) {
        const length = cuts[i % cuts.length] ?? 1;
        assert.ok(output.add(rest.subarray(0, length)));
        rest = rest.subarray(length);
      }
      assert.deepEqual([output.bytes(), output.begun, begins], [text, true, 1]);
    },
  );
  fc.assert(property);
});

test("without a marker, what came in its place is kept", () => {
  const output = new Output(new Marker().line, 10, () => assert.fail("it did not begin"));
  output.add(Buffer.from("not "));
  output.add(Buffer.from("available"));
  assert.deepEqual([output.bytes().toString(), output.begun], ["not available", false]);
});

test("the limits of noise and of output", () => {
  const marker = new Marker();
  const output = new Output(marker.line, 4, () => {});
  assert.ok(output.add(Buffer.alloc(NOISE_LIMIT - marker.line.length, "x")));
  assert.ok(output.add(marker.line));
  assert.ok(output.add(Buffer.from("1234")));
  assert.ok(!output.add(Buffer.from("5")));
  assert.equal(output.bytes().toString(), "1234");
  assert.ok(!new Output(marker.line, 4, () => {}).add(Buffer.alloc(NOISE_LIMIT + 1)));
});

test("the code that prints the marker does not hold it", () => {
  const marker = new Marker();
  assert.ok(!marker.code.includes(marker.line.toString().trim()));
});
