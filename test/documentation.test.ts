/** The documents say what the code says: tables are generated, every argument is documented, what is named exists. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { describe, it } from "node:test";
import { definitions } from "../provider/resources";
import { argumentNames } from "../provider/resources/definition";
import { proxyTempPath } from "../provider/resources/proxy-temp-path";
import { sizing } from "../provider/sizing";
import { connectionSchema } from "../provider/ssh/connection";
import { argumentsOf, RESOURCES, Sources, TROUBLESHOOTING, tables, withTables } from "./support/arguments-table";
import { messages } from "./support/messages";
import { troubleshooting } from "./support/troubleshooting";

const REPOSITORY = join(__dirname, "..");

/** The files below a folder, by their paths from the repository's root. */
function filesBelow(folder: string, isWanted: (path: string) => boolean): string[] {
  return readdirSync(join(REPOSITORY, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory())
      return /^(node_modules|dist|corpus|\.git)$/.test(entry.name) ? [] : filesBelow(path, isWanted);
    return isWanted(path) ? [path] : [];
  });
}

const read = (path: string): string => readFileSync(join(REPOSITORY, path), "utf8");

describe("what npm run docs writes", () => {
  it("are the tables of the resources", () => {
    const text = readFileSync(RESOURCES, "utf8");
    assert.equal(text, withTables(text, tables()));
  });

  it("is each refusal and warning of the sources, by its kind", () => {
    assert.equal(readFileSync(TROUBLESHOOTING, "utf8"), troubleshooting());
    const told = messages().map(({ text }) => text);
    // One of each way in which a message comes to be: else what finds them has gone blind.
    const known = [
      "give an absolute path: one that begins with /",
      "… clients are more than the … that one WAPT server carries: use … servers of … clients each, or give allowAbove5000: true to tune one for them all the same",
      "nginx is not running: its configuration is in place, it was not started",
      "preflight, workers: …nginx runs one worker on … processors: set worker_processes auto",
      "logged in as …, who is not root: give connection.sudo: true, or connect as root",
      "other runs were at work on the server while this one was planned; repeat it",
    ];
    assert.deepEqual(
      known.filter((text) => !told.includes(text)),
      [],
    );
  });
});

describe("an argument's documentation", () => {
  const sources = new Sources();
  const documented = (name: string): string[] => {
    const properties = sources.properties(name);
    const silent = properties.filter(({ text }) => text === "").map((property) => property.name);
    assert.deepEqual(silent, [], `of ${name} without documentation`);
    return properties.map((property) => property.name).sort();
  };

  for (const definition of definitions) {
    it(`is there for each argument that ${definition.type} takes, and for no other`, () => {
      assert.deepEqual(documented(argumentsOf(definition.type)), argumentNames(definition).sort());
    });
  }

  it("is there for each field of a connection, of its proxy and of the uploads", () => {
    const { proxy } = connectionSchema.shape;
    assert.deepEqual(documented("Connection"), Object.keys(connectionSchema.shape).sort());
    assert.deepEqual(documented("Hop"), Object.keys(proxy.unwrap().shape).sort());
    assert.deepEqual(documented("UploadsArguments"), Object.keys(proxyTempPath.schemas).sort());
  });

  it("is there for each size", () => {
    assert.equal(documented("Sizes").length, 10);
  });
});

describe("the README's picture", () => {
  it("shows what sizing() computes", () => {
    const sizes: Readonly<Record<string, number>> = { ...sizing(3000) };
    const shown = [...read("README.md").matchAll(/^.*[┌├└]─ .*? (\w+) {2,}(?:\d+|not set) → (\d+)$/gm)];
    const camel = (name: string) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    assert.equal(shown.length, 5);
    for (const [line, name = "", size] of shown) assert.equal(sizes[camel(name)], Number(size), line);
  });
});

describe("the programs of a site", () => {
  it("are one: that of the repository, and that of a new project with the same configuration", () => {
    assert.equal(read("examples/new-site/index.ts"), read("examples/site/index.mts"));
    const config = (path: string) => /^config:\n(?: .*\n)+/m.exec(read(path))?.[0];
    assert.equal(config("examples/new-site/Pulumi.yaml"), config("Pulumi.yaml"));
  });
});

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  const plain = (heading: string) => heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  return new Set(
    headings.map((heading) =>
      plain(heading)
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

describe("the documents", () => {
  for (const file of filesBelow(".", (path) => path.endsWith(".md"))) {
    it(`${file} names no link and no file that is not there`, () => {
      const text = read(file);
      const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, link = ""]) => link)
        .filter((link) => !/^[a-z]+:/.test(link))
        .map((link) => posix.join(dirname(file), link));
      const paths = [...text.matchAll(/`((?:provider|test|examples|\.ci)\/[\w./-]*)`/g)].map(([, path = ""]) => path);
      assert.deepEqual(
        [...links, ...paths].filter((path) => !existsSync(join(REPOSITORY, path))),
        [],
      );
      const anchors = [...text.matchAll(/\]\(([^)#\s]*)#([^)\s]+)\)/g)].filter(
        ([, link = ""]) => !/^[a-z]+:/.test(link),
      );
      const lost = anchors.filter(([, link = "", anchor = ""]) => {
        const target = link === "" ? file : posix.join(dirname(file), link);
        return target.endsWith(".md") && !anchorsOf(read(target)).has(anchor);
      });
      assert.deepEqual(
        lost.map(([link]) => link),
        [],
      );
    });
  }
});

/** The rooms from the lowest up, as ARCHITECTURE.md has them; a service's folder is a room. */
const ROOMS = [
  /^text\//,
  /^ssh\//,
  /^transaction\//,
  /^services\/[^/]+\//,
  /^services\/index\.ts$/,
  /^sizing\.ts$/,
  /^resources\//,
  /^pulumi\/(program|engine)\//,
  /^command\//,
];

describe("a room", () => {
  const provider = join(REPOSITORY, "provider");
  const rank = (path: string) => ROOMS.findIndex((room) => room.test(path));

  it("imports from itself and from those below it alone", () => {
    const wrong = filesBelow("provider", (path) => path.endsWith(".ts")).flatMap((path) => {
      const file = relative(provider, join(REPOSITORY, path));
      // The entrances, and the words for an error.
      if (rank(file) === -1) return [];
      return (
        [...read(path).matchAll(/from "(\.[^"]+)"/g)]
          .map(([, target = ""]) => posix.join(posix.dirname(file), target))
          .map((target) => (existsSync(join(provider, target)) ? `${target}/index.ts` : `${target}.ts`))
          .filter((target) => target !== "problem.ts" && roomOf(target) !== roomOf(file))
          // The command does without Pulumi's rooms.
          .filter((target) => rank(target) >= rank(file) || (/^command\//.test(file) && /^pulumi\//.test(target)))
          .map((target) => `${file} imports ${target}`)
      );
    });
    assert.deepEqual(wrong, []);
  });

  const roomOf = (path: string) => ROOMS[rank(path)]?.exec(path)?.[0];
});
