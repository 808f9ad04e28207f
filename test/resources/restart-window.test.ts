import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { checkArguments } from "../../provider/resources/definition";
import { restartNow } from "../../provider/resources/restart-window";
import { waptServer } from "../../provider/resources/wapt-server";

const problemsOf = (restart: unknown): string =>
  (checkArguments(waptServer, { connection: { host: "a" }, clients: 400, restart }).problems ?? [])
    .map(({ property, reason }) => `${property}: ${reason}`)
    .join("\n");

describe("restart", () => {
  it('is "as needed", "never", or hours of a day in a zone', () => {
    const night = { between: "22:00-05:00", zone: "Europe/Paris" };
    for (const right of [undefined, "as needed", "never", night, { between: "00:00-23:59", zone: "UTC" }])
      assert.equal(problemsOf(right), "");
  });

  const refused: [unknown, RegExp][] = [
    ["nevr", /^restart: restart is "as needed", "never", or hours such as/],
    [["never"], /^restart: restart is "as needed", "never", or hours such as/],
    [null, /^restart: restart is "as needed"/],
    [9, /^restart: restart is "as needed"/],
    [
      { betwen: "22:00-05:00", zone: "UTC" },
      /^restart: betwen: no such part of restart's hours: did you mean between\?/,
    ],
    [{ zone: "UTC" }, /^restart: restart\.between is two times of a day, such as "22:00-05:00"$/],
    [
      { between: "22:00-05:00", zone: "UTC", day: "monday", to: "x" },
      /^restart: day, to: no such part of restart's hours; there are between, zone$/,
    ],
    [{ between: 22, zone: "UTC" }, /^restart: restart\.between is two times/],
    ...["24:00-05:00", "22:60-05:00", "22:00-05:60", "2:00-05:00", "x22:00-05:00", "22:00-05:00x", "22:00-25:00"].map(
      (between): [unknown, RegExp] => [{ between, zone: "UTC" }, /^restart: restart\.between is two times/],
    ),
    [{ between: "22:00-05:00", zone: 9 }, /^restart: restart\.zone is a time zone/],
    [{ between: "22-5", zone: "UTC" }, /^restart: restart\.between is two times/],
    [{ between: "22:00-24:00", zone: "UTC" }, /^restart: restart\.between is two times/],
    [{ between: "22:00-22:00", zone: "UTC" }, /^restart: restart\.between is two times/],
    [{ between: "22:00-05:00" }, /^restart: restart\.zone is a time zone by its IANA name/],
    [{ between: "22:00-05:00", zone: "Europe/Pari" }, /^restart: restart\.zone is a time zone/],
    [{ between: "22:00-05:00", zone: "+01:00" }, /^restart: restart\.zone is a time zone/],
  ];
  for (const [value, reason] of refused)
    it(`refuses ${JSON.stringify(value)}`, () => assert.match(problemsOf(value), reason));

  it("is possible in its hours alone, by the clock of its zone, in summer and in winter", () => {
    const paris = (between: string, utc: string) =>
      restartNow({ between, zone: "Europe/Paris" }, new Date(utc)).mayRestart;
    const cases: [string, string, boolean][] = [
      ["22:00-05:00", "2026-01-10T20:59:59Z", false],
      ["22:00-05:00", "2026-01-10T21:00:00Z", true],
      ["22:00-05:00", "2026-01-11T03:59:59Z", true],
      ["22:00-05:00", "2026-01-11T04:00:00Z", false],
      ["22:00-05:00", "2026-07-10T20:00:00Z", true],
      ["22:00-05:00", "2026-07-11T03:00:00Z", false],
      ["12:00-13:30", "2026-01-10T11:00:00Z", true],
      ["12:00-13:30", "2026-01-10T12:29:00Z", true],
      ["12:00-13:30", "2026-01-10T12:30:00Z", false],
      ["00:00-01:00", "2026-01-10T23:30:00Z", true],
    ];
    for (const [between, utc, may] of cases) assert.equal(paris(between, utc), may, `${between} at ${utc}`);
  });

  it("is possible at each minute either in these hours or in those from their end to their begin", () => {
    const minutes = fc.integer({ min: 0, max: 24 * 60 - 1 });
    const said = (at: number) => new Date(at * 60_000).toISOString().slice(11, 16);
    fc.assert(
      fc.property(minutes, minutes, minutes, (begin, end, now) => {
        fc.pre(begin !== end);
        const may = (one: number, other: number) =>
          restartNow({ between: `${said(one)}-${said(other)}`, zone: "UTC" }, new Date(now * 60_000)).mayRestart;
        assert.notEqual(may(begin, end), may(end, begin));
        assert.equal(may(begin, end), (now - begin + 1440) % 1440 < (end - begin + 1440) % 1440);
      }),
    );
  });

  it("is possible at any time where nothing else is said", () => {
    for (const restart of [undefined, "as needed"] as const)
      assert.deepEqual(restartNow(restart, new Date()), { mayRestart: true });
    const noon = new Date("2026-01-10T12:00:00Z");
    assert.deepEqual(restartNow({ between: "11:00-13:00", zone: "UTC" }, noon), { mayRestart: true });
    assert.equal(restartNow("never", noon).mayRestart, false);
  });

  it("says why it is not, and when it will be", () => {
    const { later } = restartNow({ between: "22:00-05:00", zone: "UTC" }, new Date("2026-01-10T12:00:00Z"));
    assert.equal(later, "restart is from 22:00 to 05:00 UTC alone: an up in these hours does it");
    assert.equal(restartNow("never", new Date()).later, 'restart is "never"');
  });
});
