/** Previews that the real CLI wrote for a real server, as those of stacks and servers of other names. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const PREVIEWS = join(__dirname, "../command/corpus");

export const previewNames = readdirSync(PREVIEWS).flatMap((name) =>
  name.endsWith(".json") ? [name.replace(/\.json$/, "")] : [],
);

/** Of another stack, and still of the same server. */
export const previewOfStack = (name: string, stack: string): string =>
  readFileSync(join(PREVIEWS, `${name}.json`), "utf8").replaceAll("urn:pulumi:paris::", `urn:pulumi:${stack}::`);

/** Of another stack with a server of its own. */
export const previewOf = (name: string, stack: string): string =>
  previewOfStack(name, stack).replaceAll(/10\.231\.1\.2|127\.0\.0\.1/g, stack);
