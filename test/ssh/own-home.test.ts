/** ssh's configuration in the home folder that ssh itself takes, and names that ssh makes canonical. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { account, homeOf } from "../support/accounts";
import { inOwnHome, whyNoOwnHome } from "../support/own-home";
import { Sandbox } from "../support/sandbox";

const sandbox = new Sandbox();

/** Where these hosts lead to; or the error. */
const routes = (...hosts: string[]) => routesBy("", ...hosts);

/** After some code of its own. */
function routesBy(before: string, ...hosts: string[]): string[] {
  const code = `
    const { routeOf } = require(${JSON.stringify(join(__dirname, "../../provider/ssh/session.ts"))});
    ${before}
    const all = ${JSON.stringify(hosts)}.map((host) => routeOf({ host }).catch((error) => error.message));
    Promise.all(all).then((found) => console.log(found.join("\\n")));`;
  return inOwnHome(sandbox, code, { "paris.town.test.": "127.0.0.1", "lyon.town.test.": "127.0.0.2" })
    .trim()
    .split("\n");
}

describe("the configuration in ssh's own home folder", { skip: whyNoOwnHome() }, () => {
  test("an Include that is relative to ~/.ssh, by a name, a pattern or the home folder", () => {
    mkdirSync(sandbox.path(".ssh/more"));
    sandbox.write(".ssh/one", "Host one\nPort 2201\n");
    sandbox.write(".ssh/2-two", "Host two\nPort 2202\n");
    sandbox.write(".ssh/more/three", "Host three\nPort 2203\n");
    sandbox.config("Include one", "Include [0-9]*", "Include ~/.ssh/more/*", "Host *", "HostName 127.0.0.1");
    const found = routes("one", "two", "three", "four");
    assert.deepEqual(
      found,
      [2201, 2202, 2203, 22].map((port) => `root@127.0.0.1:${port}`),
    );
  });

  test("a user who is not root: whom the configuration names, also by the own name, else root", () => {
    const name = account(sandbox);
    const home = homeOf(name);
    const lines = [
      "Host own",
      `User ${name}`,
      "Host other",
      "User admin",
      "Host late",
      "Match final originalhost late",
      "User late",
    ];
    mkdirSync(join(home, ".ssh"));
    writeFileSync(join(home, ".ssh/config"), lines.map((line) => `${line}\n`).join(""));
    execFileSync("chown", ["-R", name, join(home, ".ssh")]);
    const id = Number(execFileSync("id", ["-u", name]));
    const code = `process.setgid(${id}); process.setuid(${id}); process.env.HOME = ${JSON.stringify(home)};`;
    const found = routesBy(code, "own", "other", "late", "none");
    assert.deepEqual(found, [`${name}@own:22`, "admin@other:22", "late@late:22", "root@none:22"]);
  });

  test("a name that canonical domains complete", () => {
    sandbox.config(
      "CanonicalizeHostname yes",
      "CanonicalDomains town.test",
      "Host *.town.test",
      "User admin",
      "Host lyon",
      "Port 2222",
    );
    const found = routes("paris", "lyon", "nowhere");
    assert.deepEqual(found, ["admin@paris.town.test:22", "admin@lyon.town.test:2222", "root@nowhere:22"]);
  });

  test("a file that others may change is refused, as by ssh", () => {
    sandbox.write(".ssh/config", "Host *\nPort 2222\n", 0o666);
    assert.match(routes("paris").join(), /^ssh -G paris: Bad owner or permissions on .*\/\.ssh\/config$/);
  });
});
