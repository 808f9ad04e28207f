/** The refusals and warnings that stand in the sources, as a user may read them: "…" where a run puts words in. */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";

const REPOSITORY = join(__dirname, "../..");

export interface Message {
  /** From the repository's root. */
  readonly file: string;
  readonly text: string;
}

/** What is no sentence for a user: a name, or a part of one. */
const SHORTEST = 20;

/** Those of all files below provider/, in the order of their files. */
export function messages(): Message[] {
  const files = readdirSync(join(REPOSITORY, "provider"), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(ts|sh)$/.test(path))
    .map((path) => posix.join("provider", path))
    .sort();
  return files.flatMap((file) => {
    const text = readFileSync(join(REPOSITORY, file), "utf8");
    const found = file.endsWith(".sh") ? ofShell(text) : ofTypeScript(file, text);
    const told = found.map((one) => one.replace(/\s+/g, " ").trim()).filter((one) => one.length >= SHORTEST);
    return [...new Set(told)].filter((one) => / \S+ /.test(one)).map((one) => ({ file, text: one }));
  });
}

/** `fail KIND "…"`, `lost "…"` and `note "…"`. */
function ofShell(text: string): string[] {
  const calls = /\b(?:fail \w+|lost|note) "((?:[^"\\]|\\.)*)"/g;
  const inserted = /\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}]*\}|\$\w+/g;
  return [...text.matchAll(calls)].map(([, words = ""]) => words.replace(inserted, "…").replace(/\\(.)/g, "$1"));
}

function ofTypeScript(file: string, text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (isText(node) && isTold(node)) found.push(textOf(node));
    else ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true));
  return found;
}

/** A text, or several that are put together. */
function isText(node: ts.Node): boolean {
  if (ts.isBinaryExpression(node)) return node.operatorToken.kind === ts.SyntaxKind.PlusToken && isText(node.left);
  return ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateExpression(node);
}

function textOf(node: ts.Node): string {
  if (ts.isBinaryExpression(node)) return textOf(node.left) + textOf(node.right);
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return "…";
  return node.templateSpans.reduce((text, { literal }) => `${text}…${literal.text}`, node.head.text);
}

/** Names of what holds words for the user. */
const HOLDERS = /^(reason|reasons|why|what|error|remedy|later|owned|cutOff|sameName|otherName)$/;
const MAKERS = /(Warnings|Problems|Findings|Conflicts|Reasons?|problem|warning|error)$/;

/** Whether a text is told to the user: a reason, an error's, or what a function of warnings or problems returns. */
function isTold(node: ts.Node): boolean {
  for (let at: ts.Node = node; at.parent; at = at.parent) {
    const { parent } = at;
    if (ts.isPropertyAssignment(parent) && parent.initializer === at) return HOLDERS.test(parent.name.getText());
    if (ts.isVariableDeclaration(parent)) return HOLDERS.test(parent.name.getText());
    if (ts.isNewExpression(parent)) return /Error$/.test(parent.expression.getText());
    if (ts.isCallExpression(parent)) return /(^|\.)(say|note|push|wrong|failure)$/.test(parent.expression.getText());
    if (ts.isReturnStatement(parent) || ts.isArrowFunction(parent)) return MAKERS.test(nameOfFunction(parent));
  }
  return false;
}

function nameOfFunction(node: ts.Node): string {
  for (let at: ts.Node | undefined = node; at; at = at.parent) {
    if (ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at)) return at.name?.getText() ?? "";
    if (ts.isVariableDeclaration(at)) return at.name.getText();
  }
  return "";
}
