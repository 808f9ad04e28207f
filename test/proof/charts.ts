/** Two plain SVG pictures of the proof: who stays before and after, and how a storm ends. */
import { curve, picture as framed, line, square, text } from "../support/svg";
import type { Measured } from "./measured";
import type { Storm } from "./population";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [720, 360, 70, 50, 50];
const COLOURS: Readonly<Record<string, string>> = { distribution: "#b8b8b8", postconf: "#e69f00", up: "#0072b2" };
const PALETTE = ["#b8b8b8", "#e69f00", "#0072b2", "#009e73", "#cc79a7"];
const LABELS: Readonly<Record<string, string>> = {
  distribution: "distribution's files",
  postconf: "WAPT's postconf",
  up: "after one up",
};

const picture = (title: string, inside: readonly string[]) => framed(WIDTH, HEIGHT, title, inside);

/** From 0 to the most, upwards. */
function scale(most: number, unit: string): { y: (value: number) => number; axis: string[] } {
  const y = (value: number) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - TOP);
  const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(most * share));
  const axis = steps.flatMap((value) => [
    line(LEFT, y(value), WIDTH - 20, y(value)),
    text(LEFT - 8, y(value) + 4, `${value}${unit}`, "end", 11),
  ]);
  return { y, axis };
}

const legend = (entries: readonly (readonly [name: string, colour: string])[]) =>
  entries.flatMap(([name, colour], at) => [
    square(LEFT + at * 190, 28, colour),
    text(LEFT + at * 190 + 18, 39, name, "start"),
  ]);

const basesOf = (all: readonly Measured[]) => [...new Set(all.map(({ base }) => base))];

/** Bars: of so many clients how many stay. */
export function heldChart(all: readonly Measured[]): string {
  const [bases, sizes] = [basesOf(all), [...new Set(all.map(({ clients }) => clients))]];
  const { y, axis } = scale(Math.max(...sizes), "");
  const [group, processors] = [(WIDTH - LEFT - 20) / sizes.length, all[0]?.processors ?? 1];
  const width = (group * 0.8) / bases.length;
  const bars = all.flatMap(({ base, clients, held: { stayed } }) => {
    const x = LEFT + group * (sizes.indexOf(clients) + 0.1) + width * bases.indexOf(base);
    const bar = `<rect x="${x.toFixed(1)}" y="${y(stayed).toFixed(1)}" width="${(width - 3).toFixed(1)}" height="${(y(0) - y(stayed)).toFixed(1)}" fill="${COLOURS[base]}"/>`;
    return [bar, text(x + width / 2, y(stayed) - 4, String(stayed), "middle", 10)];
  });
  const names = sizes.map((clients, at) => text(LEFT + group * (at + 0.5), HEIGHT - BOTTOM + 18, `${clients} clients`));
  const title = `Clients that stay connected, ${processors} processor${processors === 1 ? "" : "s"}`;
  return picture(title, [
    ...axis,
    ...legend(bases.map((base) => [LABELS[base] ?? base, COLOURS[base]!])),
    ...bars,
    ...names,
  ]);
}

/** In the upper left corner, where no curve is. */
const entry = (name: string, colour: string, at: number) => [
  square(LEFT + 12, TOP + 10 + at * 20, colour),
  text(LEFT + 30, TOP + 21 + at * 20, name, "start"),
];

/** A storm of the picture. */
export interface StormCurve {
  readonly name: string;
  readonly storm: Storm;
}

/** Those of the largest number of clients, by what the server has. */
export function stormCurves(all: readonly Measured[]): StormCurve[] {
  const clients = Math.max(...all.map((one) => (one.storm ? one.clients : 0)));
  return all.flatMap(({ base, clients: count, storm }) =>
    storm && count === clients ? [{ name: LABELS[base] ?? base, storm }] : [],
  );
}

/** Curves: how many percent of those that were lost are back after so many seconds. */
export function stormChart(curves: readonly StormCurve[]): string {
  const { y, axis } = scale(100, " %");
  const end = Math.ceil(Math.max(10, ...curves.flatMap(({ storm }) => storm.curve.map(([time]) => time))) / 10) * 10;
  const x = (time: number) => LEFT + (time / end) * (WIDTH - LEFT - 40);
  const names = [...new Set(curves.map(({ name }) => name))];
  const colour = (name: string) => PALETTE[names.indexOf(name) % PALETTE.length]!;
  const lines = curves.map(({ name, storm }) => {
    const points = storm.curve.map(([time, back]): [number, number] => [x(time), y((back / storm.lost) * 100)]);
    return curve([[x(0), y(0)], ...points], colour(name));
  });
  const times = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    text(x(end * share), HEIGHT - BOTTOM + 18, `${Math.round(end * share)} s`),
  );
  const clients = Math.max(...curves.map(({ storm }) => storm.lost));
  const title = `A storm: all of ${clients} clients lost at once, and how many are back`;
  return picture(title, [...axis, ...names.flatMap((name, at) => entry(name, colour(name), at)), ...lines, ...times]);
}
