/** How properties become arguments, and what an observed server becomes in the state. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { checkProperties, differing, storedArguments } from "../../provider/pulumi/engine/inputs";
import {
  beforeOf,
  isRecorded,
  observedSettings,
  placesOf,
  rememberedPlaces,
} from "../../provider/pulumi/engine/outputs";
import { UNKNOWN } from "../../provider/pulumi/engine/unknown";
import { nginxTuning } from "../../provider/resources/nginx-tuning";
import { waptServer } from "../../provider/resources/wapt-server";
import type { Server } from "../../provider/services";
import { wholeClaim } from "../support/image";
import { afterRun, liveServer } from "../support/live-server";

const connection = { host: "wapt.example" };

describe("properties", () => {
  it("are arguments but for what the provider itself stores", () => {
    const own = {
      __provider: "p",
      stack: "o/p/s",
      name: "n",
      settings: {},
      before: {},
      places: {},
      pending: [],
      unset: [],
    };
    const checked = checkProperties(nginxTuning, { connection, clients: 400, root: null, ...own });
    assert.ok(!checked.problems);
    assert.deepEqual(checked.args, { connection, clients: 400 });
    assert.deepEqual(checked.settings, { worker_connections: 4096, worker_rlimit_nofile: 32768, backlog: 4096 });
  });

  it("that are not known yet leave the settings open, at any depth, and only those that decide them", () => {
    const settings = (more: object) => {
      const checked = checkProperties(waptServer, { connection, clients: 400, ...more });
      assert.ok(!checked.problems, checked.problems?.[0]?.reason);
      return checked.settings;
    };
    assert.equal(settings({ uploads: { path: UNKNOWN } }), undefined);
    assert.equal(settings({ clients: UNKNOWN }), undefined);
    assert.equal(settings({ connection: { host: UNKNOWN } })?.worker_connections, 4096);
  });

  it("of a stored resource may hold arguments that this version does not know", () => {
    const { args, settings } = storedArguments(nginxTuning, { connection, clients: 1000, ofTomorrow: true });
    assert.deepEqual(args, { connection, clients: 1000 });
    assert.equal(settings.worker_connections, 4096);
    assert.throws(() => storedArguments(nginxTuning, { connection, clients: 0 }), /clients: give the number/);
  });

  it("differ by value, null and undefined being the same, and a pending restart that ended being a difference", () => {
    assert.deepEqual(differing({ a: { b: [1] }, c: null }, { a: { b: [1] }, c: undefined }), []);
    assert.deepEqual(differing({ a: 1 }, { a: 2, __provider: "other", places: {} }), ["a"]);
    assert.deepEqual(differing({ pending: ["postgresql restart"] }, {}), ["pending"]);
  });
});

describe("what stood before", () => {
  let server: Server;
  before(async () => {
    server = await liveServer();
  });

  it("has the names of the settings, as a file said it, else as it ran, else not set", () => {
    const { target } = wholeClaim(server, 2500);
    const stood = beforeOf(target, placesOf(target, server));
    assert.deepEqual(Object.keys(stood), [...new Set(target.places.map(({ setting }) => setting))]);
    assert.deepEqual(
      [stood.worker_connections, stood.worker_rlimit_nofile, stood.max_clients, stood.LimitNOFILE],
      [768, 1024, "not set", 32768],
    );
  });

  it("names each place where several have several values", () => {
    const limits = "/etc/security/limits.conf";
    const files = new Map(server.files).set(limits, "wapt hard nofile 8000\n");
    const { target } = wholeClaim({ ...server, files }, 2500);
    assert.equal(
      beforeOf(target, placesOf(target, { ...server, files })).nofile,
      "wapt hard nofile 8000, wapt soft nofile not set, www-data hard nofile not set, www-data soft nofile not set",
    );
  });

  it("is the record's once there is one, so that a later read does not take the new values for it", () => {
    const claim = wholeClaim(server, 2500);
    assert.equal(isRecorded(claim.target, server), false);
    const tuned = afterRun(server, claim);
    const { target } = wholeClaim(tuned, 2500);
    assert.equal(isRecorded(target, tuned), true);
    assert.deepEqual(placesOf(target, tuned), placesOf(claim.target, server));
    assert.equal(observedSettings(target).worker_connections, 6250);
  });

  it("is read from the state of today and of 0.1.0 alike", () => {
    const today = { places: { max_connections: { file: "100", running: "100" }, max_clients: {} } };
    const earlier = {
      before: { max_connections: 100, "net.core.somaxconn": 4096 },
      unset: ["net.core.somaxconn", "max_clients"],
    };
    assert.deepEqual(rememberedPlaces(today), {
      max_connections: { file: "100", running: "100" },
      max_clients: { file: null, running: undefined },
    });
    assert.deepEqual(rememberedPlaces(earlier), {
      max_connections: { file: "100", running: "100" },
      "net.core.somaxconn": { file: null, running: "4096" },
      max_clients: { file: null, running: undefined },
    });
    assert.deepEqual(rememberedPlaces({}), {});
  });
});
