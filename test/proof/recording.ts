/**
 * A picture of what a terminal shows, of the text that it gets:
 *
 *   pulumi preview --diff --color=never | npx tsx test/proof/recording.ts "pulumi preview --diff" docs/preview.svg
 */
import { readFileSync, writeFileSync } from "node:fs";

const [LEFT, TOP, HEIGHT, CHARACTER] = [16, 44, 18, 7.85];
const COLOURS: readonly [RegExp, string][] = [
  [/^\s*~/, "#e5c07b"],
  [/^\s*\+/, "#98c379"],
  [/^\s*-/, "#e06c75"],
  [/^\$/, "#ffffff"],
];

const escaped = (words: string) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;");

function row(words: string, at: number): string {
  const [, colour = "#c8ccd4"] = COLOURS.find(([begins]) => begins.test(words)) ?? [];
  return `<text x="${LEFT}" y="${TOP + at * HEIGHT}" fill="${colour}" xml:space="preserve">${escaped(words)}</text>`;
}

export function recording(command: string, output: string): string {
  const rows = [`$ ${command}`, ...output.trimEnd().split("\n")];
  const width = Math.ceil(2 * LEFT + Math.max(...rows.map(({ length }) => length)) * CHARACTER);
  const height = TOP + rows.length * HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="13" role="img">`,
    `<title>${escaped(command)}</title><rect width="${width}" height="${height}" rx="8" fill="#1f2329"/>`,
    ...["#e06c75", "#e5c07b", "#98c379"].map(
      (colour, i) => `<circle cx="${20 + i * 18}" cy="18" r="5" fill="${colour}"/>`,
    ),
    ...rows.map(row),
    "</svg>",
    "",
  ].join("\n");
}

if (require.main === module) {
  const [command = "", file = ""] = process.argv.slice(2);
  writeFileSync(file, recording(command, readFileSync(0, "utf8")));
}
