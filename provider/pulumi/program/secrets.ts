/** Marks what a connection holds of credentials as secret: in the state it is encrypted. */
import { Output, output, secret } from "@pulumi/pulumi/output";

/** The fields of a connection that hold no credential. Any other is secret: one that does not exist may be misspelt. */
const OPEN: ReadonlySet<string> = new Set([
  "host",
  "port",
  "user",
  "agentSocketPath",
  "hostKey",
  "hostKeyChecking",
  "knownHosts",
  "dialErrorLimit",
  "perDialTimeout",
  "sudo",
]);

/** The connection, known or not, with its secrets marked. */
export function withSecrets(connection: unknown): unknown {
  if (Output.isInstance(connection) || connection instanceof Promise) {
    return output(connection).apply(marked);
  }
  return marked(connection);
}

function marked(connection: unknown): unknown {
  if (typeof connection !== "object" || connection === null) return connection;
  const fields = Object.entries(connection).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    fields.map(([name, value]) => {
      if (name === "proxy") return [name, withSecrets(value)];
      return [name, OPEN.has(name) ? value : secret(value)];
    }),
  );
}
