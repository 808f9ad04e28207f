/** What inspect says that `up` would refuse. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspectionOf } from "../../provider/command/inspection";
import type { Server } from "../../provider/services";
import type { Target } from "../../provider/transaction/target";
import { wholeClaim } from "../support/image";
import { afterRun, liveServer } from "../support/live-server";

const ARGUMENTS = { connection: { host: "paris" }, clients: 2500 };
const problems = (server: Server, target: Target): readonly string[] =>
  inspectionOf(server, target, ARGUMENTS).problems;

describe("an inspection", () => {
  it("has no problem on a server that up would tune, nor on one that another stack owns", async () => {
    const server = await liveServer();
    const claim = wholeClaim(server, 2500);
    assert.deepEqual(problems(server, claim.target), []);
    const tuned = afterRun(server, claim);
    const { owners, problems: found } = inspectionOf(tuned, wholeClaim(tuned, 2500).target, ARGUMENTS);
    assert.equal(owners.length, 1);
    assert.deepEqual(found, []);
  });

  it("has what up would refuse: a file that was not read, and a conflict", async () => {
    const server = await liveServer();
    const { target } = wholeClaim(server, 2500);
    const service = target.places[0]!.stage;
    const unread = { ...server, unread: [{ service, path: "/etc/nginx/conf.d/x.conf", why: "is too large" }] };
    assert.deepEqual(problems(unread, target), [
      "preflight, files: /etc/nginx/conf.d/x.conf is too large: put it right on the server; nothing was touched",
    ]);
    const beside = target.places[0]!.id;
    const conflicts = () => [{ property: "clients", reason: "it is less than its neighbour", beside }];
    assert.deepEqual(problems(server, { ...target, conflicts }), ["it is less than its neighbour"]);
    const own = { property: "connection", reason: "nginx is not installed" };
    assert.deepEqual(problems(server, { ...target, problems: [own] }), ["nginx is not installed"]);
  });
});
