/** What `npm run demo -- --real` says before it installs anything. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { needsInWords, realServerNeeds } from "../../examples/demo/server";
import { LAB_CACHE, labUnavailable, missingPackages } from "../lab/server";

describe("what a real server needs", () => {
  it("is every package that is missing, by its name, and the folder that is kept", () => {
    const [packages, kept, gone] = needsInWords(["systemd-container", "debootstrap"], "/root/.cache/lab");
    assert.equal(packages, "It installs on this machine, and leaves there: systemd-container, debootstrap (apt-get).");
    assert.match(
      kept ?? "",
      /keeps a Debian system of 700 MB in \/root\/\.cache\/lab, and makes it where there is none/,
    );
    assert.match(gone ?? "", /It goes at the end\.$/);
    assert.match(needsInWords([], "/")[0]!, /^It installs nothing on this machine/);
  });

  it("is that of this machine", { skip: labUnavailable() ?? false }, async () => {
    assert.deepEqual(await realServerNeeds(), needsInWords(missingPackages(), LAB_CACHE));
  });

  it("is said before the server is started", () => {
    const text = readFileSync(join(__dirname, "../../examples/demo/demo.ts"), "utf8");
    const [said, started] = [text.indexOf("await realServerNeeds()"), text.indexOf("realServer() :")];
    assert.ok(said > 0 && said < started);
  });
});
