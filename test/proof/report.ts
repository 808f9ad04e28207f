/** What the proof prints. */
import { table } from "../benchmark/report";
import type { Measured } from "./measured";
import type { Storm } from "./population";

const PERCENT = 100;
const seconds = (value: number | undefined) => (value === undefined ? "never" : `${value.toFixed(0)} s`);
const milliseconds = (values: readonly number[], share: number) => {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted.length === 0 ? "none" : String(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
};
const counts = (all: Readonly<Record<string, number>>) =>
  Object.entries(all)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name}: ${count}`)
    .join(", ") || "none";
const name = ({ base, leftOut }: Measured) => (leftOut === undefined ? base : `up, but ${leftOut}`);
const load = ({ load: [before, after], clientShare }: Measured) =>
  `${before.toFixed(1)} to ${after.toFixed(1)}, ${(clientShare * PERCENT).toFixed(0)} %`;

export function heldTable(all: readonly Measured[]): string {
  return table(
    [
      "server",
      "processors",
      "clients",
      "stay",
      "and download",
      "first answer, ms: median",
      "p99",
      "refusals",
      "drops by port",
      "nginx, MB",
      "PostgreSQL, MB",
      "load, and the clients' share of a processor",
    ],
    all.map((one) => [
      name(one),
      String(one.processors),
      String(one.clients),
      String(one.held.stayed),
      String(one.held.served),
      milliseconds(one.held.firstAnswers, 0.5),
      milliseconds(one.held.firstAnswers, 0.99),
      counts(one.held.refusals),
      counts(one.afterHolding.drops),
      String(one.afterHolding.nginxMegabytes),
      String(one.afterHolding.postgresqlMegabytes),
      load(one),
    ]),
  );
}

export const STORM_HEAD = [
  "lost",
  "50 % back",
  "95 %",
  "99 %",
  "back",
  "attempts",
  "refusals",
  "drops by port",
  "pool's connections",
  "PostgreSQL, MB",
  "waptserver's share of a core",
];

export const stormCells = (storm: Storm, after: NonNullable<Measured["afterStorm"]>): string[] => [
  String(storm.lost),
  seconds(storm.half),
  seconds(storm.most),
  seconds(storm.nearlyAll),
  String(storm.back),
  String(storm.attempts),
  counts(storm.refusals),
  counts(after.drops),
  String(after.backends),
  String(after.postgresqlMegabytes),
  `${(after.waptserverShare * PERCENT).toFixed(0)} %`,
];

export function stormTable(all: readonly Measured[]): string {
  const rows = all.flatMap((one) =>
    one.storm && one.afterStorm
      ? [[name(one), String(one.processors), String(one.clients), ...stormCells(one.storm, one.afterStorm)]]
      : [],
  );
  return table(["server", "processors", "clients", ...STORM_HEAD], rows);
}

/** The table of what is lost where one of our settings stays as it was. */
export function leftOutTable(whole: Measured, all: readonly Measured[]): string {
  return table(
    ["left as it was", "stay", "and download", "95 % back after a storm", "what is lost"],
    [whole, ...all].map((one) => [
      one.leftOut ?? "nothing",
      String(one.held.stayed),
      String(one.held.served),
      one.storm ? seconds(one.storm.most) : "-",
      one === whole ? "" : lossOf(whole, one),
    ]),
  );
}

/** More than the noise of two runs. */
const NOTICEABLE = 0.02;

export function lossOf(whole: Measured, one: Measured): string {
  const losses = [
    lossIn("clients that stay", whole.held.stayed, one.held.stayed),
    lossIn("clients whose download comes", whole.held.served, one.held.served),
    lossIn("clients that come back", whole.storm?.back ?? 0, one.storm?.back ?? 0),
    gainIn("connections dropped at nginx's port 443", drops(whole, "443"), drops(one, "443")),
    gainIn(
      "requests refused for want of PostgreSQL",
      whole.afterStorm?.poolRefused ?? 0,
      one.afterStorm?.poolRefused ?? 0,
    ),
    lossIn("files that a session of wapt may open", whole.afterHolding.sessionFiles, one.afterHolding.sessionFiles),
  ].filter((text) => text !== "");
  return losses.join(", ") || "nothing was seen";
}

const drops = ({ afterHolding, afterStorm }: Measured, port: string) =>
  Math.max(afterHolding.drops[port] ?? 0, afterStorm?.drops[port] ?? 0);
const lossIn = (what: string, whole: number, now: number) =>
  whole - now > whole * NOTICEABLE ? `${whole - now} ${what}` : "";
const gainIn = (what: string, whole: number, now: number) => (now - whole > 20 ? `${now - whole} ${what}` : "");
