/** A plan written as calls, and the report read. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { services } from "../../provider/services";
import { quote } from "../../provider/text/shell";
import type { Plan } from "../../provider/transaction/plan";
import { applyProgram, parseOutcome } from "../../provider/transaction/program";
import { formatRecord } from "../../provider/transaction/record";
import type { Step } from "../../provider/transaction/service";
import { callsOf, NOTHING_LEFT } from "../support/image";

const entry = (value: string) => ({ stack: "s", resource: "r", id: "i", value, before: null });
const record = (values: Record<string, string>): string =>
  formatRecord({
    ...Object.fromEntries(Object.entries(values).map(([id, value]) => [id, entry(value)])),
  });

const step = (service: string, verb: string, ...words: string[]): Step => ({ service, verb, words });

const splice = { start: 0, end: 0, text: "b" };

/** A change of every kind on a server itself. */
const all: Plan = {
  changes: [
    { path: "/etc/nginx/nginx.conf", hash: "a", splices: [splice], stage: "nginx" },
    { path: "/etc/sysctl.d/wapt.conf", hash: undefined, splices: [splice], stage: "kernel" },
    { path: "/opt/wapt/conf/waptserver.ini", hash: "a", splices: [splice], stage: "wapt" },
    { path: "/etc/systemd/system/nginx.service.d/zz.conf", hash: "a", splices: undefined, stage: "systemd" },
    { path: "/etc/postgresql/postgresql.conf", hash: "a", splices: [splice], stage: "postgresql" },
  ],
  record: { from: record({ a: "1" }), to: record({ a: "2" }) },
  steps: [
    step("wapt", "restart", "wapttasks", "waptserver"),
    step("postgresql", "restart", "postgresql@15-main", "postgres", "5432", "/data", "-"),
    step("systemd", "start", "wapttasks"),
    step("nginx", "reload", "/etc/nginx/nginx.conf", "20000"),
    step("kernel", "sysctl", "net/core/somaxconn", "4096"),
    step("systemd", "limit", "nginx", "20000"),
    step("systemd", "reload"),
  ],
  checks: [
    step("kernel", "check", "net/core/somaxconn", "4096"),
    step("nginx", "check", "/etc/nginx/nginx.conf"),
    step("postgresql", "check", "postgres", "/postgres", "/data", "/c", "625"),
  ],
  folders: [
    { path: "/srv/up", mode: "700", owner: "www-data", selinuxType: "t", minFree: { kilobytes: 5, text: "5KiB" } },
  ],
  returnedFolders: [],
  removedFolders: ["/srv/old"],
  journal: NOTHING_LEFT,
  notes: [],
};

const words = (plan: Plan, root = ""): string[] =>
  callsOf(plan, root).map((call) => {
    const [name, ...rest] = call.replaceAll("'", "").split(" ");
    return name === "file" ? `file ${rest[1]}` : name === "put" ? `put ${rest[1]}` : [name, ...rest].join(" ");
  });

describe("a transaction's calls", () => {
  it("prepare everything, then go through the one safe order", () => {
    const [begin, ...rest] = words(all);
    assert.match(begin!, /^begin {2}120 the stack organization\/wapt-site\/paris [0-9a-f]{64} /);
    assert.deepEqual(begin!.split(" ").slice(-4).sort(), ["nginx", "postgresql", "systemd", "wapt"]);
    assert.deepEqual(rest, [
      "space /srv/up 5 5KiB",
      "file /var/lib/pulumi-wapt/record.json",
      "file /etc/nginx/nginx.conf",
      "file /etc/sysctl.d/wapt.conf",
      "file /opt/wapt/conf/waptserver.ini",
      "file /etc/systemd/system/nginx.service.d/zz.conf",
      "file /etc/postgresql/postgresql.conf",
      "put /var/lib/pulumi-wapt/record.json",
      "folder /srv/up 700 www-data: t",
      "step kernel check net/core/somaxconn 4096",
      "step nginx check /etc/nginx/nginx.conf",
      "step postgresql check postgres /postgres /data /c 625",
      "put /etc/sysctl.d/wapt.conf",
      "put /etc/systemd/system/nginx.service.d/zz.conf",
      "step kernel sysctl net/core/somaxconn 4096",
      "step systemd reload",
      "step systemd limit nginx 20000",
      "put /etc/nginx/nginx.conf",
      "step nginx reload /etc/nginx/nginx.conf 20000",
      "step systemd stop wapttasks waptserver",
      "put /etc/postgresql/postgresql.conf",
      "step postgresql placed postgres /postgres /data /c 625",
      "step postgresql restart postgresql@15-main postgres 5432 /data -",
      "put /opt/wapt/conf/waptserver.ini",
      "step systemd start wapttasks",
      "step systemd start_again wapttasks waptserver",
      "step wapt started wapttasks waptserver",
      "remove_folder /srv/old",
      "finish",
    ]);
  });

  it("touch files and folders alone below a root", () => {
    const names = new Set(words(all, "/image").map((call) => call.split(" ")[0]));
    assert.deepEqual([...names], ["begin", "space", "file", "put", "folder", "remove_folder", "finish"]);
  });

  it("come with the programs of the services in use, and no other", () => {
    const programOf = (plan: Plan) => applyProgram(plan, services, { root: "", holder: "me" });
    const names = (text: string) => Object.keys(services.byName).filter((name) => text.includes(`probe_${name}()`));
    assert.deepEqual(names(programOf({ ...all, checks: [], steps: [] })), []);
    const reload = { ...all, checks: [], steps: [step("nginx", "reload", "/c", "-")] };
    assert.deepEqual(names(programOf(reload)).sort(), ["nginx", "systemd"]);
  });

  const recordPuts = (from: string, to: string) => {
    const calls = words({ ...all, record: { from: from || undefined, to: to || undefined } });
    return calls.flatMap((call, at) => (call.endsWith("record.json") ? [[call.split(" ")[0], at]] : []));
  };
  const touched = words(all).indexOf("put /etc/sysctl.d/wapt.conf");

  it("record what is new before anything changes, and forget what is old at the end", () => {
    const [remembered, forgotten, both] = [
      recordPuts("", record({ a: "1" })),
      recordPuts(record({ a: "1" }), ""),
      recordPuts(record({ a: "1" }), record({ b: "1" })),
    ];
    assert.deepEqual(
      remembered.map(([name]) => name),
      ["file", "put"],
    );
    assert.ok(remembered.every(([, at]) => Number(at) < touched));
    assert.deepEqual(
      forgotten.map(([name]) => name),
      ["file", "put"],
    );
    assert.ok(Number(forgotten[0]![1]) < touched && Number(forgotten[1]![1]) > touched);
    assert.deepEqual(
      both.map(([name]) => name),
      ["file", "put", "file", "put"],
    );
    assert.ok(Number(both[1]![1]) < touched && Number(both[2]![1]) > touched);
  });

  it("quote every word so that sh takes it as it is", () => {
    fc.assert(
      fc.property(fc.string(), (word) => {
        const quoted = quote(word);
        assert.equal(quoted.slice(1, -1).replaceAll("'\\''", "'"), word);
        assert.ok(!quoted.slice(1, -1).replaceAll("'\\''", "").includes("'"));
      }),
    );
  });
});

describe("a transaction's report", () => {
  const line = (word: string, text: string) => `${word} ${Buffer.from(text).toString("base64")}\n`;

  it("is the result, its reason and the notes", () => {
    const report = `noise\n${line("note", "wapttasks is not running")}${line("result", "refused no space\nleft: é")}`;
    assert.deepEqual(parseOutcome(report), {
      result: "refused",
      reason: "no space left: é",
      notes: ["wapttasks is not running"],
    });
    assert.deepEqual(parseOutcome(line("result", "ok ")), { result: "ok", reason: "", notes: [] });
  });

  it("is unknown wherever it is cut off", () => {
    const report = `${line("note", "a note")}${line("result", "refused nginx refuses the new configuration")}`;
    for (let length = 0; length < report.length; length++) {
      assert.equal(parseOutcome(report.slice(0, length)).result, "unknown");
    }
    assert.equal(parseOutcome(report).result, "refused");
    assert.equal(parseOutcome(line("result", "fine ")).result, "unknown");
  });
});
