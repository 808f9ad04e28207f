/** The pace of logins: where our file lies, what it says, and that nothing else is touched. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { NginxState } from "../../../provider/services/nginx/nginx";
import { paceGone, pacePlace, paceProblems, paceWarnings } from "../../../provider/services/nginx/pacing";
import { spliced } from "../../../provider/text/splices";
import { fileValue, type Place } from "../../../provider/transaction/target";

const CONF = "/etc/nginx/nginx.conf";
const OURS = "/etc/nginx/conf.d/pulumi-wapt-logins.conf";
const DEBIAN =
  "include /etc/nginx/modules-enabled/*.conf;\nevents { }\nhttp { include mime.types; include conf.d/*.conf; include sites-enabled/*; }";

const stateOf = (conf: string, more: Record<string, string> = {}) => {
  const files = new Map(Object.entries({ [CONF]: conf, "/etc/nginx/mime.types": "", ...more }));
  return { tree: { root: CONF, files }, unit: "nginx", live: true, reading: {} } as unknown as NginxState;
};

/** Our file's text once the place has a value; undefined where it says that already. */
function edited(place: Place, value: string | null): string | undefined {
  const splices = place.format.edit(place.tree, { limit_req: value });
  assert.deepEqual(
    [...splices.keys()].filter((path) => path !== place.tree.root),
    [],
    "no other file",
  );
  const own = splices.get(place.tree.root);
  return own && spliced(place.tree.files.get(place.tree.root) ?? "", own);
}

const placeIn = (conf: string, pace = 40, more: Record<string, string> = {}): Place | undefined =>
  pacePlace(stateOf(conf, more), pace)[0];
const folderIn = (conf: string, more = {}) => placeIn(conf, 40, more)?.tree.root;

describe("the file of the pace", () => {
  it("lies in the first folder that nginx includes in http as a whole", () => {
    assert.equal(folderIn(DEBIAN), OURS);
    assert.equal(folderIn("events { } http { include /srv/n/*.conf; }"), "/srv/n/pulumi-wapt-logins.conf");
    assert.equal(folderIn("events { } http { include /srv/n/*/a.conf; include /srv/[ab]*; }"), undefined);
    assert.equal(
      folderIn("events { } http { include sites/*.site; include sites-enabled/*; }"),
      "/etc/nginx/sites-enabled/pulumi-wapt-logins.conf",
    );
  });

  it("lies in no folder of the main context, of a server, or of a file that is read twice", () => {
    const twice = { "/etc/nginx/more": "include conf.d/*.conf;" };
    for (const [conf, more] of [
      ["include conf.d/*.conf; events { } http { }", {}],
      ["events { } http { server { include conf.d/*.conf; } }", {}],
      ["events { } http { include more; include more; }", twice],
    ] as const) {
      assert.equal(folderIn(conf, more), undefined, conf);
      assert.match(
        paceProblems(stateOf(conf, more))[0]!.reason,
        /add "include \/etc\/nginx\/conf\.d\/\*\.conf;" to it/,
      );
    }
    assert.deepEqual(paceProblems(stateOf(DEBIAN)), []);
  });

  it("names WAPT's login alone, and lets an agent wait no longer than it waits for", () => {
    const text = edited(placeIn(DEBIAN)!, "40")!;
    assert.match(text, /map \$uri \$pulumi_wapt_login \{\n {4}default "";\n {4}\/get_websocket_auth_token login;\n\}/);
    assert.match(text, /limit_req_zone \$pulumi_wapt_login zone=pulumi_wapt_logins:1m rate=40r\/s;/);
    assert.match(text, /limit_req zone=pulumi_wapt_logins burst=160;/);
  });

  it("is read back, is written as a whole, and goes as a whole", () => {
    const text = edited(placeIn(DEBIAN)!, "40")!;
    const stands = placeIn(DEBIAN, 40, { [OURS]: text })!;
    assert.equal(fileValue(stands), "40");
    assert.equal(edited(stands, "40"), undefined);
    assert.equal(edited(stands, "80"), text.replace("40r/s", "80r/s").replace("160", "320"));
    assert.equal(edited(stands, null), "");
    assert.equal(stands.removesEmptyFile, true);
    const changed = placeIn(DEBIAN, 40, { [OURS]: text.replace("burst=160", "burst=1") })!;
    assert.equal(edited(changed, "40"), text, "what another has changed in it is put right");
    assert.throws(() => edited(stands, "40; root /"), /limit_req can't be "40; root \/"/);
    assert.equal(fileValue(placeIn(DEBIAN)!), null);
  });

  it("stays where it is when another folder is included before it", () => {
    const text = edited(placeIn(DEBIAN)!, "40")!;
    const before = DEBIAN.replace("include conf.d", "include first.d/*.conf; include conf.d");
    assert.equal(folderIn(before), "/etc/nginx/first.d/pulumi-wapt-logins.conf");
    assert.equal(folderIn(before, { [OURS]: text }), OURS);
  });

  it("is left alone where somebody else wrote one of that name", () => {
    const place = placeIn(DEBIAN, 40, { [OURS]: "limit_req_zone $uri zone=a:1m rate=40r/s;\n" })!;
    assert.equal(fileValue(place), null);
    for (const value of ["40", null])
      assert.throws(() => edited(place, value), /1: this file is not of pulumi-wapt; rename it/);
  });

  it("is gone where its folder is no longer included: it is owned no more", () => {
    assert.deepEqual(paceGone(stateOf(DEBIAN)), []);
    assert.deepEqual(
      paceGone(stateOf("events { } http { }"))?.map(({ ids }) => ids),
      [["limit_req"]],
    );
  });

  it("is tested and made effective as nginx's other settings are", () => {
    const place = placeIn(DEBIAN)!;
    assert.deepEqual(
      place.steps("40").map(({ verb }) => verb),
      ["reload"],
    );
    assert.deepEqual(
      place.checks!("40").map(({ verb }) => verb),
      ["check"],
    );
    assert.equal(place.stage, "nginx");
  });
});

describe("a limit of the administrator's own", () => {
  it("further in is named, since nginx takes none of ours beside it", () => {
    const site = { "/etc/nginx/sites-enabled/wapt": "server {\n location / { limit_req zone=own; }\n}" };
    assert.deepEqual(paceWarnings(stateOf(DEBIAN, site)), [
      "/etc/nginx/sites-enabled/wapt:2: limit_req zone=own stands inside location and wins there: logins that it is about are not paced by loginsPerSecond",
    ]);
  });

  it("in http is none of those, and so is ours", () => {
    const more = { "/etc/nginx/conf.d/own.conf": "limit_req zone=own;", [OURS]: edited(placeIn(DEBIAN)!, "40")! };
    assert.deepEqual(paceWarnings(stateOf(DEBIAN, more)), []);
  });

  it("is found in the lab's own site as nowhere", () => {
    const site = readFileSync(join(__dirname, "../../lab/base/wapt.conf"), "utf8");
    assert.deepEqual(paceWarnings(stateOf(DEBIAN, { "/etc/nginx/sites-enabled/wapt": site })), []);
  });
});
