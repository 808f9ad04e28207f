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
  });
});
