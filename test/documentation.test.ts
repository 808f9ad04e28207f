/** The documents say what the code says: tables are generated, every argument is documented, what is named exists. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { describe, it } from "node:test";
import { definitions } from "../provider/resources";
import { argumentNames } from "../provider/resources/definition";
import { proxyTempPath } from "../provider/resources/proxy-temp-path";
import { connectionSchema } from "../provider/ssh/connection";
import { argumentsOf, README, Sources, tables, withTables } from "./support/arguments-table";

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

describe("the README's tables", () => {
  it("are the generated ones: npm run docs writes them", () => {
    const text = readFileSync(README, "utf8");
    assert.equal(text, withTables(text, tables()));
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

describe("the programs of a site", () => {
  it("are one: that of the repository, and that of a new project with the same configuration", () => {
    assert.equal(read("examples/new-site/index.ts"), read("examples/site/index.ts"));
    const config = (path: string) => /^config:\n(?: .*\n)+/m.exec(read(path))?.[0];
    assert.equal(config("examples/new-site/Pulumi.yaml"), config("Pulumi.yaml"));
  });
});

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
];

describe("a room", () => {
  const provider = join(REPOSITORY, "provider");
  const rank = (path: string) => ROOMS.findIndex((room) => room.test(path));

  it("imports from itself and from those below it alone", () => {
    const wrong = filesBelow("provider", (path) => path.endsWith(".ts")).flatMap((path) => {
      const file = relative(provider, join(REPOSITORY, path));
      // The entrances, and the words for an error.
      if (rank(file) === -1) return [];
      return [...read(path).matchAll(/from "(\.[^"]+)"/g)]
        .map(([, target = ""]) => posix.join(posix.dirname(file), target))
        .map((target) => (existsSync(join(provider, target)) ? `${target}/index.ts` : `${target}.ts`))
        .filter((target) => target !== "problem.ts" && roomOf(target) !== roomOf(file) && rank(target) >= rank(file))
        .map((target) => `${file} imports ${target}`);
    });
    assert.deepEqual(wrong, []);
  });

  const roomOf = (path: string) => ROOMS[rank(path)]?.exec(path)?.[0];
});
