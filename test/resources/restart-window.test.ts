import assert from "node:assert/strict";
import { describe, it } from "node:test";
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
    [
      { betwen: "22:00-05:00", zone: "UTC" },
      /^restart: betwen: no such part of restart's hours: did you mean between\?/,
    ],
    [{ zone: "UTC" }, /^restart: restart\.between is two times of a day, such as "22:00-05:00"$/],
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

  it("says why it is not, and when it will be", () => {
    const { later } = restartNow({ between: "22:00-05:00", zone: "UTC" }, new Date("2026-01-10T12:00:00Z"));
    assert.equal(later, "restart is from 22:00 to 05:00 UTC alone: an up in these hours does it");
    assert.equal(restartNow("never", new Date()).later, 'restart is "never"');
  });
});
