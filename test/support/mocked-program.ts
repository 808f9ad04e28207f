/** Runs a Pulumi program under Pulumi's mocks and records what it registers, just as it would reach the engine. */
import * as pulumi from "@pulumi/pulumi";
import { specialSecretSig, specialSigKey } from "@pulumi/pulumi/runtime/rpc";
import { disconnect, getMonitor } from "@pulumi/pulumi/runtime/settings";

/** A resource as the engine is asked for it. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  /** The parent's name; undefined for a resource of the stack itself. */
  readonly parent: string | undefined;
  readonly custom: boolean;
  /** A secret stands here as `{ secret: VALUE }`, an unknown value as Pulumi's own string for it. */
  readonly inputs: Readonly<Record<string, unknown>>;
}

export interface Program {
  readonly project?: string;
  /** The stack's configuration, by full key; values that are no text are given as JSON, as Pulumi does. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Keys of the configuration whose values are secret. */
  readonly secrets?: readonly string[];
  readonly preview?: boolean;
  /** What a resource has beside its inputs once it is registered. */
  readonly outputs?: (type: string, name: string) => Record<string, unknown>;
}

/** The organization and the stack of every such program. */
export const STACK = { organization: "clinic", stack: "paris" } as const;

/** Registers what the program makes, and waits until all of it is registered. */
export async function registrations<T>(
  program: Program,
  body: () => T | Promise<T>,
): Promise<{ registered: Registered[]; result: T }> {
  const { project = "wapt-site", config = {}, secrets = [], preview = false, outputs = () => ({}) } = program;
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => ({ id: `${name}-id`, state: { ...inputs, ...outputs(type, name) } }),
      call: ({ inputs }) => inputs,
    },
    project,
    STACK.stack,
    preview,
    STACK.organization,
  );
  const texts = Object.entries(config).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  pulumi.runtime.setAllConfig(Object.fromEntries(texts), [...secrets]);
  const registered = recorded();
  const result = await body();
  await disconnect();
  return { registered, result };
}

interface Request {
  getType(): string;
  getName(): string;
  getParent(): string;
  getCustom(): boolean;
  getObject(): { toJavaScript(): Record<string, unknown> };
}

// The mocks' own newResource sees the inputs with their secrets lifted to the top; the request has each in its place.
function recorded(): Registered[] {
  const monitor = getMonitor() as unknown as { registerResource(request: Request, callback: unknown): Promise<void> };
  const register = monitor.registerResource.bind(monitor);
  const all: Registered[] = [];
  monitor.registerResource = (request, callback) => {
    const inputs = readable(request.getObject().toJavaScript()) as Registered["inputs"];
    const parent = request.getParent().split("::").at(-1) || undefined;
    all.push({ type: request.getType(), name: request.getName(), parent, custom: request.getCustom(), inputs });
    return register(request, callback);
  };
  return all;
}

function readable(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(readable);
  const bag = value as Record<string, unknown>;
  if (bag[specialSigKey] === specialSecretSig) return { secret: readable(bag.value) };
  return Object.fromEntries(Object.entries(bag).map(([name, one]) => [name, readable(one)]));
}

/** An output's value, and whether it is secret. */
export async function settled<T>(output: pulumi.Output<T>): Promise<{ value: T; secret: boolean }> {
  const inner = output as unknown as { promise(): Promise<T>; isSecret: Promise<boolean> };
  return { value: await inner.promise(), secret: await inner.isSecret };
}
