/** Whether nginx has read its files, from the times that a server reports. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { clockWarnings, type Reading, readingOf, staleConfiguration } from "../../../provider/services/nginx/freshness";
import { Facts } from "../../../provider/transaction/report";

const CONF = "/etc/nginx/nginx.conf";

/** A server that booted at 1000.00 s by its clock and was asked 500 s later; workers began so many ticks after the boot. */
function reading(
  more: { ticks?: number[]; files?: string; links?: string; clock?: string[]; read?: string[] } = {},
): Reading {
  const {
    ticks = [40_000],
    files = `1300.000000000 ${CONF}`,
    links = "",
    clock = ["500.00", "1500.00", "1000", "100"],
  } = more;
  return readingOf(
    new Facts([
      ...ticks.map((tick) => ["worker", "20", "1024", "1024", "www-data", String(tick)]),
      ["clock", ...clock],
      ["changed", links, files],
      ...(more.read ? [["read", ...more.read]] : []),
    ]),
  );
}

const stale = (found: Reading) => staleConfiguration(found, CONF);

describe("what nginx has read", () => {
  it("is its files, when its workers began after they were changed", () => assert.equal(stale(reading()), undefined));

  it("is not a file that was changed since, which is named with its time", () => {
    const files = `1300.0 ${CONF}\n1401.5 /etc/nginx/conf.d/a.conf`;
    assert.equal(
      stale(reading({ files })),
      "nginx runs with what it read before /etc/nginx/conf.d/a.conf was changed at 1970-01-01T00:23:21Z",
    );
  });

  it("is told by the oldest worker, and by a link as by what it leads to", () => {
    assert.match(stale(reading({ ticks: [45_000, 40_000], files: `1410.0 ${CONF}` })) ?? "", /nginx\.conf/);
    assert.match(stale(reading({ links: `1410.0 ${CONF}` })) ?? "", /nginx\.conf/);
  });

  it("is told to hundredths of a second, and never of a file that was there first", () => {
    assert.match(stale(reading({ files: `1400.05 ${CONF}` })) ?? "", /nginx\.conf/);
    const fraction = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    fc.assert(
      fc.property(fraction, fraction, fc.nat({ max: 400_000 }), fc.boolean(), (boot, early, ticks, fine) => {
        // What the kernel rounds down, and a date program without fractions.
        const booted = 1000 + boot;
        const began = booted + ticks / 100 + 0.0099;
        const now = began + 10;
        const clock = [
          (Math.floor((now - booted) * 100) / 100).toFixed(2),
          fine ? now.toFixed(9) : `${Math.floor(now)}.%N`.slice(0, -3),
          String(Math.floor(booted)),
          "100",
        ];
        assert.equal(
          stale(reading({ ticks: [ticks], clock, files: `${(began - early / 100).toFixed(9)} ${CONF}` })),
          undefined,
        );
      }),
    );
  });

  it("is believed to the second where the uptime is not the kernel's own, as in a container", () => {
    const clock = ["20.00", "1500.00", "1000", "100"];
    assert.equal(stale(reading({ clock, files: `1400.9 ${CONF}` })), undefined);
    assert.match(stale(reading({ clock, files: `1402.0 ${CONF}` })) ?? "", /nginx\.conf/);
  });

  it("is what was there at our own last reload, whatever the times say", () => {
    const files = `1450.0 ${CONF}`;
    assert.equal(stale(reading({ files, read: ["a", "a"] })), undefined);
    assert.match(stale(reading({ files, read: ["a", "b"] })) ?? "", /was changed at/);
    assert.equal(
      stale(reading({ read: ["a", "b"] })),
      `nginx runs with what it read before ${CONF} was changed at 1970-01-01T00:21:40Z`,
    );
  });

  it("can't be told of a file of the future: no reload is asked for, and it is said", () => {
    const found = reading({ files: `9000.0 ${CONF}` });
    assert.equal(stale(found), undefined);
    assert.match(clockWarnings(found)[0] ?? "", /nginx\.conf was changed in the future by the server's clock/);
    assert.deepEqual(clockWarnings(reading()), []);
  });

  it("is not known where nothing was reported", () => assert.equal(stale(readingOf(new Facts([]))), undefined));
});
