/** A container's ceiling of open files: a limit above it would be written and would not be true. */

import type { Problem } from "../sizing";
import type { Server } from "../transaction/observation";

/** What forbids each wanted limit of open files, by the argument that overrides it. */
export function ceilingProblems(
  server: Server,
  wanted: Readonly<Record<string, number>>,
  connections?: number,
): Problem[] {
  return Object.entries(wanted).flatMap(([property, limit]) => {
    const problem = tooHigh(server, property, limit, connections);
    return problem ? [problem] : [];
  });
}

function tooHigh(server: Server, property: string, limit: number, connections?: number): Problem | undefined {
  const { ceiling } = server;
  if (ceiling !== undefined && limit > ceiling) {
    const need = connections ? ` (${connections} connections need ${2 * connections} descriptors)` : "";
    const enough = connections && 2 * connections > ceiling ? `, which is not enough for these clients` : "";
    const reason =
      `a limit of ${limit} open files can't take effect: this server is a container whose hard limit is ${ceiling}${need}. ` +
      `Give ${property}: ${ceiling}${enough}, or raise the limit on the container's host (LXC: lxc.prlimit.nofile; nspawn: LimitNOFILE)`;
    return { property, reason };
  }
  const most = Number(server.sysctl["fs.nr_open"] ?? Number.POSITIVE_INFINITY);
  if (limit <= most) return undefined;
  return {
    property,
    reason: `a limit of ${limit} open files is above the kernel's fs.nr_open ${most}: raise that first, or give less`,
  };
}
