/** The proof of `npm run prove` works and ends: a small population in a container, what it says of it, and its pictures. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { skipWithoutLab } from "../lab/server";
import { heldChart, stormChart, stormCurves } from "../proof/charts";
import { measure } from "../proof/measured";
import { heldTable, leftOutTable, stormTable } from "../proof/report";

const CLIENTS = 100;

describe("the proof", { skip: skipWithoutLab() }, () => {
  test("holds 100 clients on a tuned server, loses them, and has them back", async () => {
    const options = { stormLimitSeconds: 90, work: 0.1, log: () => undefined };
    const measured = await measure({ base: "up", clients: CLIENTS, processors: 2 }, options);
    const { held, storm, afterStorm } = measured;
    assert.deepEqual([held.connected, held.stayed, held.served], [CLIENTS, CLIENTS, CLIENTS]);
    assert.ok(held.firstAnswers.length > 0 && held.firstAnswers.every((time) => time > 0));
    assert.equal(storm?.lost, CLIENTS);
    assert.ok(storm.back >= 99 && storm.half! <= storm.most! && storm.most! <= storm.nearlyAll!, JSON.stringify(storm));
    assert.ok(storm.attempts >= CLIENTS && storm.refusals["HTTP 502"], "none comes through while waptserver is down");
    assert.ok(
      afterStorm!.backends > 0 && afterStorm!.backends <= 90 + 4,
      "no more than its pool, and that of wapttasks",
    );
    assert.ok(afterStorm!.nginxMegabytes > 0 && afterStorm!.postgresqlMegabytes > 0);
    assert.match(heldTable([measured]), /^\| up +\| +2 \| +100 \| +100 \| +100 \|/m);
    assert.match(stormTable([measured]), /^\| up +\| +2 \| +100 \| +100 \| +\d+ s \|/m);
    const lost = {
      ...measured,
      leftOut: "max_clients 50",
      held: { ...held, stayed: 50 },
      afterHolding: { ...measured.afterHolding, sessionFiles: 1024 },
    };
    const table = leftOutTable(measured, [{ ...measured, leftOut: "backlog 511" }, lost]);
    assert.match(table, /^\| nothing +\| +100 \| +100 \| +\d+ s \| +\|$/m);
    assert.match(table, /^\| backlog 511 +\| +100 \| +100 \| +\d+ s \| +nothing was seen \|$/m);
    const session = measured.afterHolding.sessionFiles - 1024;
    assert.ok(session > 0, "limits.conf counts for a session of wapt");
    assert.match(
      table,
      new RegExp(`max_clients 50 .* 50 clients that stay, ${session} files that a session of wapt may open \\|$`, "m"),
    );
    assert.match(heldChart([measured]), /<title>Clients that stay connected, 2 processors<\/title>[\s\S]*>100<\/text>/);
    assert.match(stormChart(stormCurves([measured])), /<polyline points="70\.0,310\.0 /);
  });
});
