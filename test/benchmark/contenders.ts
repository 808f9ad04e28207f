import { ansible } from "./ansible";
import type { Contender } from "./contender";
import { core } from "./core";
import { engine } from "./engine";
import { inspect } from "./inspect";
import { pulumiWapt } from "./pulumi-wapt";
import { pyinfra } from "./pyinfra";

/** All that are compared, by the names they have on the command line; the first is what the others are measured by. */
export const contenders: Readonly<Record<string, Contender>> = {
  "pulumi-wapt": pulumiWapt,
  core,
  inspect,
  engine,
  ansible,
  pyinfra,
};

/** Those of a list with commas. @throws Error for a name that is not known. */
export function chosenContenders(names: string): Contender[] {
  return names.split(",").map((name) => {
    const contender = contenders[name];
    if (!contender) throw new Error(`no contender "${name}"; there are ${Object.keys(contenders).join(", ")}`);
    return contender;
  });
}
