/** An old Node.js is named at once, at each entrance of the package. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { demandNode } from "../provider/node-version";

describe("the version of Node.js", () => {
  it("is 22.18 or newer, as the package says", () => {
    for (const version of ["22.18.0", "22.23.1", "24.0.0", "100.1.0"]) demandNode(version);
    for (const version of ["22.17.1", "20.20.2", "18.0.0"])
      assert.throws(() => demandNode(version), new RegExp(`needs Node\\.js 22.18 or newer, and this is ${version}: `));
  });

  it("is that of the package's engines", () => {
    assert.equal(JSON.parse(readFileSync(join(__dirname, "../package.json"), "utf8")).engines.node, ">=22.18");
  });

  it("is looked at before anything else is loaded, whichever way in is taken", () => {
    const { exports, bin } = JSON.parse(readFileSync(join(__dirname, "../package.json"), "utf8"));
    const ways = [".", "./runtime", "./site"].map((way) => exports[way].default as string);
    for (const built of [...ways, ...(Object.values(bin) as string[])]) {
      const text = readFileSync(
        join(__dirname, "..", built.replace("dist/", "provider/").replace(/\.js$/, ".ts")),
        "utf8",
      );
      assert.match(/^(?:import|export) .*$/m.exec(text)![0], /^import ".*\/node-version";$/, built);
    }
  });
});
