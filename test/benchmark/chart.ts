/** The picture of how time grows with the number of servers, both on scales of powers of ten. */
import { curve, line, picture, square, text } from "../support/svg";

export interface Line {
  readonly name: string;
  /** Servers, and seconds. */
  readonly points: readonly (readonly [number, number])[];
  /** What it is compared with is dashed. */
  readonly isFloor: boolean;
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [720, 400, 70, 50, 80];
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"];

const powers = (least: number, most: number): number[] => {
  const [first, last] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
};

export function growthChart(lines: readonly Line[]): string {
  const all = lines.flatMap(({ points }) => points);
  const across = powers(Math.min(...all.map(([servers]) => servers)), Math.max(...all.map(([servers]) => servers), 10));
  const up = powers(Math.min(...all.map(([, seconds]) => seconds)), Math.max(...all.map(([, seconds]) => seconds)));
  const share = (value: number, marks: readonly number[]) =>
    Math.log10(value / marks[0]!) / Math.max(1, Math.log10(marks.at(-1)! / marks[0]!));
  const x = (servers: number) => LEFT + share(servers, across) * (WIDTH - LEFT - 30);
  const y = (seconds: number) => HEIGHT - BOTTOM - share(seconds, up) * (HEIGHT - BOTTOM - TOP);
  const pairs = [...new Set(lines.map(({ name }) => name))];
  return picture(WIDTH, HEIGHT, "Seconds to read and plan, by the number of servers; dashed: ssh2 alone", [
    ...up.flatMap((mark) => [
      line(LEFT, y(mark), WIDTH - 30, y(mark)),
      text(LEFT - 8, y(mark) + 4, `${mark} s`, "end", 11),
    ]),
    ...across.flatMap((mark) => [
      line(x(mark), TOP, x(mark), HEIGHT - BOTTOM),
      text(x(mark), HEIGHT - BOTTOM + 18, mark.toLocaleString("en-US")),
    ]),
    ...pairs.flatMap((name, i) => [
      square(LEFT + i * 170, 36, COLOURS[i % COLOURS.length]!),
      text(LEFT + i * 170 + 18, 47, name, "start"),
    ]),
    ...lines.map(({ name, points, isFloor }) =>
      curve(
        points.map(([servers, seconds]) => [x(servers), y(seconds)]),
        COLOURS[pairs.indexOf(name) % COLOURS.length]!,
        isFloor ? "5 4" : "",
      ),
    ),
  ]);
}
