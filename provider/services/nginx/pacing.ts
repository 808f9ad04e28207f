/**
 * Logins of WAPT's agents, handed on at a pace: a file of ours among those that nginx includes in `http`, which only we
 * write, and so as a whole. WAPT's own site stays as it is. The key is `limit_req`, its value logins a second.
 */
import { posix } from "node:path";
import type { Problem } from "../../problem";
import { Draft } from "../../text/draft";
import { changed, type Format, FormatError, type Found, readEach, type Tree, textOf } from "../../text/format";
import { isPattern, pathMatcher } from "../../text/wildcards";
import type { Place, Target } from "../../transaction/target";
import { argumentsOf, hasContext, walk } from "./configuration";
import { innerWarnings, type NginxState, nginxPlace } from "./nginx";

const KEY = "limit_req";
const FILE = "pulumi-wapt-logins.conf";

/** Where WAPT's agents ask for the token with which they open their websocket. */
const LOGIN = "/get_websocket_auth_token";

/** An agent gives its login 5 s: one that waits longer for its turn waits in vain, and waptserver would work for nobody. */
const WAITING_SECONDS = 4;

/** By its first line a file is ours. */
const HEAD = "# Written by pulumi-wapt (loginsPerSecond) as a whole: what is changed here is lost.";

/** What our file says for a number of logins a second. An empty key is not limited; 503 is nginx's own answer beyond. */
const textFor = (pace: string): string => `${HEAD}
map $uri $pulumi_wapt_login {
    default "";
    ${LOGIN} login;
}
limit_req_zone $pulumi_wapt_login zone=pulumi_wapt_logins:1m rate=${pace}r/s;
limit_req zone=pulumi_wapt_logins burst=${WAITING_SECONDS * Number(pace)};
`;

/** The root is our file. */
const pacing: Format = {
  read: (tree, keys) => readEach(keys, (key) => found(tree, key)),

  /** Writes it anew for a value, and empties it for null. */
  edit(tree, wanted) {
    const { root } = tree;
    const value = wanted[KEY] ?? null;
    if (value !== null && !/^[1-9]\d*$/.test(value))
      throw new FormatError(root, 1, `${KEY} can't be ${JSON.stringify(value)}; give a number of logins a second`);
    const text = textOf(tree, root);
    if (text !== "" && !text.startsWith(HEAD))
      throw new FormatError(root, 1, "this file is not of pulumi-wapt; rename it, or leave loginsPerSecond out");
    const whole = { start: 0, end: text.length, text: value === null ? "" : textFor(value) };
    return changed([[root, whole.text === text ? Draft.of(text) : Draft.of(text).with([whole])]]);
  },
};

function found(tree: Tree, key: string): Found | undefined {
  if (key !== KEY) throw new FormatError(tree.root, 1, `"${key}" is no setting of our file; ask for ${KEY}`);
  const text = textOf(tree, tree.root);
  if (!text.startsWith(HEAD)) return undefined;
  const lines = text.split("\n");
  const line = lines.findIndex((one) => one.startsWith("limit_req_zone "));
  const [, value] = /\brate=(\d+)r\/s;/.exec(lines[line] ?? "") ?? [];
  return value === undefined ? undefined : { value, file: tree.root, line: line + 1 };
}

/** The path of our file: where it is; else in the first folder of which nginx includes all such files in `http`, if any. */
function pathIn(tree: Tree): string | undefined {
  const { directives, readings } = walk(tree, new Set(["include"]));
  const patterns = directives
    .filter(({ block, source }) => hasContext(block, ["http"]) && readings.get(source.path) === 1)
    .map(({ source, statement }) => argumentsOf(source, statement)[0] ?? "")
    .map((path) => posix.normalize(path.startsWith("/") ? path : posix.join(posix.dirname(tree.root), path)));
  const paths = patterns
    .filter((pattern) => isPattern(pattern) && !isPattern(posix.dirname(pattern)))
    .map((pattern) => [pattern, posix.join(posix.dirname(pattern), FILE)] as const)
    .flatMap(([pattern, path]) => (pathMatcher(pattern)(path) ? [path] : []));
  // Another folder may have been included before it since: nginx takes no zone twice.
  return paths.find((path) => textOf(tree, path).startsWith(HEAD)) ?? paths[0];
}

/** The pace of logins; none where it has no folder. */
export function pacePlace(state: NginxState, pace: number): Place[] {
  const root = pathIn(state.tree);
  if (root === undefined) return [];
  const place = nginxPlace(state, { setting: KEY, value: String(pace) });
  return [{ ...place, format: pacing, tree: { root, files: state.tree.files }, removesEmptyFile: true }];
}

/** Where the folder is no longer included nginx reads our file no more, and there is nothing to give back. */
export const paceGone = (state: NginxState): Target["gone"] =>
  paceProblems(state).map(() => ({
    ids: [KEY],
    reason: `no folder is included in http any more, so ${FILE} is not read; remove it where it lies`,
  }));

export function paceProblems({ tree }: NginxState): Problem[] {
  if (pathIn(tree) !== undefined) return [];
  const reason =
    `the http block of ${tree.root} includes no folder of files, so there is no place for a file of ours: ` +
    `add "include ${posix.dirname(tree.root)}/conf.d/*.conf;" to it, or leave loginsPerSecond out`;
  return [{ property: "loginsPerSecond", reason }];
}

/** A limit of the administrator's own further in, beside which nginx takes none of ours. */
export const paceWarnings = (state: NginxState): string[] =>
  innerWarnings(state, KEY).map((warning) => `${warning}: logins that it is about are not paced by loginsPerSecond`);
