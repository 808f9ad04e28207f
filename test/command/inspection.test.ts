/** What inspect says that `up` would refuse. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checked, inspectionOf, inspectOn } from "../../provider/command/inspection";
import { type Server, services } from "../../provider/services";
import { ManagedServer } from "../../provider/transaction/server";
import type { Target } from "../../provider/transaction/target";
import { wholeClaim } from "../support/image";
import { afterRun, liveServer } from "../support/live-server";
import { localRemote, untunedServer } from "../support/local-remote";

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

  it("is one round trip, which has where uploads lie, as nginx's own file says it", async (context) => {
    const root = untunedServer(context);
    const uploads = mkdtempSync(join(tmpdir(), "wapt-uploads-"));
    context.after(() => rmSync(uploads, { recursive: true, force: true }));
    const conf = join(root, "etc/nginx/nginx.conf");
    const text = readFileSync(conf, "utf8").replace("http {", `http {\n client_body_temp_path "${uploads}" 1 2; #;`);
    writeFileSync(conf, text);
    const remote = localRemote();
    // As the server itself, whose files lie elsewhere.
    const run = (program: string) => remote.run(program.replace("observe ''", `observe ${root}`));
    const managed = new ManagedServer(services, async () => ({ ...remote, run }), "a test");
    const { headroom, findings } = await inspectOn(managed, checked(ARGUMENTS));
    assert.equal(remote.programs.length, 1);
    assert.ok(findings.length >= 10);
    const [one] = headroom.filter(({ what }) => what === `partition of the uploads ${uploads}`);
    assert.ok(one && one.used > 0 && one.limit > one.used, JSON.stringify(headroom));
  });
});
