/** A plan written as calls, and the report read. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Plan } from "../../provider/transaction/plan";
import { parseOutcome, quote, transactionCalls } from "../../provider/transaction/program";
import { formatRecord } from "../../provider/transaction/record";

const entry = (value: string) => ({ stack: "s", resource: "r", id: "i", value, before: null });
const record = (values: Record<string, string>): string =>
  formatRecord({
    settings: Object.fromEntries(Object.entries(values).map(([id, value]) => [id, entry(value)])),
    pending: [],
  });

/** A change of every kind on a server itself. */
const all: Plan = {
  changes: [
    { path: "/etc/nginx/nginx.conf", from: "a", to: "b", stage: "nginx" },
    { path: "/etc/sysctl.d/wapt.conf", from: undefined, to: "b", stage: "kernel" },
    { path: "/opt/wapt/conf/waptserver.ini", from: "a", to: "b", stage: "wapt" },
    { path: "/etc/postgresql/postgresql.conf", from: "a", to: "b", stage: "postgresql" },
    { path: "/var/lib/pulumi-wapt/record.json", from: record({ a: "1" }), to: record({ a: "2" }), stage: "record" },
  ],
  actions: [
    { name: "wapt restart", units: ["wapttasks", "waptserver"] },
    { name: "postgresql restart", unit: "postgresql@15-main", owner: "postgres", port: "5432", data: "/data" },
    { name: "nginx reload", configuration: "/etc/nginx/nginx.conf", workerNofile: "20000" },
    { name: "sysctl", key: "net.core.somaxconn", value: "4096" },
    { name: "daemon-reload" },
  ],
  checks: [
    { name: "nginx", configuration: "/etc/nginx/nginx.conf" },
    {
      name: "postgresql",
      owner: "postgres",
      binary: "/postgres",
      data: "/data",
      configuration: "/c",
      maxConnections: "625",
    },
  ],
  folders: [{ id: "f", path: "/srv/up", mode: "700", owner: "www-data", minFree: { kilobytes: 5, text: "5KiB" } }],
  removedFolders: ["/srv/old"],
  start: ["wapttasks"],
  notes: [],
};

const words = (plan: Plan, root = ""): string[] =>
  transactionCalls(plan, root, "me").map((call) => {
    const [name, ...rest] = call.replaceAll("'", "").split(" ");
    return name === "file" ? `file ${rest[1]}` : name === "put" ? `put ${rest[1]}` : [name, ...rest].join(" ");
  });

describe("a transaction's calls", () => {
  it("prepare everything, then go through the one safe order", () => {
    assert.deepEqual(words(all), [
      "begin  120 me wapttasks",
      "check_space /srv/up 5 5KiB",
      "file /etc/nginx/nginx.conf",
      "file /etc/sysctl.d/wapt.conf",
      "file /opt/wapt/conf/waptserver.ini",
      "file /etc/postgresql/postgresql.conf",
      "file /var/lib/pulumi-wapt/record.json",
      "check_sysctl net/core/somaxconn 4096",
      "pending wapt restart postgresql restart nginx reload sysctl daemon-reload",
      "put /var/lib/pulumi-wapt/record.json",
      "folder /srv/up 700 www-data:",
      "check_nginx /etc/nginx/nginx.conf",
      "check_postgres postgres /postgres /data /c 625",
      "put /etc/sysctl.d/wapt.conf",
      "set_sysctl net/core/somaxconn 4096",
      "daemon_reload",
      "put /etc/nginx/nginx.conf",
      "nginx_reload /etc/nginx/nginx.conf 20000",
      "put /etc/postgresql/postgresql.conf",
      "check_placed_postgres postgres /postgres /data /c 625",
      "stop wapttasks waptserver",
      "postgres_restart postgresql@15-main postgres 5432 /data -",
      "put /opt/wapt/conf/waptserver.ini",
      "start wapttasks",
      "remove_folder /srv/old",
      "finish",
    ]);
  });

  it("touch files and folders alone below a root", () => {
    const names = new Set(words(all, "/image").map((call) => call.split(" ")[0]));
    assert.deepEqual([...names], ["begin", "check_space", "file", "put", "folder", "remove_folder", "finish"]);
  });

  const recordPuts = (from: string, to: string) => {
    const change = { ...all.changes[4]!, from: from || undefined, to };
    const calls = words({ ...all, changes: [...all.changes.slice(0, 4), change] });
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
      reason: "no space\nleft: é",
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
