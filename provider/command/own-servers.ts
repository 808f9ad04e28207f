/** One server has one owner: what the stacks' configurations say of that, before a server is contacted. */
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { checkArguments } from "../resources/definition";
import { waptServer } from "../resources/wapt-server";
import { type Connection, wayTo } from "../ssh/connection";
import { harmless } from "../text/harmless";
import { sideBySide } from "./side-by-side";
import { ask } from "./stack-run";

/** A server that a stack's configuration names. */
export interface NamedServer {
  readonly stack: string;
  /** The key and the position that name it. */
  readonly key: string;
  readonly host: string;
  /** Where its connection leads. */
  readonly way: string;
  readonly settings: readonly string[];
}

/** As `pulumi config --json` says it: a secret has no value. */
const valueSchema = z
  .looseObject({ value: z.string().nullish(), objectValue: z.unknown().optional(), secret: z.boolean().nullish() })
  .transform(({ value, objectValue, secret }) => ({ given: objectValue ?? parsed(value), isSecret: secret === true }));
const configSchema = z.record(z.string(), valueSchema);

/** A port that is no number is not known, and so is where it leads. */
const hopSchema = z.looseObject({ host: z.string().min(1), port: z.number().optional() });
const connectionSchema = hopSchema.extend({ proxy: hopSchema.optional() });
const bag = z.record(z.string(), z.unknown());

/** `pulumi` processes that only read a configuration, at the same time. */
const PARALLEL = 4;

const SECRET = "a part of its configuration is secret";
const UNREAD = "its configuration could not be read";

/** @throws Error that names each server which two of the stacks want. */
export async function demandOwnServers(stacks: readonly string[], note: (line: string) => void): Promise<void> {
  const project = projectName();
  const named = await sideBySide(stacks, PARALLEL, async (stack) => {
    const servers = await ask(["config", "--json", "--stack", stack])
      .then((text) => serversIn(project, stack, text) ?? SECRET)
      // Its own run says why.
      .catch(() => UNREAD);
    if (typeof servers !== "string") return servers;
    note(`${stack}: ${servers}, so its servers were not compared with those of other stacks`);
    return [];
  });
  const problems = namedTwice(named.flat());
  if (problems.length > 0) throw new Error(problems.join("\n"));
}

/** The name in Pulumi.yaml, which is the namespace of the project's own keys. */
function projectName(): string {
  const files = ["Pulumi.yaml", "Pulumi.yml"].filter((name) => existsSync(name));
  const text = files[0] === undefined ? "" : readFileSync(files[0], "utf8");
  return /^name: *["']?([\w.-]+)/m.exec(text)?.[1] ?? "";
}

/**
 * The list `servers` of a site, or the one `connection` of a program without such a list, in the project's own namespace.
 * Undefined where that is secret. @throws Error for what is no configuration.
 */
export function serversIn(project: string, stack: string, text: string): NamedServer[] | undefined {
  const config = configSchema.parse(JSON.parse(text));
  const [listKey, connectionKey] = [`${project}:servers`, `${project}:connection`];
  const [list, shared] = [config[listKey], config[connectionKey]];
  if (list?.isSecret || shared?.isSecret) return undefined;
  if (!list) return serverAt({ stack, key: connectionKey }, { connection: shared?.given });
  const common = bag.safeParse(shared?.given).data ?? {};
  const all: unknown[] = Array.isArray(list.given) ? list.given : [];
  return all.flatMap((one, at) => {
    const { connection, host, ...rest } = bag.safeParse(one).data ?? {};
    const own = bag.safeParse(connection).data ?? {};
    return serverAt({ stack, key: `${listKey}[${at}]` }, { ...rest, connection: { ...common, ...own, host } });
  });
}

/** An object that was set as text. */
function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

function serverAt(place: { stack: string; key: string }, { connection, root, omit, uploads }: Record<string, unknown>) {
  const to = connectionSchema.safeParse(connection).data;
  if (!to) return [];
  const way = wayTo(to as Connection, typeof root === "string" ? root : undefined);
  return [{ ...place, host: to.host, way, settings: settingsOf(omit, uploads) }];
}

/** Those of all parts but what is omitted: two stacks may share a server's parts among them. */
function settingsOf(omit: unknown, uploads: unknown): string[] {
  const args = { connection: { host: "a" }, clients: 1, ...(uploads !== undefined && { uploads: { path: "/a" } }) };
  const [asGiven, whole] = [{ ...args, omit }, args].map((one) => checkArguments(waptServer, one));
  // What is wrong with `omit` the stack's own run says.
  const checked = asGiven!.problems ? whole! : asGiven!;
  return checked.problems ? [] : Object.keys(checked.settings ?? {});
}

/** A sentence for each server that several stacks name. */
export function namedTwice(named: readonly NamedServer[]): string[] {
  const wanted = named.flatMap((server) => server.settings.map((setting) => ({ setting, server })));
  const rivals = [...Map.groupBy(wanted, ({ setting, server }) => `${setting} ${server.way}`).values()]
    .map((same) => same.map(({ server }) => server))
    .filter((same) => new Set(same.map(({ stack }) => stack)).size > 1);
  const places = (same: readonly NamedServer[]) =>
    same.map(({ stack, key }) => `${harmless(stack)} (${harmless(key)})`).join(" and ");
  const sentences = rivals.map(
    (same) =>
      `${harmless(same[0]!.host)} is a server of the stacks ${places(same)}: one server has one owner; ` +
      "remove it from one of them",
  );
  return [...new Set(sentences)];
}
