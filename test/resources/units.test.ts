/** Which units are WAPT's, which of them read its file, and what their restart is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isNamedAsWapt, isStale, readers, restartOfWapt, unitsProbe, waptUnits } from "../../provider/resources/units";
import type { Server } from "../../provider/services";

const INI = "/opt/wapt/conf/waptserver.ini";

interface Given {
  readonly active?: readonly string[];
  readonly enabled?: readonly string[];
  readonly root?: string;
  /** WAPT's by their command lines, with the file that each names. */
  readonly units?: Readonly<Record<string, string | undefined>>;
  readonly start?: number;
  readonly changed?: number;
  readonly read?: ReadonlyMap<string, string>;
}

function serverOf(names: readonly string[], given: Given = {}): Server {
  const { active = [], enabled = [], root = "", units = {}, start, changed, read = new Map() } = given;
  const unit = (name: string) => ({
    installed: true,
    active: active.includes(name),
    enabled: enabled.includes(name),
    process: start === undefined ? undefined : { soft: 1, hard: 1, start },
  });
  const all = Object.entries(units).map(([name, ini]) => ({ name, ini, program: "python", processes: "" }));
  return {
    root,
    hashes: new Map([[INI, "hash"]]),
    systemd: Object.assign(unit, { names, left: [] }),
    wapt: { units: all, tree: { root: INI, files: new Map([[INI, ""]]) }, changed, read },
  } as unknown as Server;
}

describe("a unit's name", () => {
  it("is one of WAPT's where it is a server's or the tasks', with what WAPT's tools append", () => {
    for (const name of ["waptserver", "wapttasks", "waptserver-uwsgi", "wapttasks-odaim"])
      assert.equal(isNamedAsWapt(name), true, name);
    for (const name of ["nginx", "waptagent", "waptservers", "mywaptserver", "wapttasksd", "wapt"])
      assert.equal(isNamedAsWapt(name), false, name);
  });

  it("is asked for with nginx's", () => {
    const words = ["nginx", "waptserver", "waptserver-*", "wapttasks", "wapttasks-*"];
    assert.deepEqual(unitsProbe, { service: "systemd", words });
  });
});

describe("WAPT's units", () => {
  const BOTH = ["waptserver", "wapttasks"];
  const MANY = ["nginx", "waptserver", "waptserver-uwsgi", "wapttasks", "wapttasks-uwsgi"];
  const WAPTS = { "waptserver-uwsgi": INI, "wapttasks-uwsgi": INI };

  it("are the usual ones where none is in use, those first that work for the server", () => {
    assert.deepEqual(waptUnits(serverOf(BOTH)), ["wapttasks", "waptserver"]);
    assert.deepEqual(waptUnits(serverOf(MANY, { units: WAPTS })), ["wapttasks", "waptserver"]);
    assert.deepEqual(waptUnits(serverOf(["nginx"])), []);
  });

  it("are those that run or are started at boot, each in place of the usual one of its kind", () => {
    const units = WAPTS;
    const used = (given: Given) => waptUnits(serverOf(MANY, { units, ...given }));
    assert.deepEqual(used({ active: ["waptserver-uwsgi"] }), ["wapttasks", "waptserver-uwsgi"]);
    assert.deepEqual(used({ enabled: ["waptserver-uwsgi"] }), ["wapttasks", "waptserver-uwsgi"]);
    assert.deepEqual(used({ active: ["wapttasks-uwsgi"] }), ["wapttasks-uwsgi", "waptserver"]);
    assert.deepEqual(used({ active: ["waptserver-uwsgi", "waptserver"] }), [
      "wapttasks",
      "waptserver",
      "waptserver-uwsgi",
    ]);
    assert.deepEqual(used({ active: ["waptserver"] }), ["wapttasks", "waptserver"]);
  });

  it("are all of them below a root, where nothing tells which are used", () => {
    const all = ["wapttasks", "wapttasks-uwsgi", "waptserver", "waptserver-uwsgi"];
    assert.deepEqual(waptUnits(serverOf(MANY, { units: WAPTS, root: "/srv/image" })), all);
  });

  it("are none that has such a name alone, and starts something else", () => {
    const active = ["waptserver", "waptserver-backup"];
    const server = serverOf([...BOTH, "waptserver-backup"], { active, units: { waptserver: INI } });
    assert.deepEqual(waptUnits(server), ["wapttasks", "waptserver"]);
  });

  it("read the file that is managed, but for those whose command line names another", () => {
    const units = { waptserver: INI, "waptserver-odaim": "/opt/wapt/conf/odaim.ini", wapttasks: INI };
    const names = Object.keys(units);
    assert.deepEqual(readers(serverOf(names, { active: names, units })), ["wapttasks", "waptserver"]);
    const unsaid = { "waptserver-odaim": "/opt/wapt/conf/odaim.ini" };
    assert.deepEqual(readers(serverOf(BOTH, { units: unsaid })), ["wapttasks", "waptserver"], "nothing says it");
  });
});

describe("the restart of WAPT", () => {
  const names = ["waptserver", "wapttasks"];
  const restart = { service: "wapt", verb: "restart", words: ["wapttasks", "waptserver"], interrupts: true };

  it("is of all its units together, and takes something from the users where one of them runs", () => {
    assert.deepEqual(restartOfWapt(serverOf(names)), [restart]);
    const running = { ...restart, restarts: "waptserver" };
    for (const active of [["waptserver"], ["wapttasks"], names])
      assert.deepEqual(restartOfWapt(serverOf(names, { active })), [running]);
  });

  it("is none below a root, and where there is none of its units", () => {
    assert.deepEqual(restartOfWapt(serverOf(names, { root: "/srv/image" })), []);
    assert.deepEqual(restartOfWapt(serverOf([])), []);
  });
});

describe("a unit of WAPT's", () => {
  const isOld = (given: Given) => isStale(serverOf(["waptserver"], given), "waptserver");

  it("runs with what an older file had where it was started more than a second before the file's last change", () => {
    assert.equal(isOld({ start: 100, changed: 102 }), true);
    assert.equal(isOld({ start: 100, changed: 101 }), false);
    assert.equal(isOld({ start: 100 }), false, "the change's time is not known");
    assert.equal(isOld({ changed: 102 }), false, "it does not run");
  });

  it("does not where it is known to have read these very bytes", () => {
    const read = (hash: string, start = 100) => new Map([[`waptserver ${start}`, hash]]);
    assert.equal(isOld({ start: 100, changed: 102, read: read("hash") }), false);
    assert.equal(isOld({ start: 100, changed: 102, read: read("older") }), true);
    assert.equal(isOld({ start: 100, changed: 102, read: read("hash", 99) }), true, "another process of the unit");
  });
});
