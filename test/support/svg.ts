/** The few parts of SVG that the project's pictures are made of. */

const escaped = (words: string) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;");

export const text = (x: number, y: number, words: string, anchor = "middle", size = 13): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}" fill="#222">${escaped(words)}</text>`;

export const line = (x1: number, y1: number, x2: number, y2: number, colour = "#ddd"): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"/>`;

export const square = (x: number, y: number, colour: string): string =>
  `<rect x="${x}" y="${y}" width="12" height="12" fill="${colour}"/>`;

export const curve = (points: readonly (readonly [number, number])[], colour: string, dashes = ""): string =>
  `<polyline points="${points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ")}" fill="none" stroke="${colour}" stroke-width="2"${dashes && ` stroke-dasharray="${dashes}"`}/>`;

export function picture(width: number, height: number, title: string, inside: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" role="img">`,
    `<title>${escaped(title)}</title><rect width="${width}" height="${height}" fill="#fff"/>`,
    text(width / 2, 20, title, "middle", 15),
    ...inside,
    "</svg>",
    "",
  ].join("\n");
}
