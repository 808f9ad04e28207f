/** docs/ssh.md says of each keyword that is read what is done with it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const REPOSITORY = join(__dirname, "../..");
const read = (path: string) => readFileSync(join(REPOSITORY, path), "utf8");

test("each keyword of the ssh configuration that is read stands in docs/ssh.md", () => {
  const source = read("provider/ssh/ssh-config.ts");
  const keywords = [...source.matchAll(/(?:effective, |get\(|files\()"([a-z0-9]+)"/g)].map(
    ([, keyword = ""]) => keyword,
  );
  const documented = new Set(
    [...read("docs/ssh.md").matchAll(/`([A-Za-z0-9]+)`/g)].map(([, word = ""]) => word.toLowerCase()),
  );
  assert.ok(keywords.length > 25, String(keywords.length));
  assert.deepEqual(
    keywords.filter((keyword) => !documented.has(keyword)),
    [],
  );
});
