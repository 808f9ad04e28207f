import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { argumentNames } from "../../provider/resources/definition";
import { waptServer } from "../../provider/resources/wapt-server";
import { nearest, notAName } from "../../provider/text/nearest";

const names = argumentNames(waptServer);

describe("the nearest name", () => {
  const meant: [string, string][] = [
    ["workerConections", "workerConnections"],
    ["worker_connections", "workerConnections"],
    ["alowAbove5000", "allowAbove5000"],
    ["uplods", "uploads"],
    ["restrt", "restart"],
    ["cleints", "clients"],
    ["nofiles", "nofile"],
    ["max_connections", "maxConnections"],
    ["workrConections", "workerConnections"],
  ];
  for (const [word, name] of meant) it(`of ${word} is ${name}`, () => assert.equal(nearest(word, names), name));

  it("of each name with one letter left out is that name", () => {
    const short = names.map((name) => `${name.slice(0, 2)}${name.slice(3)}`);
    assert.deepEqual(
      short.map((word) => nearest(word, names)),
      names,
    );
  });

  it("of the beginning of one is that one, and of another word there is none", () => {
    assert.equal(nearest("Postgres", ["KernelLimits", "PostgresConnections"]), "PostgresConnections");
    assert.equal(nearest("Post", ["KernelLimits", "PostgresConnections"]), "PostgresConnections");
    for (const word of ["", "x", "database", "Pos"]) assert.equal(nearest(word, names), undefined);
  });

  it("of a short word is one letter away, or two that are swapped", () => {
    for (const name of ["abxd", "abc", "abcde", "bacd", "abdc"]) assert.equal(nearest("abcd", [name]), name);
    for (const name of ["eacd", "becd", "abef", "ab", "badc"]) assert.equal(nearest("abcd", [name]), undefined, name);
    assert.equal(nearest("port", ["prot", "port"]), "port");
  });

  it("is asked for in a sentence, which lists all where none is near", () => {
    assert.equal(notAName("key", ["prot"], ["host", "port"]), "no such key: did you mean port?");
    assert.equal(notAName("key", ["x"], ["host", "port"]), "no such key; there are host, port");
    assert.equal(notAName("key", ["prot", "hots"], ["host", "port"]), "no such key: did you mean port and host?");
    assert.equal(notAName("key", [], ["host", "port"]), "no such key; there are host, port");
    assert.equal(notAName("key", ["x", "prot"], ["host", "port"]), "no such key; there are host, port");
  });
});
