/** One site: the servers that the stack's configuration lists, each tuned for its number of clients. */
import * as pulumi from "@pulumi/pulumi";
import { WaptServer } from "pulumi-wapt";
import { type SiteServer, siteOf } from "pulumi-wapt/site";

/** All of them are right, or the program ends with what is wrong before anything is contacted. */
function servers(): SiteServer[] {
  try {
    return siteOf(pulumi.getProject(), pulumi.runtime.allConfig());
  } catch (error) {
    // Without a stack, which would be of no use here.
    throw new pulumi.RunError((error as Error).message);
  }
}

export const settings = Object.fromEntries(
  servers().map(({ name, args }) => [name, new WaptServer(name, args).settings]),
);
