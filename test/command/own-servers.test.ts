/** A server in two stacks of a fleet: it is refused by what the configurations say, before a stack is started. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namedTwice, serversIn } from "../../provider/command/own-servers";
import { command } from "../support/command";
import { pulumiStandIn } from "../support/pulumi-stand-in";
import { previewOf } from "../support/recorded-previews";

/** As `pulumi config --json` prints it: objects by their value, what was set as text alone without it, secrets with none. */
function config(keys: Readonly<Record<string, unknown>>, texts: Readonly<Record<string, string>> = {}): string {
  const objects = Object.entries(keys).map(([key, objectValue]) => [
    `wapt-site:${key}`,
    objectValue === SECRET ? { secret: true } : { value: JSON.stringify(objectValue), objectValue, secret: false },
  ]);
  const others = Object.entries(texts).map(([key, value]) => [`wapt-site:${key}`, { value, secret: false }]);
  return JSON.stringify(Object.fromEntries([...objects, ...others]));
}
const SECRET = Symbol("secret");

const PARIS = { host: "wapt.paris.example", clients: 3000 };
const problems = (stacks: Readonly<Record<string, string>>): string[] =>
  namedTwice(Object.entries(stacks).flatMap(([stack, text]) => serversIn("wapt-site", stack, text) ?? []));

describe("a server in two stacks' configurations", () => {
  it("is named with both stacks and both keys", () => {
    const paris = config({ servers: [{ host: "a.example" }, PARIS] });
    const lyon = config({ servers: [{ ...PARIS, host: "WAPT.paris.example", clients: 5 }] });
    assert.deepEqual(problems({ paris, lyon }), [
      "wapt.paris.example is a server of the stacks paris (wapt-site:servers[1]) and lyon (wapt-site:servers[0]): " +
        "one server has one owner; remove it from one of them",
    ]);
  });

  const servers = [PARIS];
  const same: [string, string, string][] = [
    ["set as text", config({ servers }), config({}, { servers: JSON.stringify(servers) })],
    ["in a connection of a program's own", config({ connection: { host: PARIS.host } }), config({ servers })],
    ["whose port is ssh's own", config({ servers, connection: { port: 22 } }), config({ servers })],
    ["with an omit that names no part", config({ servers: [{ ...PARIS, omit: ["Postgres"] }] }), config({ servers })],
    [
      "of which each has more than a part",
      config({ servers: [{ ...PARIS, omit: ["NginxTuning"] }] }),
      config({ servers }),
    ],
  ];
  for (const [name, paris, lyon] of same) {
    it(`is found: one ${name}`, () => assert.equal(problems({ paris, lyon }).length, 1));
  }

  const others: [string, string, string][] = [
    ["another port", config({ servers, connection: { port: 2222 } }), config({ servers })],
    [
      "another jump host",
      config({ servers, connection: { proxy: { host: "a" } } }),
      config({ servers, connection: { proxy: { host: "b" } } }),
    ],
    [
      "another root",
      config({ servers: [{ ...PARIS, root: "/srv/a" }] }),
      config({ servers: [{ ...PARIS, root: "/srv/b" }] }),
    ],
    ["a way that is secret", config({ servers, connection: SECRET }), config({ servers })],
    [
      "the other parts of it",
      config({ servers: [{ ...PARIS, omit: ["NginxTuning", "KernelLimits"] }] }),
      config({ servers: [{ ...PARIS, omit: ["PostgresConnections", "WaptServerIni"] }] }),
    ],
    ["a port that is not known", config({ servers, connection: { port: "2201" } }), config({ servers })],
    ["a connection that its servers have in common", config({ servers: [], connection: PARIS }), config({ servers })],
    ["nothing that is a server", config({}, { clients: "3000", servers: "no list" }), config({ servers: [1, {}] })],
  ];
  for (const [name, paris, lyon] of others) {
    it(`is another one with ${name}`, () => assert.deepEqual(problems({ paris, lyon }), []));
  }

  it("is looked for in the project's own namespace alone", () => {
    const other = config({ servers }).replaceAll("wapt-site:", "chrony:");
    assert.deepEqual(problems({ paris: other, lyon: other }), []);
  });

  it("is not known where it is secret, and that is no empty list", () => {
    for (const secret of [config({ servers: SECRET }), config({ servers, connection: SECRET })])
      assert.equal(serversIn("wapt-site", "paris", secret), undefined);
  });

  it("is that of one stack where one stack has it twice: the program says that", () => {
    assert.deepEqual(problems({ paris: config({ servers: [PARIS, PARIS] }) }), []);
  });
});

describe("a fleet of which two stacks name one server", () => {
  const stand = (host: string, stack: string) => ({
    says: { config: config({ servers: [{ host }] }), preview: previewOf("nothing", stack) },
  });
  const stands = { paris: stand("a", "paris"), lyon: stand("b", "lyon"), nice: stand("a", "nice") };

  for (const words of [
    ["fleet", "preview"],
    ["fleet", "up", "--yes"],
  ]) {
    it(`is refused by ${words.join(" ")} before a stack is started`, async (t) => {
      const fleet = pulumiStandIn(stands);
      t.after(fleet.remove);
      const { code, stdout, stderr } = await command(words, fleet.env);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(
        stderr,
        /^a is a server of the stacks nice \(wapt-site:servers\[0\]\) and paris \(.*\): one server has one owner/,
      );
      assert.deepEqual(fleet.calls(), []);
      const part = await command([...words, "--stacks", "lyon,nice"], fleet.env);
      assert.equal(part.code, 0, part.stderr);
    });
  }

  it("can still be destroyed", async (t) => {
    const fleet = pulumiStandIn(stands);
    t.after(fleet.remove);
    assert.equal((await command(["fleet", "destroy", "--yes"], fleet.env)).code, 0);
  });

  it("says of which stack the configuration could not be read, and leaves it to that stack's run", async (t) => {
    const fleet = pulumiStandIn({
      ...stands,
      nice: { says: { config: "error", preview: previewOf("nothing", "nice") } },
    });
    t.after(fleet.remove);
    const { code, stderr } = await command(["fleet", "preview"], fleet.env);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^nice: its configuration could not be read, so its servers were not compared/m);
  });
});
