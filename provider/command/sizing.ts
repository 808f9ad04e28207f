/** `pulumi-wapt sizing`: the size of every setting for a number of clients. */
import { checkArguments } from "../resources/definition";
import { waptServer } from "../resources/wapt-server";
import { sizing } from "../sizing";
import { type Command, countOf, UsageError } from "./words";

export const sizingCommand: Command = {
  name: "sizing",
  usage: "CLIENTS",
  help: "Prints the size of every setting for a number of clients. No server is asked.",
  options: {
    "allow-above-5000": { type: "boolean", help: "for more clients than WAPT's guide advises for one server" },
  },
  async run({ names, options }) {
    if (names.length !== 1) throw new UsageError("sizing takes one number of clients: pulumi-wapt sizing 3000");
    const clients = countOf(names[0], "CLIENTS");
    demandOneServer(clients, options["allow-above-5000"] === true);
    for (const [name, size] of Object.entries(sizing(clients))) console.log(`${name.padEnd(20)} ${size}`);
    return 0;
  },
};

/** @throws UsageError with what `clients` of a resource would be refused for. */
export function demandOneServer(clients: number, allowAbove5000 = false): void {
  const { problems = [] } = checkArguments(waptServer, { connection: { host: "a" }, clients, allowAbove5000 });
  if (problems.length > 0)
    throw new UsageError(problems.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
}
