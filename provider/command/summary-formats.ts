/** A summary as text, Markdown, JSON and JUnit's XML. Pure. */
import { type Overview, statusOf } from "./overview";
import { arrow, headline, type Line, plural, sectionsOf } from "./sections";
import type { ServerPreview } from "./server-preview";

/** GitHub refuses a longer comment; counted in bytes, of which a comment has no more than characters. */
export const LONGEST_COMMENT = 65_535;

/** How many servers are named behind a change that many have. */
const NAMED = 8;

function namesOf(servers: readonly string[], quote = (name: string) => name): string {
  const named = servers.slice(0, servers.length > NAMED ? 3 : NAMED).map(quote);
  const list = named.join(", ");
  if (servers.length === 1) return list;
  return `${plural(servers.length, "server")} (${servers.length > named.length ? `${list}, …` : list})`;
}

export function asText(overview: Overview): string {
  const sections = sectionsOf(overview).map(({ title, lines }) => {
    const width = Math.max(0, ...lines.map(({ setting = "" }) => setting.length));
    const row = ({ setting, text, servers, differs }: Line) => {
      if (setting === undefined) return `  ${namesOf(servers)}: ${text}`;
      return `  ${(differs ? "" : setting).padEnd(width)}  ${differs ? "differs: " : ""}${text} on ${namesOf(servers)}`;
    };
    return `\n${title}\n${lines.map(row).join("\n")}\n`;
  });
  return `${headline(overview)}\n${sections.join("")}`;
}

/** A code span: nothing in it is Markdown, a mention or HTML. */
const code = (text: string): string => `\`${text.replaceAll("`", "'").replaceAll("|", "\\|")}\``;

const marker = (title: string): string => `<!-- pulumi-wapt summary: ${title.replace(/[^\w ./-]/g, "_")} -->`;

/** The marker that a comment begins with; undefined for a text that is none. */
export const markerOf = (text: string): string | undefined => /^<!-- pulumi-wapt summary: .*? -->/.exec(text)?.[0];

/** The comment, and whether something was cut off it. The first line finds it again, so that it is updated. */
export function asMarkdown(
  overview: Overview,
  title: string,
  longest = LONGEST_COMMENT,
): { text: string; isCut: boolean } {
  const head = `${marker(title)}\n### ${title.replace(/[^\w ./-]/g, "_")}: ${headline(overview)}\n`;
  const blocks = [...sectionsOf(overview).map(markdownSection), ...markdownServers(overview.servers)];
  const end = "\n*This is cut: the job's summary has the rest.*\n";
  let text = head;
  for (const block of blocks) {
    const room = longest - Buffer.byteLength(text) - Buffer.byteLength(end);
    if (Buffer.byteLength(block) > room) return { text: text + end, isCut: true };
    text += block;
  }
  return { text, isCut: false };
}

function markdownSection({ title, lines }: { title: string; lines: readonly Line[] }): string {
  const row = ({ setting, text, servers, differs }: Line) => {
    if (setting === undefined) return `- ${namesOf(servers, code)}: ${code(text)}`;
    return `- ${code(setting)} ${differs ? "differs: " : ""}${code(text)} on ${namesOf(servers, code)}`;
  };
  const shown = `\n${lines.map(row).join("\n")}\n`;
  return lines.length > FOLDED
    ? `\n<details><summary>${title} (${lines.length})</summary>\n${shown}\n</details>\n`
    : `\n**${title}**\n${shown}`;
}

/** Sections with more lines are folded. */
const FOLDED = 20;

/** Each server's own changes, a hundred servers to a fold, so that a cut leaves out no more than it must. */
function markdownServers(servers: readonly ServerPreview[]): string[] {
  const changed = servers.filter(({ changes }) => changes.length > 0);
  const folds = Array.from({ length: Math.ceil(changed.length / 100) }, (_, i) =>
    changed.slice(100 * i, 100 * (i + 1)),
  );
  return folds.map((some) => {
    const row = ({ name, changes }: ServerPreview) =>
      `- ${code(name)}: ${changes.map((one) => code(`${one.setting} ${arrow(one)}`)).join(", ")}`;
    const title = `By server: ${some[0]!.name} to ${some.at(-1)!.name}`.replace(/[&<>]/g, "_");
    return `\n<details><summary>${title}</summary>\n\n${some.map(row).join("\n")}\n\n</details>\n`;
  });
}

export function asJson(overview: Overview): string {
  return `${JSON.stringify({ version: 1, status: statusOf(overview), ...overview }, null, 2)}\n`;
}

/** One test a server: a change is a failure, what is not known an error. */
export function asJunit(overview: Overview): string {
  const { counts, servers, failed, conflicts } = overview;
  const cases = [
    ...failed.flatMap(({ what, servers: stacks }) =>
      stacks.map((stack) => testcase(stack, element("error", what, ""))),
    ),
    ...conflicts.map(({ what, servers: some }) => testcase(some.join(" "), element("error", what, ""))),
    ...servers.map((server) => testcase(server.name, verdict(server))),
  ];
  const errors = counts.unread + conflicts.length + failed.reduce((sum, { servers: stacks }) => sum + stacks.length, 0);
  const numbers = `tests="${cases.length}" failures="${counts.changing}" errors="${errors}"`;
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${numbers}>\n` +
    `  <testsuite name="pulumi-wapt" ${numbers}>\n${cases.join("")}  </testsuite>\n</testsuites>\n`
  );
}

function verdict({ changes, operation, unread, due }: ServerPreview): string {
  if (unread !== undefined) return element("error", unread, "");
  if (operation === "same") return "";
  const lines = [...changes.map((one) => `${one.setting} ${arrow(one)}`), ...due];
  return element("failure", `${operation}: ${plural(changes.length, "setting")}`, lines.join("\n"));
}

const testcase = (name: string, inside: string): string =>
  inside === ""
    ? `    <testcase classname="pulumi-wapt" name="${xml(name)}"/>\n`
    : `    <testcase classname="pulumi-wapt" name="${xml(name)}">\n${inside}    </testcase>\n`;

const element = (name: string, message: string, text: string): string =>
  `      <${name} message="${xml(message)}">${xml(text)}</${name}>\n`;

const xml = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/[\0-\x08\x0b\x0c\x0e-\x1f]/g, "");
