/** What `pulumi-wapt summary` makes of previews that the real CLI wrote for a real server: golden files, and rules. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type Overview, overviewOf, statusOf } from "../../provider/command/overview";
import { parsePreview } from "../../provider/command/preview";
import { overviewOfFiles } from "../../provider/command/summary";
import { asJson, asJunit, asMarkdown, asText, LONGEST_COMMENT } from "../../provider/command/summary-formats";
import { command } from "../support/command";
import { equalsGolden } from "../support/golden";
import { PREVIEWS, previewNames, previewOf, previewOfStack } from "../support/recorded-previews";

const read = (name: string): string => readFileSync(join(PREVIEWS, name), "utf8");

const overview = (...stacks: [name: string, stack: string][]): Overview =>
  overviewOf(stacks.map(([name, stack]) => parsePreview(previewOf(name, stack), stack)));

describe("the summary of a real preview", () => {
  const status: Record<string, number> = {
    nothing: 0,
    down: 1,
    "new-and-down": 1,
    refused: 1,
    "refresh-nothing": 0,
    "refresh-down": 1,
  };
  for (const name of previewNames) {
    it(`${name}: is the golden text, with the status of what it says`, () => {
      const one = overview([name, "paris"]);
      equalsGolden(join(PREVIEWS, `${name}.txt`), asText(one));
      assert.equal(statusOf(one), status[name] ?? 2);
    });
  }

  it("of all in one is the golden Markdown and JUnit", () => {
    const all = overview(...previewNames.map((name): [string, string] => [name, name]));
    equalsGolden(join(PREVIEWS, "all.md"), asMarkdown(all, "All of it").text);
    equalsGolden(join(PREVIEWS, "all.xml"), asJunit(all));
    assert.deepEqual(JSON.parse(asJson(all)).counts, all.counts);
    assert.deepEqual(all.counts, { stacks: 12, servers: 13, changing: 6, right: 3, unread: 4, failed: 1 });
  });

  it("tells drift from a change of the program by what the last run gave", () => {
    const { program, drift } = overview(["drift-and-change", "paris"]);
    assert.deepEqual(drift, [
      {
        setting: "worker_connections",
        transitions: [{ present: "512", wanted: "8750", drifted: "6250", servers: ["paris"] }],
      },
    ]);
    assert.ok(program.every(({ setting }) => setting !== "worker_connections"));
  });

  it("of a refresh says the same of drift as that of a whole preview of the same server", () => {
    const of = (name: string) => overview([name, "paris"]).drift;
    assert.deepEqual(of("refresh-drift"), of("drift"));
    assert.equal(of("drift").length, 1);
  });

  it("does not take for drift what a run was told to leave for later", () => {
    const { drift, waits } = overview(["restart-left", "paris"]);
    assert.deepEqual([drift, waits], [[], [{ what: "PostgreSQL and WAPT (restart: never)", servers: ["paris"] }]]);
  });
});

describe("a summary of many", () => {
  const fleet = (): Overview =>
    overview(
      ...Array.from({ length: 212 }, (_, i): [string, string] => ["new", `site-${i}`]),
      ...["lyon", "nice", "brest"].map((stack): [string, string] => ["drift-and-change", stack]),
      ["nothing", "tours"],
    );

  it("says an equal change once, and then what differs", () => {
    const text = asText(fleet());
    assert.match(text, /^216 stacks, 216 servers: 215 to change, 1 as wanted\n/);
    assert.match(
      text,
      /max_connections +100 → 625 on 212 servers \(site-0\/paris, site-1\/paris, site-2\/paris, …\)\n/,
    );
    assert.match(text, / +differs: 625 → 875 on 3 servers \(brest\/paris, lyon\/paris, nice\/paris\)\n/);
    assert.equal(text.match(/100 → 625/g)?.length, 1);
  });

  it("refuses one server in two stacks that want the same settings, and no others", () => {
    const both = overviewOf(["new", "nothing"].map((name) => parsePreview(previewOfStack(name, name), name)));
    assert.deepEqual([both.conflicts.length, statusOf(both)], [1, 1]);
    const [{ servers, what } = { servers: [], what: "" }] = both.conflicts;
    assert.deepEqual(servers, ["new/paris", "nothing/paris"]);
    assert.match(asJunit(both), /<testsuites tests="3" failures="1" errors="1">/);
    assert.match(what, /^they are one server, and all want to own LimitNOFILE, .*: one server has one owner$/);
    const given = overviewOf(["new", "destroy"].map((name) => parsePreview(previewOfStack(name, name), name)));
    assert.deepEqual(given.conflicts, [], "a stack that gives the server back owns it no longer");
    assert.deepEqual(fleet().conflicts, []);
  });

  it("takes one private address behind two jump hosts for two servers, and behind one for one", () => {
    const behind = (name: string, proxy: unknown) => {
      const document = JSON.parse(previewOfStack(name, name));
      for (const { oldState, newState } of document.steps)
        for (const state of [oldState, newState])
          if (state?.inputs?.connection) state.inputs.connection = { host: "192.168.1.10", proxy };
      return parsePreview(JSON.stringify(document), name);
    };
    const conflicts = (one: unknown, other: unknown) =>
      overviewOf([behind("new", one), behind("nothing", other)]).conflicts.length;
    assert.equal(conflicts({ host: "jump.paris" }, { host: "jump.lyon" }), 0);
    assert.equal(conflicts({ host: "jump.paris" }, { host: "jump.paris", port: 2222 }), 0);
    assert.equal(conflicts(undefined, { host: "jump.paris" }), 0);
    assert.equal(conflicts({ host: "jump.paris", user: "a" }, { host: "jump.paris", port: 22 }), 1);
    // What is hidden may be the same.
    assert.equal(conflicts("[secret]", "[secret]"), 1);
  });

  it("takes two names that lead to one new machine for one server", () => {
    const onMachine = (stack: string, machine: unknown, root = "/") => {
      const document = JSON.parse(previewOf("new", stack));
      for (const { newState } of document.steps)
        if (newState?.inputs?.connection) Object.assign(newState.inputs, { machine, root });
      return parsePreview(JSON.stringify(document), stack);
    };
    const conflicts = (...[one, other]: ReturnType<typeof onMachine>[]) => overviewOf([one!, other!]).conflicts;
    const [row, ...more] = conflicts(onMachine("nice", "0123"), onMachine("lyon", "0123"));
    assert.deepEqual([row?.servers, more], [["lyon/paris", "nice/paris"], []]);
    assert.equal(row?.what.match(/worker_connections/g)?.length, 1);
    assert.deepEqual(conflicts(onMachine("nice", "0123"), onMachine("lyon", "4567")), []);
    assert.deepEqual(conflicts(onMachine("nice", "0123"), onMachine("lyon", "0123", "/srv")), []);
    assert.deepEqual(conflicts(onMachine("nice", undefined), onMachine("lyon", undefined)), []);
  });

  it("is cut below GitHub's longest comment, and the whole is in the job's summary", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wapt-summary-"));
    after(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "previews"));
    for (let i = 0; i < 400; i++) writeFileSync(join(folder, `previews/s${i}.json`), previewOf("new", `s${i}`));
    const full = join(folder, "full.md");
    const { code, stdout } = await command([
      "summary",
      join(folder, "previews"),
      "--format",
      "markdown",
      "--full",
      full,
    ]);
    assert.equal(code, 2);
    assert.ok(Buffer.byteLength(stdout) <= LONGEST_COMMENT, `${Buffer.byteLength(stdout)} bytes`);
    assert.match(stdout, /^<!-- pulumi-wapt summary: WAPT servers -->\n### WAPT servers: 400 stacks/);
    assert.match(stdout, /\*This is cut: the job's summary has the rest\.\*\n$/);
    assert.equal(stdout.match(/<details>/g)?.length, stdout.match(/<\/details>/g)?.length);
    assert.match(readFileSync(full, "utf8"), /`s399\/paris`: `LimitNOFILE 32768 → 20000`/);
    assert.doesNotMatch(readFileSync(full, "utf8"), /This is cut/);
  });
});

describe("a preview", () => {
  const changed = (name: string, change: (document: { steps: Record<string, never>[] }) => void) => {
    const document = JSON.parse(read(`${name}.json`));
    change(document);
    return overviewOf([parsePreview(JSON.stringify(document), "paris")]);
  };

  it("with an operation that is not known counts as a change, Pulumi's own resources too", () => {
    const ours = changed("nothing", ({ steps }) => Object.assign(steps[1]!, { op: "transmogrify" }));
    assert.deepEqual([ours.counts.changing, statusOf(ours)], [1, 2]);
    const stacks = changed("nothing", ({ steps }) => Object.assign(steps[2]!, { op: "transmogrify" }));
    assert.deepEqual(
      [stacks.others.map(({ what }) => what), statusOf(stacks)],
      [["transmogrify pulumi:pulumi:Stack wapt-site-paris"], 2],
    );
  });

  it("is believed what it says itself of restarts, of what waits, and of what a check found without a refresh", () => {
    const one = changed("drift-and-change", ({ steps }) => {
      const { oldState, newState } = steps[3] as unknown as Record<string, { inputs: Record<string, unknown> }>;
      oldState!.inputs.settings = { ...(oldState!.inputs.settings as object), worker_connections: 6250 };
      Object.assign(newState!.inputs, {
        restarts: ["waptserver"],
        waits: ["postgresql restart: at 22:00"],
        found: { worker_connections: 512, at: "2026-11-26T06:03:04Z" },
      });
    });
    assert.deepEqual(
      [one.restarts, one.waits],
      [[{ what: "WAPT", servers: ["paris"] }], [{ what: "postgresql restart: at 22:00", servers: ["paris"] }]],
    );
    assert.deepEqual(
      one.arguments.map(({ what }) => what),
      ["clients"],
    );
    assert.deepEqual(
      one.drift[0]?.transitions.map(({ present, wanted, drifted }) => [present, wanted, drifted]),
      [["512", "8750", "6250"]],
    );
    assert.ok(one.program.every(({ setting }) => setting !== "at"));
  });

  it("that says that nothing restarts is believed, and what the server makes of defaults is no argument", () => {
    const said = (more: object) =>
      changed("drift-and-change", ({ steps }) => {
        const { newState } = steps[3] as unknown as Record<string, { inputs: Record<string, unknown> }>;
        Object.assign(newState!.inputs, more);
      });
    assert.equal(said({}).restarts.length, 1, "a version that does not say it is known by its changes");
    const one = said({ restarts: [], derived: { max_clients: 4096 } });
    assert.deepEqual(one.restarts, []);
    assert.deepEqual(
      one.arguments.map(({ what }) => what),
      ["clients"],
    );
  });

  it("prints values of managed settings, and nothing else of the state", () => {
    const seen = new Set(["settings", "before", "pending", "urn", "op", "message", "severity"]);
    const planted = (value: unknown, key: string): unknown => {
      if (seen.has(key)) return value;
      if (Array.isArray(value)) return value.map((one) => planted(one, ""));
      if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, planted(one, name)]));
      return typeof value === "string" ? "PLANTED" : value;
    };
    for (const name of previewNames.filter((one) => one !== "down" && one !== "restart-left")) {
      const document = planted(JSON.parse(read(`${name}.json`)), "");
      const one = overviewOf([parsePreview(JSON.stringify(document), "paris")]);
      for (const text of [asText(one), asMarkdown(one, "T").text, asJson(one), asJunit(one)])
        assert.doesNotMatch(text, /PLANTED/, name);
    }
  });

  it("takes values from the old and the new state, not from the detailed difference", () => {
    const lying = changed("drift", ({ steps }) =>
      Object.assign(steps[3]!, { detailedDiff: { "settings.nofile": { kind: "add" } } }),
    );
    assert.deepEqual(
      lying.drift.map(({ setting }) => setting),
      ["worker_connections"],
    );
  });

  it("with a value that is Markdown, HTML or a mention shows it as plain code", () => {
    const evil = "`</details>|@everyone";
    const one = changed("drift", ({ steps }) => {
      const { oldState } = steps[3] as unknown as { oldState: { inputs: { settings: Record<string, string> } } };
      oldState.inputs.settings.worker_connections = evil;
    });
    assert.match(asMarkdown(one, "T").text, /`'<\/details>\\\|@everyone → 6250`/);
    assert.match(asJunit(one), /worker_connections `&#60;\/details&#62;\|@everyone → 6250/);
  });
});

describe("files that are no previews", () => {
  const folder = mkdtempSync(join(tmpdir(), "wapt-no-preview-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it("are failed stacks, named by their files", () => {
    const { failed, counts } = overviewOfFiles([
      file("empty.json", ""),
      file("words.json", "error: no such stack\n"),
      file("list.json", "[]"),
      file("paris.json", read("nothing.json")),
      file("again.json", read("nothing.json")),
    ]);
    assert.equal(counts.failed, 4);
    const reasons = failed.map(({ what }) => what.replace(`${folder}/`, ""));
    assert.ok(reasons.includes("empty.json: it is not what pulumi preview --json writes: it is empty"));
    assert.ok(
      reasons.includes("words.json: it is not what pulumi preview --json writes: it begins with error: no such stack"),
    );
    assert.ok(reasons.includes("again.json: another file has a preview of the stack paris, too"));
  });

  it("and stacks that have no file are failed ones, too", () => {
    const path = file("paris.json", read("nothing.json"));
    const { failed } = overviewOfFiles([path], ["paris", "acme/lyon"]);
    assert.deepEqual(failed, [{ what: "there is no preview of it", servers: ["acme/lyon"] }]);
  });
});
