/** Several resources as one: what of each of them the whole has. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { compose, type Part } from "../../provider/resources/compose";
import {
  type AnyDefinition,
  checkArguments,
  count,
  type ServerArguments,
  type Settings,
} from "../../provider/resources/definition";
import { waptServer } from "../../provider/resources/wapt-server";
import type { Server } from "../../provider/services";

const connection = { host: "paris" };
const SERVER = {} as Server;

/** A resource whose target says what it was asked with. */
function partOf(type: string, schemas: Record<string, z.ZodType>, more: Partial<AnyDefinition> = {}): AnyDefinition {
  return {
    type,
    isSized: true,
    schemas: schemas as never,
    settings: (args) => ({ [`${type} has`]: JSON.stringify(args) }),
    probes: () => [{ service: type, words: [] }],
    target: (settings, _server, args) => ({
      places: [],
      warnings: [`${type} ${Object.keys(settings).length} ${Object.keys(args).join()}`],
    }),
    ...more,
  };
}

const one = partOf("One", { a: count, shared: count }, { derived: { x: "a" } as never });
const two = partOf("Two", { b: count, shared: count }, { folders: () => ["/two"] });
const inner = partOf(
  "Inner",
  { path: z.string({ error: "give a path" }) },
  {
    derived: { y: "" } as never,
    folders: (args) => [(args as unknown as { path: string }).path],
    target: () => ({
      places: [],
      problems: ["path", "connection"].map((property) => ({ property, reason: `odd ${property}` })),
    }),
  },
);
const PARTS: readonly Part[] = [{ definition: one }, { definition: inner, under: "uploads" }, { definition: two }];
type Arguments = ServerArguments & { omit?: readonly string[] };
const whole = compose<Arguments, Settings>("Whole", PARTS);

const checked = (input: object) => checkArguments(whole, { connection, clients: 1, ...input });
const problems = (input: object, of: unknown = whole): string[] =>
  (checkArguments(of as typeof whole, { connection, clients: 1, ...input }).problems ?? []).map(
    ({ property, reason }) => `${property}: ${reason}`,
  );
function argsOf(input: object) {
  const { args, problems: found } = checked(input) as { args: Arguments; problems?: unknown };
  assert.equal(found, undefined);
  return args;
}
const targetOf = (input: object) => {
  const args = argsOf(input);
  return whole.target(
    whole.settings(args, () => ({}) as never),
    SERVER,
    args,
  );
};

describe("a whole of several resources", () => {
  it("is sized, and has each part's arguments, and omit", () => {
    assert.deepEqual([whole.type, whole.isSized], ["Whole", true]);
    assert.deepEqual(Object.keys(whole.schemas), ["a", "shared", "b", "uploads", "omit"]);
    assert.deepEqual(problems({ a: 1, b: 2, shared: 3, uploads: { path: "/u" }, omit: [] }), []);
    assert.deepEqual(problems({ a: 0, uploads: { path: 1 } }), [
      "a: give a whole number of 1 or more",
      "uploads.path: give a path",
    ]);
  });

  it("says of an argument that holds others which there are", () => {
    assert.deepEqual(problems({ uploads: "/u" }), ["uploads: give an object with path"]);
    assert.deepEqual(problems({ uploads: { path: "/u", paht: "/v" } }), [
      "uploads: paht: no such argument of uploads: did you mean path?",
    ]);
    assert.deepEqual(problems({ uploads: { path: "/u", q: 1, r: 2 } }), [
      "uploads: q, r: no such argument of uploads; there are path",
    ]);
  });

  it("omits none but parts that there are", () => {
    assert.deepEqual(problems({ omit: ["One", "Two"] }), []);
    assert.deepEqual(problems({ omit: ["Tow"] }), ['omit.0: no such part as "Tow": did you mean Two?']);
    assert.deepEqual(problems({ omit: ["Inner"] }), ['omit.0: no such part as "Inner"; there are One, Two']);
    assert.deepEqual(problems({ omit: "One" }), ["omit: give a list of One, Two"]);
  });

  it("refuses an argument of none but parts that are left out", () => {
    const reason = "omit names One, so this has no effect: give only one of them";
    assert.deepEqual(problems({ omit: ["One"], a: 1, b: 2, shared: 3 }), [`a: ${reason}`]);
    assert.deepEqual(problems({ omit: ["One"], b: 2 }), []);
    assert.deepEqual(problems({ a: 1 }), []);
    const both = problems({ omit: ["One", "Two"], shared: 3 });
    assert.deepEqual(both, [`shared: ${reason}`, `shared: ${reason.replace("One", "Two")}`]);
    const undefinedOne = checkArguments(whole, { connection, clients: 1, omit: ["One"], a: undefined });
    assert.equal(undefinedOne.problems, undefined);
  });

  it("has the settings, the probes and the folders of the parts that are chosen, in their order", () => {
    const args = argsOf({ a: 1, uploads: { path: "/u" } });
    const settings = whole.settings(args, () => ({}) as never);
    assert.deepEqual(Object.keys(settings), ["One has", "Inner has", "Two has"]);
    assert.deepEqual(JSON.parse(String(settings["Inner has"])), { ...args, path: "/u" });
    assert.deepEqual(JSON.parse(String(settings["One has"])), args);
    assert.deepEqual(
      whole.probes(args).map(({ service }) => service),
      ["One", "Inner", "Two"],
    );
    assert.deepEqual(whole.folders?.(args), ["/u", "/two"]);
    const less = argsOf({ omit: ["Two"] });
    assert.deepEqual(
      whole.probes(less).map(({ service }) => service),
      ["One"],
    );
    assert.deepEqual(whole.folders?.(less), []);
    assert.deepEqual(whole.derived, { x: "a", y: "" });
  });

  it("asks each service once, as the last of its parts does", () => {
    const probes = (words: string[]) => ({ probes: () => [{ service: "nginx", words }] });
    const pair = compose<Arguments, Settings>("Pair", [
      { definition: partOf("A", {}, probes(["a"])) },
      { definition: partOf("B", {}, probes(["b"])) },
    ]);
    assert.deepEqual(pair.probes({ connection }), [{ service: "nginx", words: ["b"] }]);
  });

  it("asks of the server what its parts ask, each with all settings; a problem has the argument that it has here", () => {
    const { warnings, problems: found } = targetOf({ a: 1, uploads: { path: "/u" } });
    assert.deepEqual(warnings, ["One 3 connection,clients,a,uploads", "Two 3 connection,clients,a,uploads"]);
    assert.deepEqual(
      found?.map(({ property }) => property),
      ["uploads.path", "connection"],
    );
    assert.deepEqual(targetOf({ a: 1 }).problems, []);
  });
});

describe("a WaptServer", () => {
  it("is of these five parts, of which four may be left out", () => {
    const omit = ["KernelLimits", "NginxTuning", "PostgresConnections", "WaptServerIni"];
    assert.deepEqual(problems({ omit }, waptServer), []);
    assert.deepEqual(problems({ omit: ["ProxyTempPath"] }, waptServer), [
      `omit.0: no such part as "ProxyTempPath"; there are ${omit.join(", ")}`,
    ]);
    assert.deepEqual(problems({ omit: ["WaptServerIni"], maxClients: 5, pool: "measured" }, waptServer), [
      "maxClients: omit names WaptServerIni, so this has no effect: give only one of them",
    ]);
    const probes = (more: object) =>
      waptServer.probes({ connection, clients: 1, ...more }).map(({ service }) => service);
    assert.deepEqual(probes({}), ["kernel", "systemd", "nginx", "wapt", "selinux", "postgresql"]);
    assert.deepEqual(probes({ omit, uploads: { path: "/u" } }), ["systemd", "nginx", "uploads"]);
    assert.deepEqual(waptServer.folders?.({ connection, clients: 1, uploads: { path: "/u" } }), ["/u"]);
  });
});
