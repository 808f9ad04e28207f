/** What splice.sh makes of a file on a server, by each shell, against the same splices in memory. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Draft } from "../../provider/text/draft";
import { call } from "../../provider/text/shell";
import { spliced } from "../../provider/text/splices";
import { shells } from "../support/image";
import { ran } from "../support/shell-program";

const FILES = 60;
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array).toString("latin1"));
const sample = fc.tuple(
  bytes(300),
  fc.array(fc.record({ start: fc.nat(300), length: fc.nat(40), text: bytes(60) }), { minLength: 1, maxLength: 4 }),
);

for (const shell of shells) {
  describe(`splices, by ${shell.join(" ")} (SEED=${seed})`, () => {
    it("of any bytes make the same file on the server as in memory; a new file has no old one", (context) => {
      const folder = mkdtempSync(join(tmpdir(), "splices-"));
      context.after(() => rmSync(folder, { recursive: true, force: true }));
      const samples = fc.sample(sample, { numRuns: FILES, seed }).map(([old, wanted], at) => {
        const text = at % 10 === 0 ? "" : old;
        const splices = wanted.map(({ start, length, text: added }) => {
          const from = Math.min(start, text.length);
          return { start: from, end: Math.min(from + length, text.length), text: added };
        });
        return { text, splices: Draft.of(text).with(splices).splices };
      });
      const calls = samples.map(({ text, splices }, at) => {
        const [file, made] = [text === "" ? "/dev/null" : join(folder, String(at)), join(folder, `${at}.new`)];
        if (text !== "") writeFileSync(file, text, "latin1");
        const words = splices.flatMap(({ start, end, text: added }) => [
          String(start),
          String(end - start),
          Buffer.from(added, "latin1").toString("base64"),
        ]);
        return `${call("write_new_text", made, file, ...words)} || exit 1`;
      });
      ran(shell, ["transaction/splice.sh", "trap '' PIPE", ...calls], { env: { ...process.env, LC_ALL: "C" } });
      for (const [at, { text, splices }] of samples.entries()) {
        const made = readFileSync(join(folder, `${at}.new`), "latin1");
        assert.equal(made, spliced(text, splices), JSON.stringify([text, splices]));
      }
    });
  });
}
