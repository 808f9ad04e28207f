/** The component: a whole server of one number. */
import * as pulumi from "@pulumi/pulumi";
import { definitions } from "../../resources";
import { argumentNames, type Settings } from "../../resources/definition";
import type { ServerArgs, WaptServerArgs } from "./arguments";
import { KernelLimits, NginxTuning, PostgresConnections, ProxyTempPath, WaptServerIni } from "./resources";

/**
 * A WAPT server tuned for its number of clients: all five resources.
 *
 * What changes is one transaction on the server, in the order that is safe for raising and for lowering: kernel, nginx,
 * then WAPT stopped, PostgreSQL restarted, WAPT started. When any part fails, all of it is put back.
 */
export class WaptServer extends pulumi.ComponentResource {
  /** The settings that are wanted, and were verified, by their own names. */
  readonly settings: pulumi.Output<Settings>;
  /** What stood at each place before the first change. */
  readonly before: pulumi.Output<Settings>;

  constructor(name: string, args: WaptServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("pulumi-wapt:index:WaptServer", name, {}, opts);
    const parent = { parent: this };
    const wanted = (type: NonNullable<WaptServerArgs["omit"]>[number]) => !args.omit?.includes(type);
    // Nothing here depends on anything else here: so Pulumi asks for all at the same time, and they become one
    // transaction.
    const { path, minFree } = args.uploads ?? {};
    const parts = [
      path !== undefined &&
        new ProxyTempPath(`${name}-uploads`, { ...common(args, "ProxyTempPath"), path, minFree }, parent),
      wanted("KernelLimits") && new KernelLimits(`${name}-kernel`, common(args, "KernelLimits"), parent),
      wanted("NginxTuning") && new NginxTuning(`${name}-nginx`, common(args, "NginxTuning"), parent),
      wanted("PostgresConnections") &&
        new PostgresConnections(`${name}-postgresql`, common(args, "PostgresConnections"), parent),
      wanted("WaptServerIni") && new WaptServerIni(`${name}-waptserver`, common(args, "WaptServerIni"), parent),
    ].filter((part) => part !== false);
    const merge = (all: (Settings | undefined)[]): Settings => Object.assign({}, ...all);
    this.settings = pulumi.all(parts.map((part) => part.settings)).apply(merge);
    this.before = pulumi.all(parts.map((part) => part.before)).apply(merge);
    this.registerOutputs({ settings: this.settings, before: this.before });
  }
}

/** Of a server's arguments those that one resource takes. */
function common<A extends ServerArgs>(args: WaptServerArgs, type: string): A {
  const definition = definitions.find((one) => one.type === type)!;
  const needed = (name: string) => name !== "clients" || definition.sized !== false;
  const names = argumentNames(definition).filter(needed);
  return Object.fromEntries(
    names.filter((name) => name in args).map((name) => [name, args[name as never]]),
  ) as unknown as A;
}
