/** Our reading and editing of postgresql.conf against a real PostgreSQL server's. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { postgresqlConf } from "../../../provider/services/postgresql/postgresql-conf";
import { FormatError, type Found, type Tree } from "../../../provider/text/format";
import { edit, edited } from "../../support/lossless";
import { KEY, tokenSalad, wantedValue, wholeTree } from "../../support/postgresql-arbitrary";
import { type FileSetting, Server, whyNotServer } from "../../support/postgresql-server";

const FILES = 2000;
const KEYS = [KEY, "port", "shared_buffers", "external_pid_file", "my.setting", "n\xefve.x"];
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** Which errors of pg_file_settings stop PostgreSQL from reading the files; others are about names and values. */
const isUnreadable = ({ error }: FileSetting): boolean =>
  /^(syntax error|could not open|nesting depth|configuration file recursion|empty configuration)/.test(error);

const why = whyNotServer();
const isSkipped = why !== undefined && process.env.CI !== "true";

describe(`postgresql.conf against the server (SEED=${seed})`, { skip: isSkipped && why }, () => {
  let server: Server;
  before(async () => {
    assert.equal(why, undefined);
    server = new Server();
    await server.start();
  });
  after(() => server?.stop());

  test(`${FILES} trees are read alike, and edited so that the server reads the same but for the wanted value`, async () => {
    const seen = { edited: 0, refused: 0, overridden: 0, started: 0 };
    for (const [tree, value] of fc.sample(fc.tuple(wholeTree, wantedValue), { numRuns: FILES, seed })) {
      const shown = JSON.stringify([...tree.files], null, 1);
      server.write(tree);
      const was = await server.fileSettings();
      const found = readOrRefuse(tree, KEYS);
      assert.equal(found instanceof FormatError, was.some(isUnreadable), `${found}\n${JSON.stringify(was)}\n${shown}`);
      if (found instanceof FormatError) {
        assertPlace(server, tree, found, was);
        seen.refused++;
        continue;
      }
      for (const key of KEYS)
        assert.deepEqual(place(server, tree, found[key]), effective(was, key), `${key} in ${shown}`);
      const overridden = tree.files.get(tree.after![0]!)?.includes(KEY) && value !== "1000";
      if (overridden) {
        assert.throws(() => edit(postgresqlConf, tree, { [KEY]: value }), FormatError);
        seen.overridden++;
        continue;
      }
      const didStart = seen.edited++ % 5 === 0 && server.startsWith("port") !== undefined;
      server.write(edited(postgresqlConf, tree, { [KEY]: value }));
      const is = await server.fileSettings();
      assert.equal(effective(is, KEY)?.value, value, shown);
      assert.deepEqual(others(is), others(was), shown);
      if (didStart) assert.equal(server.startsWith(KEY), value, shown);
      if (didStart) seen.started++;
    }
    console.log(`PostgreSQL ${server.version()}: ${JSON.stringify(seen)}`);
    for (const [kind, count] of Object.entries(seen)) assert.ok(count >= FILES / 50, `only ${count} ${kind}`);
  });

  test(`${2 * FILES} files of tokens in any order are read alike`, async () => {
    const keys = [KEY, "a.b"];
    let readable = 0;
    for (const tree of fc.sample(tokenSalad, { numRuns: 2 * FILES, seed })) {
      server.write(tree);
      const was = await server.fileSettings();
      const found = readOrRefuse(tree, keys);
      const shown = `${found}\n${JSON.stringify(was)}\n${JSON.stringify(tree.files.get(tree.root))}`;
      assert.equal(found instanceof FormatError, was.some(isUnreadable), shown);
      if (found instanceof FormatError) {
        assertPlace(server, tree, found, was);
      } else {
        for (const key of keys) assert.deepEqual(place(server, tree, found[key]), effective(was, key), shown);
        if (found[KEY]) readable++;
      }
    }
    assert.ok(readable >= FILES / 50, `only ${readable} files set ${KEY}`);
  });
});

function readOrRefuse(tree: Tree, keys: readonly string[]): Readonly<Record<string, Found>> | FormatError {
  try {
    return postgresqlConf.read(tree, keys);
  } catch (thrown) {
    assert.ok(thrown instanceof FormatError);
    return thrown;
  }
}

/** The first syntax error that the server reports is the one that is refused. */
function assertPlace(server: Server, tree: Tree, refused: FormatError, was: readonly FileSetting[]): void {
  const first = was.find(isUnreadable)!;
  if (first.error !== "syntax error") return;
  const lines = tree.files.get(refused.file)!.split("\n");
  // Of a line that ends too early at the end of its file, the server names the line before.
  const isEarly = refused.line === lines.length && first.line === refused.line - 1;
  const line = isEarly ? first.line : refused.line;
  assert.deepEqual([server.place(tree, refused.file), line], [first.file, first.line], refused.message);
}

function place(server: Server, tree: Tree, found: Found | undefined) {
  return found && { value: found.value, file: server.place(tree, found.file), line: found.line };
}

function effective(settings: readonly FileSetting[], key: string) {
  const last = settings.findLast(({ name }) => name.toLowerCase() === key);
  return last && { value: last.value, file: last.file, line: last.line };
}

/** Everything that the server reads but max_connections; without lines, which an insertion moves. */
function others(settings: readonly FileSetting[]) {
  const rest = settings.filter(({ name }) => name.toLowerCase() !== KEY);
  return rest.map(({ name, value, file }) => ({ name, value, file }));
}
