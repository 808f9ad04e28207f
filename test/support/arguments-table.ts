/**
 * The tables of docs/resources.md, and docs/troubleshooting.md, made from what the sources say: the JSDoc of the arguments' interfaces, and sizing().
 * `npm run docs` writes them; test/documentation.test.ts compares.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { definitions } from "../../provider/resources";
import { type Sizes, sizing } from "../../provider/sizing";
import { troubleshooting } from "./troubleshooting";

const REPOSITORY = join(__dirname, "../..");
export const RESOURCES = join(REPOSITORY, "docs/resources.md");
export const TROUBLESHOOTING = join(REPOSITORY, "docs/troubleshooting.md");

/** The numbers of clients in the table of sizes. */
const CLIENTS = [400, 1000, 2500, 5000];

/** A property of an interface. */
export interface Documented {
  readonly name: string;
  /** Its documentation without the default; "" where there is none. */
  readonly text: string;
  /** What stands behind "Default:". */
  readonly default: string | undefined;
  readonly isOptional: boolean;
}

/** Reads the interfaces of the sources as the TypeScript compiler does. */
export class Sources {
  private readonly program: ts.Program;

  constructor() {
    const config = ts.readConfigFile(join(REPOSITORY, "tsconfig.json"), ts.sys.readFile).config;
    const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, REPOSITORY);
    this.program = ts.createProgram([join(REPOSITORY, "provider/index.ts")], options);
  }

  /** The properties of an interface, those that it inherits first. */
  properties(name: string): Documented[] {
    const checker = this.program.getTypeChecker();
    const type = checker.getTypeAtLocation(this.declaration(name));
    return namesIn(checker, type).map((name) => {
      const property = checker.getPropertyOfType(type, name)!;
      const all = ts.displayPartsToString(property.getDocumentationComment(checker)).replace(/\s+/g, " ").trim();
      const [text = "", ...rest] = all.split(/\s*\bDefault: /);
      return {
        name: property.name,
        text,
        default: rest.at(-1)?.replace(/\.$/, ""),
        isOptional: (property.flags & ts.SymbolFlags.Optional) !== 0,
      };
    });
  }

  private declaration(name: string): ts.InterfaceDeclaration {
    for (const file of this.program.getSourceFiles()) {
      if (file.fileName.includes("/node_modules/")) continue;
      const found = file.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === name);
      if (found) return found as ts.InterfaceDeclaration;
    }
    throw new Error(`no interface ${name} in provider/`);
  }
}

function namesIn(checker: ts.TypeChecker, type: ts.Type): string[] {
  const bases = type.isClassOrInterface() ? checker.getBaseTypes(type) : [];
  const own = checker.getPropertiesOfType(type).map(({ name }) => name);
  return [...new Set([...bases.flatMap((base) => namesIn(checker, base)), ...own])];
}

/** The interface of a resource's arguments. */
export const argumentsOf = (type: string): string => `${type}Arguments`;

/** The tables by the names of their markers. */
export function tables(): Record<string, string> {
  const sources = new Sources();
  return { arguments: argumentsTable(sources), connection: connectionTable(sources), sizes: sizesTable(sources) };
}

/** A text with each table between its markers. */
export function withTables(text: string, made: Readonly<Record<string, string>>): string {
  return Object.entries(made).reduce((now, [name, table]) => {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [before, rest = ""] = now.split(begin);
    const [, after] = rest.split(end);
    if (after === undefined) throw new Error(`docs/resources.md has no ${begin} … ${end}`);
    return `${before}${begin}\n${table}\n${end}${after}`;
  }, text);
}

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const head = (cells: readonly string[]): string => `${row(cells)}\n|${"---|".repeat(cells.length)}`;
const code = (text: string): string => `\`${text}\``;

interface Taker {
  /** Which resource takes it, in words. */
  readonly by: string;
  readonly property: Documented;
}

function argumentsTable(sources: Sources): string {
  // The whole server comes last, so that each argument stands beside those of its own resource.
  const types = [...definitions.map(({ type }) => type).filter((type) => type !== "WaptServer"), "WaptServer"];
  const takers = new Map<string, Taker[]>();
  const takes = (by: string, interfaceName: string) => {
    for (const property of sources.properties(interfaceName)) {
      takers.set(property.name, [...(takers.get(property.name) ?? []), { by, property }]);
    }
  };
  for (const type of types) takes(code(type), argumentsOf(type));
  takes("`WaptServer` in `uploads`", "UploadsArguments");
  const isCommon = (name: string) => takers.get(name)!.length === types.length;
  const names = [...takers.keys()].sort((one, other) => Number(isCommon(other)) - Number(isCommon(one)));
  const rows = names.map((name) => {
    const all = takers.get(name)!;
    const { text } = all[0]!.property;
    const by = isCommon(name) ? "all" : all.map((one) => one.by).join(", ");
    return row([code(name), by, text, defaultOf(all)]);
  });
  return [head(["argument", "taken by", "what it is", "default"]), ...rows].join("\n");
}

function defaultOf(takers: readonly Taker[]): string {
  const optional = takers.filter(({ property }) => property.isOptional);
  if (optional.length === takers.length) return takers[0]!.property.default ?? "none";
  return optional.length === 0 ? "required" : `required, optional for ${optional.map(({ by }) => by).join(", ")}`;
}

function connectionTable(sources: Sources): string {
  const rows = sources
    .properties("Connection")
    .map((property) => row([code(property.name), property.text, defaultOf([{ by: "", property }])]));
  return [head(["field", "what it is", "default"]), ...rows].join("\n");
}

function sizesTable(sources: Sources): string {
  const sizes = CLIENTS.map((clients) => sizing(clients));
  const rows = sources.properties("Sizes").map(({ name, text }) => {
    const [label = name] = text.split(": ");
    return row([label, ...sizes.map((one) => String(one[name as keyof Sizes]))]);
  });
  return [head(["clients", ...CLIENTS.map(String)]), ...rows].join("\n");
}

if (require.main === module) {
  writeFileSync(RESOURCES, withTables(readFileSync(RESOURCES, "utf8"), tables()));
  writeFileSync(TROUBLESHOOTING, troubleshooting());
}
