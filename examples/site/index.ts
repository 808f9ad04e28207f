/** One site: the servers that the stack's configuration lists, each tuned for its number of clients. */
import * as pulumi from "@pulumi/pulumi";
import { type ConnectionArgs, WaptServer, type WaptServerArgs } from "pulumi-wapt";

/** A server of the configuration; what it does not say is as for the others. */
interface Server extends Omit<WaptServerArgs, "connection" | "uploads"> {
  host: string;
  clients: number;
  /** The resource's name. Default: the host. */
  name?: string;
  connection?: Partial<ConnectionArgs>;
  /** A folder of its own. Default: the site's. */
  uploads?: string;
}

const config = new pulumi.Config();
const connection = config.getObject<Partial<ConnectionArgs>>("connection") ?? {};
const site = { uploads: config.get("uploads"), minFree: config.get("minFree") };

export const settings = Object.fromEntries(
  config.requireObject<Server[]>("servers").map(({ host, name, connection: own, uploads, ...args }) => {
    const path = uploads ?? site.uploads;
    const server = new WaptServer(name ?? host, {
      connection: { ...connection, ...own, host },
      uploads: path ? { path, minFree: site.minFree || undefined } : undefined,
      ...args,
    });
    return [name ?? host, server.settings];
  }),
);
