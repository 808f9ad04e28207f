import { ansible } from "./ansible";
import type { Contender } from "./contender";
import { core } from "./core";
import { pulumiWapt } from "./pulumi-wapt";
import { pyinfra } from "./pyinfra";

/** All that are compared, by the names they have on the command line; the first is what the others are measured by. */
export const contenders: Readonly<Record<string, Contender>> = { "pulumi-wapt": pulumiWapt, core, ansible, pyinfra };
