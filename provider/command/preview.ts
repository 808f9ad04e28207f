/** What one `pulumi preview --json` says of a stack. Pure. */
import { z } from "zod";
import { wayTo } from "../ssh/connection";
import { harmless, harmlessSentence } from "../text/harmless";
import { type ServerPreview, type Step, serverPreview, stepSchema } from "./server-preview";

export interface Preview {
  readonly stack: string;
  /** "" where it is not known. */
  readonly project: string;
  readonly servers: readonly ServerPreview[];
  /** Resources of others that change, as "operation type name". */
  readonly others: readonly string[];
  /** What the provider said, and of which server. */
  readonly warnings: readonly { readonly server: string; readonly text: string }[];
  /** Why it could not be previewed to its end. */
  readonly errors: readonly string[];
  /** Which settings of which server it wants to own. */
  readonly claims: readonly Claim[];
}

export interface Claim {
  readonly server: string;
  /** Where its connection leads, as the program has it: it is compared, and never shown. */
  readonly route: string;
  /** Of a new one the machine that it leads to, where it was read. */
  readonly machine?: string;
  readonly settings: readonly string[];
}

const diagnosticSchema = z.looseObject({ message: z.string(), severity: z.string(), urn: z.string().nullish() });
const documentSchema = z.looseObject({
  steps: z.array(stepSchema).nullish(),
  diagnostics: z.array(diagnosticSchema).nullish(),
});

type Diagnostic = z.infer<typeof diagnosticSchema>;

/** Operations that change nothing; one that is not known counts as a change. */
const QUIET = new Set(["same", "refresh", "read"]);

/** Parts of one replacement: its other step says the rest. */
const HALVES = new Set(["create-replacement", "delete-replaced"]);

/** What Pulumi keeps for itself, where it does with it what it is known to do. */
const isPulumisOwn = ({ op, urn }: Step): boolean =>
  /^(pulumi:pulumi:Stack|pulumi:providers:)/.test(typeOf(urn)) && /^(create|update|delete)$/.test(op);

/**
 * The preview in a file's text.
 *
 * @param fallback the stack's name where the text does not say it: no step was made.
 * @throws Error when the text is not what `pulumi preview --json` writes.
 */
export function parsePreview(text: string, fallback: string): Preview {
  const { steps, diagnostics } = documentOf(text);
  const [, stack = fallback, project = ""] = /^urn:pulumi:(.+?)::(.*?)::/.exec(steps[0]?.urn ?? "") ?? [];
  const done = steps.filter((one) => one.op !== "refresh" && !HALVES.has(one.op) && !isPulumisOwn(one));
  const errors = sentences(diagnostics, "error");
  const others = done
    .filter(({ op, urn }) => !isOurs(urn) && !QUIET.has(op))
    .map(({ op, urn }) => harmless(`${op} ${typeOf(urn)} ${nameOf(urn)}`));
  const ours = steps.filter(({ urn }) => isOurs(urn));
  const own = done.filter(({ urn }) => isOurs(urn));
  const servers = serversOf(stack, own, ours.filter(isRefresh), complaintsOf(diagnostics), errors.length > 0);
  const warnings = warningsOf(stack, ours, diagnostics);
  return { stack, project, servers, others, warnings, errors, claims: claimsOf(stack, ours) };
}

const isRefresh = ({ op }: Step): boolean => op === "refresh";

/** A server that was read and has no step of its own is as it shall be, unless the preview has not come so far. */
function serversOf(
  stack: string,
  done: readonly Step[],
  asked: readonly Step[],
  complaints: ReadonlyMap<string, string>,
  hasFailed: boolean,
): ServerPreview[] {
  const last = new Map(asked.map(({ urn, oldState }) => [urn, oldState?.inputs ?? undefined]));
  const silent = asked
    .filter(({ urn }) => done.every((one) => one.urn !== urn))
    .map(({ urn }) => ({ op: "same", urn }));
  const early = hasFailed ? "the preview of its stack failed before it" : undefined;
  return [
    ...done.map((step): [Step, string | undefined] => [step, undefined]),
    ...silent.map((step): [Step, string | undefined] => [step, early]),
  ].map(([step, otherwise]) => {
    const complaint = complaints.get(step.urn) ?? otherwise;
    return serverPreview(nameIn(stack, step.urn), step, { last: last.get(step.urn), complaint });
  });
}

const UNREAD = "Refreshed resource is in an unhealthy state:";

/** Why servers could not be read, by URN. Each reason begins with the resource's name, which is said anyway. */
function complaintsOf(diagnostics: readonly Diagnostic[]): Map<string, string> {
  return new Map(
    diagnostics
      .filter(({ urn, message }) => urn && message.includes(UNREAD))
      .map(({ urn, message }) => {
        const reasons = message.slice(message.indexOf(UNREAD) + UNREAD.length).split("\n* ");
        const texts = reasons.map((text) => text.trim()).filter(Boolean);
        const prefix = `${nameOf(urn!)}: `;
        return [urn!, texts.map((text) => (text.startsWith(prefix) ? text.slice(prefix.length) : text)).join("; ")];
      }),
  );
}

function documentOf(text: string) {
  const parsed = documentSchema.safeParse(json(text));
  if (!parsed.success || !(parsed.data.steps || parsed.data.diagnostics)) {
    const found = text.trim() === "" ? "it is empty" : `it begins with ${harmless(text, 60)}`;
    throw new Error(`it is not what pulumi preview --json writes: ${found}`);
  }
  return { steps: parsed.data.steps ?? [], diagnostics: parsed.data.diagnostics ?? [] };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const typeOf = (urn: string): string => (urn.split("::")[2] ?? "").split("$").at(-1)!;
const nameOf = (urn: string): string => urn.split("::").slice(3).join("::");
const nameIn = (stack: string, urn: string): string => (nameOf(urn) === stack ? stack : `${stack}/${nameOf(urn)}`);
const isOurs = (urn: string): boolean => /^pulumi-nodejs:dynamic\/pulumi-wapt:/.test(typeOf(urn));

/** The provider's own lines, "pulumi-wapt: HOST: SENTENCE", and the warnings of Pulumi and of others. */
function warningsOf(stack: string, steps: readonly Step[], diagnostics: readonly Diagnostic[]): Preview["warnings"] {
  const names = new Map(
    steps.map(({ urn, oldState, newState }) => [hostOf(newState) ?? hostOf(oldState), nameIn(stack, urn)]),
  );
  const lines = diagnostics.filter(({ severity }) => severity === "info").flatMap(({ message }) => message.split("\n"));
  const own = lines.flatMap((line) => {
    const [, host = "", text = ""] = /^pulumi-wapt: (.+?): (.*)$/.exec(line) ?? [];
    return host ? [{ server: harmless(names.get(host) ?? host), text: harmlessSentence(text) }] : [];
  });
  // What could not be read is said of its server.
  const foreign = sentences(diagnostics, "warning").filter((text) => !text.startsWith(UNREAD));
  return [...own, ...foreign.map((text) => ({ server: stack, text }))];
}

/** What a resource wants, else what it had, where it stays as it is. */
function claimsOf(stack: string, steps: readonly Step[]): Claim[] {
  const gone = new Set(steps.filter(({ op }) => op === "delete").map(({ urn }) => urn));
  const latest = new Map(steps.filter(({ urn }) => !gone.has(urn)).map((step) => [step.urn, step]));
  return [...latest.values()].flatMap(({ urn, oldState, newState }) => {
    const { connection, root, settings, machine } = newState?.inputs ?? oldState?.inputs ?? {};
    const { host, port, proxy } = connectionSchema.safeParse(connection).data ?? {};
    if (host === undefined || typeof settings !== "object" || settings === null) return [];
    return [
      {
        server: nameIn(stack, urn),
        route: wayTo({ host, port, proxy }, typeof root === "string" ? root : undefined),
        ...(typeof machine === "string" && { machine: JSON.stringify([machine, root ?? "/"]) }),
        settings: Object.keys(settings),
      },
    ];
  });
}

const hopSchema = z.object({ host: z.string(), port: z.number().optional().catch(undefined) });
/** A proxy that is not known yet is none; a proxy has none of its own. */
const connectionSchema = hopSchema.extend({ proxy: hopSchema.optional().catch(undefined) });

const hostOf = (state: Step["oldState"]): string | undefined =>
  connectionSchema.safeParse(state?.inputs?.connection).data?.host;

function sentences(diagnostics: readonly Diagnostic[], kind: string): string[] {
  const texts = diagnostics
    .filter(({ severity }) => severity === kind)
    .map(({ message }) => harmlessSentence(message.startsWith(`${kind}: `) ? message.slice(kind.length + 2) : message));
  return [...new Set(texts)];
}
