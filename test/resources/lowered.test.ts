/** Values that a run would lower are named, with what keeps them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loweredWarnings } from "../../provider/resources/lowered";
import { postgresqlConf } from "../../provider/services/postgresql/postgresql-conf";
import type { Place } from "../../provider/transaction/target";

const CONF = "/etc/postgresql/15/main/postgresql.conf";
const place = (text: string, value: string): Place =>
  ({
    setting: "max_connections",
    id: "max_connections",
    format: postgresqlConf,
    tree: { root: CONF, files: new Map([[CONF, text]]) },
    key: "max_connections",
    value,
  }) as unknown as Place;
const said = (text: string, value: string, record: object = {}) =>
  loweredWarnings({ places: [place(text, value)] }, { record } as never);

describe("a value that a run would lower", () => {
  it("is named with its file, who wrote it where that is known, and the argument that keeps it", () => {
    assert.deepEqual(said("# ours\nmax_connections = 1000\n", "625"), [
      "preflight, lowered: max_connections 1000, which WAPT's postconf wrote, is more than these clients need and becomes 625 " +
        `(${CONF}:2): keep it by maxConnections: 1000, or accept: ["lowered"]`,
    ]);
    assert.match(said("max_connections = 900\n", "625")[0]!, /^preflight, lowered: max_connections 900 is more/);
  });

  it("is nothing new where this package wrote it, and none where it is not higher", () => {
    assert.deepEqual(said("max_connections = 1000\n", "625", { max_connections: { value: "1000" } }), []);
    assert.deepEqual(said("max_connections = 625\n", "625"), []);
    assert.deepEqual(said("max_connections = 100\n", "625"), []);
    assert.deepEqual(said("", "625"), []);
    assert.equal(said("max_connections = 1000\n", "625", { max_connections: { value: "900" } }).length, 1);
  });

  it("is a plain number: what has a unit or is a word can't be compared", () => {
    assert.deepEqual(said("max_connections = '1000kB'\n", "625"), []);
    assert.deepEqual(said("max_connections = '-1000'\n", "-2000"), []);
  });

  it("is named once for each setting, however many places have it", () => {
    const places = ["700", "800"].map((value) => place(`max_connections = ${value}\n`, "625"));
    const other = { ...place("max_connections = 900\n", "625"), setting: "net.core.somaxconn" };
    const all = loweredWarnings({ places: [...places, other] }, { record: {} });
    assert.deepEqual(
      all.map((text) => text.split(" is more")[0]),
      ["preflight, lowered: max_connections 700", "preflight, lowered: net.core.somaxconn 900"],
    );
  });

  it("is kept by the argument of its setting", () => {
    const arguments_: [string, string][] = [
      ["LimitNOFILE", "limitNofile"],
      ["nofile", "nofile"],
      ["net.core.somaxconn", "somaxconn"],
      ["net.ipv4.tcp_max_syn_backlog", "tcpMaxSynBacklog"],
      ["worker_rlimit_nofile", "workerRlimitNofile"],
    ];
    for (const [setting, argument] of arguments_) {
      const [text] = loweredWarnings({ places: [{ ...place("max_connections = 9\n", "5"), setting }] }, { record: {} });
      assert.match(text!, new RegExp(`keep it by ${argument}: 9, or accept`));
    }
  });

  it("is WAPT's postconf's where that writes this very value", () => {
    const isPostconfs = (setting: string, value: string) =>
      loweredWarnings(
        { places: [{ ...place(`max_connections = ${value}\n`, "5"), setting }] },
        { record: {} },
      )[0]!.includes("which WAPT's postconf wrote");
    assert.equal(isPostconfs("worker_connections", "4096"), true);
    assert.equal(isPostconfs("worker_rlimit_nofile", "32768"), true);
    assert.equal(isPostconfs("worker_connections", "4097"), false);
    assert.equal(isPostconfs("max_clients", "4096"), false);
  });
});
