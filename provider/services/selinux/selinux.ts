/** SELinux's booleans: what a service may do beside what its files say. */
import { join } from "node:path";
import { type Format, FormatError } from "../../text/format";
import type { Facts } from "../../transaction/report";
import type { Probe, Service } from "../../transaction/service";
import type { Place } from "../../transaction/target";

export interface SelinuxState {
  /** "on" or "off" by name; none where SELinux is off, or does not know it. */
  readonly booleans: Readonly<Record<string, string>>;
}

export const selinux: Service<SelinuxState> = {
  program: join(__dirname, "selinux.sh"),
  parse: (facts: Facts): SelinuxState => ({
    booleans: Object.fromEntries(facts.named("boolean").map(([name = "", value = ""]) => [name, value])),
  }),
};

/** nginx may raise its own limit of open files only with it; `nginx -t` does not tell. */
export const SETRLIMIT = "httpd_setrlimit";

export const selinuxProbe: Probe = { service: "selinux", words: [SETRLIMIT] };

/** A boolean that shall be on; none where there is no such boolean. */
export function booleanPlaces({ booleans }: SelinuxState, name: string): Place[] {
  const now = booleans[name];
  if (now === undefined) return [];
  return [
    {
      setting: name,
      id: name,
      stage: "selinux",
      format: inNoFile,
      tree: { root: name, files: new Map([[name, now]]) },
      key: name,
      value: "on",
      running: now,
      isTold: true,
      effective: "by running value",
      steps: (text) =>
        text === undefined ? [] : [{ service: "selinux", verb: "boolean", of: name, words: [name, text] }],
    },
  ];
}

/** SELinux keeps its booleans itself: no file is edited. */
const inNoFile: Format = {
  read: ({ root, files }) => ({ [root]: { value: files.get(root) ?? "", file: root, line: 1 } }),
  edit(tree, wanted) {
    for (const value of Object.values(wanted))
      if (value !== "on" && value !== "off") throw new FormatError(tree.root, 1, "a boolean is on or off; give one");
    return new Map();
  },
};
