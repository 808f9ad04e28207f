/** The restarts that a summary names are those that the plan of the resource would take. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { restartsOf } from "../../provider/command/restarts";
import { checkArguments } from "../../provider/resources/definition";
import { waptServer } from "../../provider/resources/wapt-server";
import { liveServer } from "../support/live-server";

const SERVICES: Record<string, string> = { postgresql: "PostgreSQL", wapt: "WAPT" };

describe("the restarts of a change", () => {
  it("are those of each setting's own steps", async () => {
    const checked = checkArguments(waptServer, {
      connection: { host: "paris" },
      clients: 2500,
      uploads: { path: "/srv/uploads", minFree: "1KiB" },
    });
    assert.ok(!checked.problems && checked.settings);
    const { places } = waptServer.target(checked.settings, await liveServer(), checked.args);
    for (const { setting, value, steps } of places) {
      const interrupting = steps(value).filter((step) => step.interrupts);
      const services = [...new Set(interrupting.map(({ service }) => SERVICES[service] ?? service))].sort();
      assert.deepEqual(restartsOf([{ setting, present: "60000", wanted: "1" }], []), services, setting);
    }
    assert.ok(places.length >= 10);
  });

  it("are WAPT's where its units' limit is raised, or where it runs with an old value", () => {
    assert.deepEqual(restartsOf([{ setting: "LimitNOFILE", present: "1024", wanted: "32768" }], []), ["WAPT"]);
    assert.deepEqual(restartsOf([], ["wapttasks runs with LimitNOFILE 1024"]), ["WAPT"]);
    assert.deepEqual(restartsOf([], ["nginx has not read /etc/nginx/nginx.conf since it was changed"]), []);
  });
});
