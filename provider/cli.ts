#!/usr/bin/env node
/** The command `pulumi-wapt`: the sizes for a number of clients, and what a server has, without Pulumi. */
import { parseArgs } from "node:util";
import { uninstall } from "./command/uninstall";
import { checkArguments } from "./resources/definition";
import { waptServer } from "./resources/wapt-server";
import { services } from "./services";
import { SizingError, sizing } from "./sizing";
import type { Connection } from "./ssh/connection";
import { closeAll, open } from "./ssh/session";
import { harmless, harmlessSentence } from "./text/harmless";
import { demandRoot } from "./transaction/observation";
import { ManagedServer } from "./transaction/server";
import { fileValue, type Target } from "./transaction/target";

const USAGE = `usage: pulumi-wapt sizing CLIENTS
       pulumi-wapt show HOST CLIENTS [--user USER] [--port PORT] [--sudo]
       pulumi-wapt uninstall HOST [--user USER] [--port PORT] [--sudo]

sizing prints the size of every setting for a number of clients.
show reads a server over SSH, changes nothing, and prints its values beside those that so many clients need.
uninstall removes from a server what pulumi destroy leaves there: backups, and the record where nothing is owned any more.
Credentials are ssh's own, or PULUMI_WAPT_SSH_PASSWORD, PULUMI_WAPT_SSH_PRIVATE_KEY, PULUMI_WAPT_SUDO_PASSWORD.`;

class UsageError extends Error {}

function count(text: string | undefined): number {
  const clients = Number(text);
  if (!Number.isInteger(clients) || clients < 1)
    throw new UsageError(`CLIENTS is "${text ?? ""}"; give a whole number`);
  return clients;
}

function printSizing(clients: number): void {
  for (const [name, size] of Object.entries(sizing(clients))) console.log(`${name.padEnd(20)} ${size}`);
}

interface Login {
  user?: string;
  port?: string;
  sudo?: boolean;
}

const connectionOf = (host: string, { user, port, sudo }: Login): Connection => ({
  host,
  ...(user && { user }),
  ...(port && { port: Number(port) }),
  ...(sudo && { sudo }),
});

async function show(host: string, clients: number, login: Login): Promise<void> {
  const connection = connectionOf(host, login);
  const checked = checkArguments(waptServer, { connection, clients });
  if (checked.problems) {
    throw new UsageError(checked.problems.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
  }
  const { args, settings } = checked;
  const managed = new ManagedServer(services, () => open(connection), "the command pulumi-wapt");
  const server = await managed.observe({ root: "", probes: waptServer.probes(args), folders: [] });
  demandRoot(server);
  print(waptServer.target(settings!, server, args));
}

function print({ places, problems = [], warnings = [] }: Target): void {
  for (const place of places) {
    const running = place.running === undefined ? "not set" : `not set (${place.running} in force)`;
    const found = harmless(fileValue(place) ?? running);
    const verdict = found === place.value ? "right" : `wanted ${place.value}`;
    console.log(`${place.id.padEnd(34)} ${found.padEnd(24)} ${verdict}`);
  }
  for (const { reason } of problems) console.log(`problem: ${harmlessSentence(reason)}`);
  for (const warning of warnings) console.log(`warning: ${harmlessSentence(warning)}`);
}

async function main(): Promise<void> {
  const options = {
    user: { type: "string" },
    port: { type: "string" },
    sudo: { type: "boolean" },
    help: { type: "boolean" },
  } as const;
  const { positionals, values } = parseArgs({ allowPositionals: true, options });
  const [command, ...words] = positionals;
  if (values.help) console.log(USAGE);
  else if (command === "sizing" && words.length === 1) printSizing(count(words[0]));
  else if (command === "show" && words.length === 2) await show(words[0]!, count(words[1]), values);
  else if (command === "uninstall" && words.length === 1) console.log(await uninstall(connectionOf(words[0]!, values)));
  else throw new UsageError(USAGE);
}

/** Whether the words on the command line are wrong. */
const isOfUsage = (error: Error & { code?: unknown }): boolean =>
  error instanceof UsageError || error instanceof SizingError || /^ERR_PARSE_ARGS_/.test(String(error.code));

main()
  .catch((error: Error) => {
    console.error(error.message);
    process.exitCode = isOfUsage(error) ? 2 : 1;
  })
  .finally(closeAll);
