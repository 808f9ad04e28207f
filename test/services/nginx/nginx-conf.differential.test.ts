/** Our reading and editing of nginx's configuration against a real nginx's. */
import assert from "node:assert/strict";
import { posix } from "node:path";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { walk } from "../../../provider/services/nginx/configuration";
import { nginxConf } from "../../../provider/services/nginx/nginx-conf";
import { tokenize, unquoted } from "../../../provider/services/nginx/tokenizer";
import { FormatError, type Tree } from "../../../provider/text/format";
import { edited, orRefused } from "../../support/lossless";
import {
  FOLDER,
  faultyTree,
  filesAndPatterns,
  KEYS,
  ROOT,
  soundTree,
  wanted,
  wordSalad,
} from "../../support/nginx-arbitrary";
import { type Configuration, type Verdict, verdicts, version, whyNotNginx } from "../../support/nginx-command";
import { casesOf, names, treeOf } from "../../support/nginx-corpus";
import { runs } from "../../support/runs";

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const why = whyNotNginx();
const isSkipped = why !== undefined && process.env.CI !== "true";

/** Errors of nginx that are not about the syntax, the files or the number of blocks and directives. */
const IS_ABOUT_MEANING = /^(unknown directive|invalid |"\w+" directive (invalid|is not allowed)|".*" directive is not)/;

/** Three directives, three ways in which nginx complains about a number. */
const NUMBER_ERROR = /^(?:"(\w+)" directive )?invalid (?:value|number)(?: "x")? in (@.*):(\d+)$/;

function samples<T>(arbitrary: fc.Arbitrary<T>, numRuns: number): T[] {
  return fc.sample(arbitrary, { numRuns: runs(numRuns), seed });
}

/** The same files for nginx, below a folder of their own. */
function configurationOf(tree: Tree): Configuration {
  return Object.fromEntries(
    [...tree.files].map(([path, text]) => [path.slice(FOLDER.length + 1), text.replaceAll(FOLDER, "@")]),
  );
}

/** With other paths of a server below that folder too, and without a file of the process number, which we name. */
function withPathsOf(configuration: Configuration): Configuration {
  const entries = Object.entries(configuration).map(([name, text]) => [
    name,
    text.replace("pid /run/nginx.pid;", "").replaceAll(/\/(?:srv|var\/tmp|var\/log\/nginx|var\/www)\//g, "@/"),
  ]);
  return Object.fromEntries(entries);
}

/** Our error, or undefined if we take the text. */
function refusal(run: () => unknown): FormatError | undefined {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof FormatError) return thrown;
    throw thrown;
  }
  return undefined;
}

function shown(tree: Tree | string, { isAccepted, error }: Verdict): string {
  return `nginx: ${isAccepted ? "accepts it" : error}\n${JSON.stringify(typeof tree === "string" ? tree : [...tree.files], null, 1)}`;
}

describe(`nginx's configuration against nginx (SEED=${seed})`, { skip: isSkipped && why }, () => {
  before(() => {
    assert.equal(why, undefined);
    console.log(version());
  });

  test("words are taken or refused alike", () => {
    const salads = samples(wordSalad, 900);
    const texts = salads.map((salad) => `events { }\nhttp { access_log off; types {\n${salad}\n} }\n`);
    const said = verdicts(texts.map((text) => ({ "nginx.conf": text })));
    const seen = { accepted: 0, refused: 0, unclear: 0 };
    for (const [at, text] of texts.entries()) {
      const verdict = said[at]!;
      const tree: Tree = { root: ROOT, files: new Map([[ROOT, text]]) };
      const ours = refusal(() => nginxConf.read(tree, []));
      if (verdict.isAccepted) {
        seen.accepted++;
        assert.equal(ours, undefined, shown(text, verdict));
      } else if (IS_ABOUT_MEANING.test(verdict.error)) {
        seen.unclear++;
      } else {
        seen.refused++;
        assert.notEqual(ours, undefined, shown(text, verdict));
      }
    }
    console.log(`words: ${JSON.stringify(seen)}`);
    assert(seen.accepted > runs(90) && seen.refused > runs(400) && seen.unclear < runs(90));
  });

  test("a word is unquoted alike", () => {
    // nginx prints a name that it does not know, and the line where its directive ends.
    const texts = samples(wordSalad, 500).map((salad) => `events { }\nhttp { }\n${salad};\n`);
    const said = verdicts(texts.map((text) => ({ "nginx.conf": text })));
    let compared = 0;
    for (const [at, text] of texts.entries()) {
      const statements = orRefused(() => tokenize(ROOT, text));
      const [, name, line] = /^unknown directive "(.*)" in @\/nginx.conf:(\d+)$/s.exec(said[at]!.error) ?? [];
      if (!statements || name === undefined) continue;
      const first = statements[4]!;
      const ours = unquoted(text, first.words[0]!);
      assert.equal(ours, name, shown(text, said[at]!));
      assert.equal(text.slice(0, first.end).split("\n").length, Number(line), shown(text, said[at]!));
      compared++;
    }
    console.log(`names: ${compared}`);
    assert(compared > runs(70));
  });

  test("an include reads the same files in the same order", () => {
    const cases = samples(filesAndPatterns, 400);
    const trees = cases.map(([paths, patterns]): Tree => {
      const text = patterns.map((pattern) => `include ${FOLDER}/f/${pattern};\n`).join("");
      const files = paths.map((path): [string, string] => [`${FOLDER}/f/${path}`, "# nothing\n"]);
      return { root: ROOT, files: new Map([[ROOT, `${text}events { }\n`], ...files]) };
    });
    const said = verdicts(trees.map(configurationOf));
    let compared = 0;
    for (const [at, tree] of trees.entries()) {
      const verdict = said[at]!;
      const ours = orRefused(() => [...walk(tree, new Set()).readings.keys()]);
      // glob(3) finds folders too, which nginx then cannot read; a tree does not tell of folders.
      if (/Is a directory/.test(verdict.error)) continue;
      assert.equal(ours !== undefined, verdict.isAccepted, shown(tree, verdict));
      if (!ours) continue;
      assert.deepEqual(
        ours.map((path) => path.slice(FOLDER.length + 1)),
        // nginx shows a file once for each spelling of its path.
        [...new Set(verdict.files.map((path) => posix.normalize(path)))],
        shown(tree, verdict),
      );
      if (ours.length > 1) compared++;
    }
    console.log(`includes: ${compared}`);
    assert(compared > runs(70));
  });

  test("configurations are taken or refused alike", () => {
    const trees = samples(fc.oneof(faultyTree, soundTree), 400);
    const said = verdicts(trees.map(configurationOf));
    for (const [at, tree] of trees.entries()) {
      const ours = refusal(() => nginxConf.read(tree, KEYS));
      assert.equal(ours === undefined, said[at]!.isAccepted, `${ours}\n${shown(tree, said[at]!)}`);
    }
    const accepted = said.filter(({ isAccepted }) => isAccepted).length;
    console.log(`configurations: ${accepted} accepted, ${said.length - accepted} refused`);
    assert(accepted > runs(100) && said.length - accepted > runs(100));
  });

  test("an edited configuration is accepted", () => {
    const cases = samples(fc.tuple(soundTree, wanted), 400);
    const trees = cases.flatMap(([tree, settings]) => orRefused(() => edited(nginxConf, tree, settings)) ?? []);
    assert(trees.length > runs(300));
    for (const [at, verdict] of verdicts(trees.map(configurationOf)).entries())
      assert(verdict.isAccepted, shown(trees[at]!, verdict));
  });

  test("the corpus, edited, is accepted", () => {
    const trees = names
      // These need a module and a compiled file.
      .filter((name) => !name.startsWith("lua-") && name !== "geo-of-a-compiled-file")
      .flatMap((name) => casesOf(name).map(({ wanted: settings, change }) => ({ name, settings, change })))
      .filter(({ change }) => change && change.length > 0)
      .map(({ name, settings }) => ({ name, tree: edited(nginxConf, treeOf(name), settings) }));
    assert(trees.length > 30);
    for (const [at, verdict] of verdicts(trees.map(({ tree }) => withPathsOf(configurationOf(tree)))).entries())
      assert(verdict.isAccepted, `${trees[at]!.name}: ${verdict.error}`);
  });

  test("a word or comment fills nginx's buffer where we say", () => {
    const texts = [4093, 4094, 4095, 4096, 4097].flatMap((length) => {
      const words = ["x".repeat(length), `"${"x".repeat(length)}"`, `# ${"x".repeat(length - 3)}\n`];
      return words.flatMap((word) => [`${word} a`, `${word}\n\n`, `a ${word};`, `${word}{`, word, `"a"${word}`]);
    });
    const said = verdicts(texts.map((text) => ({ "nginx.conf": text })));
    let long = 0;
    for (const [at, text] of texts.entries()) {
      const { error } = said[at]!;
      const ours = refusal(() => tokenize(ROOT, text))?.problem ?? "";
      const told = `${text.length} of ${text.slice(0, 4)}: ${ours}, ${error}`;
      // Of a word that is too long and has no end, we tell the latter.
      if (/^too long/.test(error)) assert.notEqual(ours, "", told);
      if (/outgrows/.test(ours)) assert.match(error, /^too long/, told);
      if (/^too long/.test(error)) long++;
    }
    assert(long > 20 && long < texts.length - 20);
  });

  test("nginx meets the value where we say that it stands", () => {
    // A number that nginx cannot read makes it say where it met it.
    const trees = samples(fc.tuple(soundTree, fc.constantFrom(...KEYS)), 400).map(([tree, key]): [Tree, string] => {
      return [edited(nginxConf, tree, { [key]: key === KEYS[2] ? "body x" : "x" }), key];
    });
    for (const [at, verdict] of verdicts(trees.map(([tree]) => configurationOf(tree))).entries()) {
      const [tree, key] = trees[at]!;
      const { file, line } = nginxConf.read(tree, [key])[key]!;
      const [, named, place, end] = NUMBER_ERROR.exec(verdict.error) ?? [];
      assert(named === undefined || key.endsWith(named), shown(tree, verdict));
      assert.equal(posix.normalize(place ?? ""), file.replace(FOLDER, "@"), shown(tree, verdict));
      // nginx counts up to the semicolon.
      const between = tree.files
        .get(file)!
        .split("\n")
        .slice(line - 1, Number(end))
        .join("\n");
      assert.match(between, /\bx\b/, shown(tree, verdict));
      assert(Number(end) - line <= 5, shown(tree, verdict));
    }
  });
});
