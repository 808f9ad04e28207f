/** Marks what a connection holds of credentials as secret: in the state it is encrypted. */
import * as pulumi from "@pulumi/pulumi";

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
  if (pulumi.Output.isInstance(connection) || connection instanceof Promise) {
    return pulumi.output(connection).apply(marked);
  }
  return marked(connection);
}

function marked(connection: unknown): unknown {
  if (typeof connection !== "object" || connection === null) return connection;
  const fields = Object.entries(connection).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    fields.map(([name, value]) => {
      if (name === "proxy") return [name, withSecrets(value)];
      return [name, OPEN.has(name) ? value : pulumi.secret(value)];
    }),
  );
}
