/** A server that was tuned by WAPT's guide of today is right as it stands. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { planOf } from "../../provider/transaction/plan";
import { apply, claimOf, observe, plan } from "../support/image";
import { localRemote, snapshot } from "../support/local-remote";
import { belongsTo, CLIENTS, LIMITS_FILE, SITE, serverOfNewerGuide } from "../support/newer-guide";

const ALONE = { args: { uploads: undefined } };

describe("a server of the newer guide", () => {
  it("needs no change at the number of clients that it was made for", async (context) => {
    const root = serverOfNewerGuide(context);
    const server = await observe(localRemote(), root);
    const { changes, folders, steps } = planOf(server, claimOf(server, "WaptServer", CLIENTS, ALONE));
    assert.deepEqual([changes, folders, steps], [[], [], []]);
  });

  it("needs nginx's queue alone where nobody has set that", async (context) => {
    const root = serverOfNewerGuide(context);
    const text = readFileSync(join(root, SITE), "latin1");
    writeFileSync(join(root, SITE), text.replace(" backlog=6000", ""));
    const server = await observe(localRemote(), root);
    const { changes } = planOf(server, claimOf(server, "WaptServer", CLIENTS, ALONE));
    assert.deepEqual(
      changes.map(({ path }) => path),
      [SITE],
    );
  });

  it("is edited where its limits stand when nofile is given, and has them back", async (context) => {
    const root = serverOfNewerGuide(context);
    const untouched = snapshot(root);
    const remote = localRemote();
    const claim = { args: { uploads: undefined, nofile: 65536 } };
    const server = await observe(remote, root);
    const given = planOf(server, claimOf(server, "WaptServer", CLIENTS, claim));
    assert.deepEqual(
      given.changes.map(({ path }) => path),
      [LIMITS_FILE],
    );
    assert.equal((await apply(remote, root, given)).result, "ok");
    assert.equal(readFileSync(join(root, LIMITS_FILE), "latin1").match(/ 65536$/gm)?.length, 4);

    const after = await observe(remote, root);
    await apply(remote, root, planOf(after, claimOf(after, "WaptServer", CLIENTS, { ...claim, mode: "restore" })));
    assert.deepEqual(snapshot(root), untouched);
  });

  it("keeps a package's file of limits: ours is read after it, and goes", async (context) => {
    const root = serverOfNewerGuide(context);
    belongsTo(root, "site-limits", [LIMITS_FILE]);
    const untouched = snapshot(root);
    const remote = localRemote();
    const claim = { args: { uploads: undefined, nofile: 65536 } };
    const server = await observe(remote, root);
    const given = planOf(server, claimOf(server, "WaptServer", CLIENTS, claim));
    const ours = "/etc/security/limits.d/zzz-pulumi-wapt.conf";
    assert.deepEqual(
      given.changes.map(({ path }) => path),
      [ours],
    );
    assert.equal((await apply(remote, root, given)).result, "ok");
    assert.equal(readFileSync(join(root, ours), "latin1").match(/ 65536$/gm)?.length, 4);

    const after = await observe(remote, root);
    await apply(remote, root, planOf(after, claimOf(after, "WaptServer", CLIENTS, { ...claim, mode: "restore" })));
    assert.deepEqual(snapshot(root), untouched);
  });

  it("gets the limits that are missing as the guide has the others", async (context) => {
    const root = serverOfNewerGuide(context);
    const server = await observe(localRemote(), root);
    const files = new Map(server.files).set(LIMITS_FILE, "wapt hard nofile 32768\nwww-data soft nofile 1024\n");
    const { target } = claimOf({ ...server, files }, "KernelLimits", CLIENTS);
    const wanted = target.places.flatMap(({ setting, value }) => (setting === "nofile" ? [value] : []));
    assert.deepEqual(wanted, ["32768", "32768", "32768", "32768"]);
  });
});

describe("a server that nobody has tuned", () => {
  it("gets the limits of the guide of 2020", async (context) => {
    const root = serverOfNewerGuide(context);
    const server = await observe(localRemote(), root);
    const files = new Map([...server.files].filter(([path]) => path !== LIMITS_FILE));
    const { target } = claimOf({ ...server, files }, "KernelLimits", CLIENTS);
    const wanted = target.places.flatMap(({ setting, value }) => (setting === "nofile" ? [value] : []));
    assert.deepEqual(wanted, ["500000", "500000", "500000", "500000"]);
  });

  it("is another plan than that of a number of clients the guide's files were not made for", async (context) => {
    const root = serverOfNewerGuide(context);
    assert.notDeepEqual((await plan(localRemote(), root, 5000)).changes, []);
  });
});
