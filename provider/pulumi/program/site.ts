/** A site's program: the servers that the configuration of the running stack names; `pulumi-wapt/site`. */
import "../../node-version";
import { RunError } from "@pulumi/pulumi/errors";
import { getProject } from "@pulumi/pulumi/metadata";
import { allConfig } from "@pulumi/pulumi/runtime/config";
import { type SiteServer, siteOf } from "../../site";

export { SiteError, type SiteServer, siteOf } from "../../site";

/**
 * The servers of the stack that runs: `servers`, and what they have in common, in the project's own namespace.
 *
 * @throws RunError that names every key which is not right, before anything is contacted. Pulumi prints it without a stack.
 */
export function serversOfStack(): SiteServer[] {
  try {
    return siteOf(getProject(), allConfig() ?? {});
  } catch (error) {
    throw new RunError((error as Error).message);
  }
}
