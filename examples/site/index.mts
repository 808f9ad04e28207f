/** One site: the servers that the stack's configuration lists, each tuned for its number of clients. */
import { WaptServer } from "pulumi-wapt";
import { serversOfStack } from "pulumi-wapt/site";

const servers = serversOfStack().map(({ name, args }) => [name, new WaptServer(name, args).settings]);

export const settings = Object.fromEntries(servers);
