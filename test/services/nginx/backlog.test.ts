/** `backlog=` of nginx's listens: which listens count, and that nothing else of them changes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { backlogPlaces, queueConflicts, queueWarnings } from "../../../provider/services/nginx/backlog";
import type { NginxState } from "../../../provider/services/nginx/nginx";
import { nginxConf } from "../../../provider/services/nginx/nginx-conf";
import { spliced } from "../../../provider/text/splices";

const CONF = "/etc/nginx/nginx.conf";
const SITE = "/etc/nginx/sites-enabled/wapt";
const PROXY = "location / { proxy_pass http://127.0.0.1:8080; }";

const treeOf = (site: string, more: Record<string, string> = {}) => ({
  root: CONF,
  files: new Map(Object.entries({ [CONF]: `events { }\nhttp { include ${SITE}; }\n`, [SITE]: site, ...more })),
});
const stateOf = (tree: ReturnType<typeof treeOf>, queues: Record<string, number> = {}) =>
  ({ tree, unit: "nginx", live: true, reading: {}, queues: new Map(Object.entries(queues)) }) as unknown as NginxState;
const addresses = (site: string) =>
  backlogPlaces(stateOf(treeOf(site)), 4096, {}).places.map(({ key }) => key.slice("backlog of ".length));

/** The site's text after an edit. */
function edited(site: string, wanted: Record<string, string | null>): string {
  const splices = nginxConf.edit(treeOf(site), wanted).get(SITE);
  return splices ? spliced(site, splices) : site;
}

describe("the listens on which agents reach WAPT", () => {
  it("are those of the blocks that hand connections on to waptserver, an address once", () => {
    const wapt = `server { listen 80; listen [::]:80; listen 443 ssl; listen 0.0.0.0:443; ${PROXY} }`;
    assert.deepEqual(addresses(`${wapt} server { listen 8443 ssl; root /srv; }`), [
      "0.0.0.0:80",
      "[::]:80",
      "0.0.0.0:443",
    ]);
    assert.deepEqual(
      addresses(
        `upstream back { server 127.0.0.1:8080; } server { listen *:81; location / { proxy_pass http://back; } }`,
      ),
      ["0.0.0.0:81"],
    );
    assert.deepEqual(addresses(`server { listen 82; location / { proxy_pass https://elsewhere.example:8080; } }`), []);
  });

  it("are those of a wildcard beside it, where a listen of one address is not bound by itself", () => {
    const site = (options: string) =>
      `server { listen 443 default_server; } server { listen 10.0.0.5:443${options}; ${PROXY} }`;
    assert.deepEqual(addresses(site("")), ["0.0.0.0:443"]);
    assert.deepEqual(addresses(site(" bind")), ["10.0.0.5:443"]);
    assert.deepEqual(addresses(`server { listen 10.0.0.5:443; ${PROXY} }`), ["10.0.0.5:443"]);
  });

  it("are not sockets of other kinds, nor names", () => {
    assert.deepEqual(
      addresses(`server { listen unix:/run/a; listen 443 quic; listen wapt.example:80; listen 127.0.0.1; ${PROXY} }`),
      ["127.0.0.1:80"],
    );
  });

  it("are the lab's own site's", () => {
    const site = readFileSync(join(__dirname, "../../lab/base/wapt.conf"), "utf8");
    assert.deepEqual(addresses(site), ["0.0.0.0:80", "[::]:80", "0.0.0.0:443", "[::]:443"]);
  });
});

describe("backlog", () => {
  it("is added behind a listen's other words, and goes without leaving a byte", () => {
    const site = `server {\n    listen  443  ssl ; # agents\n    ${PROXY}\n}\n`;
    const now = edited(site, { "backlog of 0.0.0.0:443": "7500" });
    assert.equal(now, site.replace("ssl ;", "ssl backlog=7500 ;"));
    assert.equal(nginxConf.read(treeOf(now), ["backlog of 0.0.0.0:443"])["backlog of 0.0.0.0:443"]?.value, "7500");
    assert.equal(edited(now, { "backlog of 0.0.0.0:443": null }), site);
  });

  it("stays where it stands when it is changed, and so do its neighbours", () => {
    const site = `server { listen 443 backlog=600 ssl "http2"; ${PROXY} }`;
    const now = edited(site, { "backlog of 0.0.0.0:443": "7500" });
    assert.equal(now, site.replace("600", "7500"));
    assert.equal(edited(now, { "backlog of 0.0.0.0:443": "600" }), site);
  });

  it("joins the one listen of an address that has options of the socket, which nginx allows once", () => {
    const site = `server { listen 443 ssl; ${PROXY} } server { listen 443 ssl reuseport; }`;
    assert.equal(
      edited(site, { "backlog of 0.0.0.0:443": "4096" }),
      site.replace("reuseport", "reuseport backlog=4096"),
    );
  });

  it("of an address that nothing listens on any more is given back by leaving all as it is", () => {
    const site = `server { listen 80; ${PROXY} }`;
    assert.equal(edited(site, { "backlog of 0.0.0.0:81": null }), site);
    assert.throws(() => edited(site, { "backlog of 0.0.0.0:81": "4096" }), /no server block listens on 0\.0\.0\.0:81/);
    const { abandoned } = backlogPlaces(stateOf(treeOf(site)), 4096, { "backlog of 0.0.0.0:81": {}, other: {} });
    assert.deepEqual(
      abandoned.map(({ key }) => key),
      ["backlog of 0.0.0.0:81"],
    );
  });

  it("is not written into a file that nginx reads twice", () => {
    const tree = treeOf(`server { include /l; ${PROXY} } server { include /l; ${PROXY} }`, { "/l": "listen 80;" });
    assert.deepEqual(backlogPlaces(stateOf(tree), 4096, {}).places, []);
    assert.match(
      queueWarnings(stateOf(tree), 4096, "4096").join("\n"),
      /\/l:1: listen 80 is in a file that nginx reads more than once/,
    );
  });

  it("above somaxconn is refused, unless the same run raises that", () => {
    const reasons = (somaxconn: string | undefined, planned?: string) =>
      queueConflicts(somaxconn, 7500, () => planned).map(({ reason }) => reason);
    assert.match(reasons("4096")[0]!, /a backlog of 7500 is above net\.core\.somaxconn 4096.*dependsOn/);
    assert.deepEqual([reasons("4096", "7500"), reasons("7500"), reasons(undefined)], [[], [], []]);
  });

  it("that the kernel cut when nginx began to listen is said, with what helps", () => {
    const tree = treeOf(`server { listen 443 backlog=7500; ${PROXY} }`);
    const said = (queue: number) => queueWarnings(stateOf(tree, { "0.0.0.0:443": queue }), 7500, "7500");
    assert.match(
      said(4096).join("\n"),
      /0\.0\.0\.0:443 has a queue of 4096 in the kernel, though its listen asks for 7500.*restart nginx/,
    );
    assert.deepEqual(said(7500), []);
  });

  it("has nowhere to stand where no site is WAPT's, which is said", () => {
    assert.match(
      queueWarnings(stateOf(treeOf("server { listen 80; }")), 4096, "4096").join("\n"),
      /no server block .* hands connections on/,
    );
  });
});
