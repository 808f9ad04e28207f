/**
 * What the serialized providers in users' states import by name: `pulumi-wapt/runtime`. Its path and the signatures
 * of its functions stay as they are; new code reads old state.
 */

import "../../node-version";
import { definitions } from "../../resources";
import type { AnyDefinition } from "../../resources/definition";
import type { Credentials } from "../../ssh/connection";
import { open, routeOf, SshError, sayBy } from "../../ssh/session";
import type { Properties } from "./inputs";
import { Provider } from "./provider";

let credentials: Credentials = {};
let forgotten: readonly string[] = [];
let adopted: readonly string[] = [];

const say = (line: string): void => console.log(line);
sayBy(say);

const provider = new Provider({
  routeOf: (connection) => routeOf(connection, credentials),
  async connect(connection) {
    const host = await open(connection, credentials).catch(explain);
    return { key: host.key, run: (program, options) => host.run(program, options).catch(explain) };
  },
  say,
  isForgotten: (host) => forgotten.includes(host),
  isAdopted: (host) => adopted.includes(host),
  restarts: () => restartsOf(process.env.PULUMI_WAPT_RESTARTS),
});

/** What a run of many stacks says of all their restarts: by the environment, since `--config` would be kept in a file. */
function restartsOf(text: string | undefined): "as needed" | "never" | undefined {
  if (!text || text === "window") return undefined;
  if (text === "now") return "as needed";
  if (text === "never") return "never";
  throw new Error(`PULUMI_WAPT_RESTARTS is ${JSON.stringify(text)}: it is now, window or never`);
}

// Pulumi gives these two commands the configuration of the last update, which has no credential that was set since.
const LAST_CONFIGURATION =
  "pulumi refresh and pulumi destroy see a change of the stack's configuration with --run-program, or after an up";

function explain(error: unknown): never {
  const refused = error instanceof SshError && (error.kind === "auth" || error.kind === "sudo");
  throw refused ? new SshError(error.kind, `${error.message} (${LAST_CONFIGURATION})`) : error;
}

function definitionOf(type: string): AnyDefinition {
  const definition = definitions.find((one) => one.type === type);
  if (!definition) {
    throw new Error(`this version of pulumi-wapt has no resource ${type}: upgrade the package, then repeat`);
  }
  return definition;
}

/** The stack's configuration: secrets come from there and never enter a resource; `forget` and `adopt` list hosts with commas. */
export function configure(get: (key: string) => string | undefined): void {
  credentials = {
    password: get("pulumi-wapt:sshPassword"),
    privateKey: get("pulumi-wapt:sshPrivateKey"),
    privateKeyPassword: get("pulumi-wapt:sshPrivateKeyPassword"),
    sudoPassword: get("pulumi-wapt:sudoPassword"),
  };
  const hosts = (key: string) => (get(key) ?? "").split(",").map((host) => host.trim());
  forgotten = hosts("pulumi-wapt:forget");
  adopted = hosts("pulumi-wapt:adopt");
}

export const check = (type: string, olds: Properties, news: Properties) =>
  provider.check(definitionOf(type), olds, news);

export const diff = (type: string, _id: string, olds: Properties, news: Properties) =>
  provider.diff(definitionOf(type), olds, news);

export const create = (type: string, inputs: Properties) => provider.create(definitionOf(type), inputs);

export const update = (type: string, id: string, olds: Properties, news: Properties) =>
  provider.update(definitionOf(type), id, olds, news);

export const read = (type: string, id: string, props: Properties) => provider.read(definitionOf(type), id, props);

export const remove = (type: string, id: string, props: Properties) => provider.delete(definitionOf(type), id, props);
