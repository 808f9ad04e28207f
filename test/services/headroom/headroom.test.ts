/** What is in use of what is limited, as the probe reports it. The probe itself is shown on a real server, by inspect. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { usesOf } from "../../../provider/command/inspection";
import { headroom } from "../../../provider/services/headroom/headroom";
import { Facts } from "../../../provider/transaction/report";
import { liveServer } from "../../support/live-server";

const parse = (...facts: string[][]) => headroom.parse(new Facts(facts), new Map(), "");
const NO_TARGET = { places: [] };

describe("the head room", () => {
  it("has each process with what it holds and may hold", () => {
    const { processes, partitions } = parse(
      ["process", "nginx", "12", "340", "211", "20000", "20000"],
      ["process", "waptserver", "13", "17", "2", "unlimited", "unlimited"],
      ["partition", "/var/lib/nginx/body", "1000000", "400000", "500000"],
    );
    assert.deepEqual(processes, [
      { name: "nginx", id: "12", files: 340, connections: 211, limit: 20000 },
      { name: "waptserver", id: "13", files: 17, connections: 2, limit: Number.POSITIVE_INFINITY },
    ]);
    const sizes = { totalKilobytes: 1000000, usedKilobytes: 400000, freeKilobytes: 500000 };
    assert.deepEqual(partitions, [{ folder: "/var/lib/nginx/body", ...sizes }]);
  });

  it("leaves out a process that has ended meanwhile, and a partition that was not read", () => {
    assert.deepEqual(parse(["process", "nginx", "12", "0", "0"], ["partition", "/gone"]), {
      processes: [],
      partitions: [],
    });
  });

  it("says nothing of what has no limit or was not read", async () => {
    const state = parse(["process", "waptserver", "13", "17", "2", "unlimited", "unlimited"]);
    assert.deepEqual(usesOf(await liveServer(), state, NO_TARGET), []);
  });

  it("counts what root alone may fill as no room, of the folder that nginx uses and of no other", async () => {
    const live = await liveServer();
    const version = "nginx version: nginx/1.22.1\nconfigure arguments: --http-client-body-temp-path=/srv/uploads";
    const server = { ...live, nginx: { ...live.nginx, version } };
    const state = parse(
      ["partition", "/var/lib/nginx/body", "1024000", "0", "1024000"],
      ["partition", "/srv/uploads", "1024000", "409600", "512000"],
    );
    assert.deepEqual(usesOf(server, state, NO_TARGET), [
      { what: "partition of the uploads /srv/uploads", used: 400, limit: 900, unit: "MiB" },
    ]);
  });

  it("is that of WAPT's units in use, and of no other that has such a name", async () => {
    const state = parse(
      ["process", "waptserver", "13", "17", "2", "20000", "20000"],
      ["process", "waptserver-old", "14", "17", "2", "20000", "20000"],
    );
    const uses = usesOf(await liveServer(), state, NO_TARGET).map(({ what }) => what);
    assert.deepEqual(uses, ["open files of waptserver"]);
  });
});
