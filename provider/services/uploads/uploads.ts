/**
 * What nginx sees of the folder of its uploads, which may be less than root sees: its unit can hide a part of the
 * server's files from it, or make it read-only, and its workers have a user's rights.
 */
import { join } from "node:path";
import type { Problem } from "../../problem";
import { harmless } from "../../text/harmless";
import type { Facts } from "../../transaction/report";
import type { Probe, Service, Step } from "../../transaction/service";

/** What the nginx that serves sees of a folder. */
export interface FolderView {
  /** The folder, or the nearest one above it that is there. */
  readonly there: string;
  /** Whether what has this path is the same for nginx as for root. */
  readonly isSame: boolean;
  /** Whether its file system may be written, for nginx's service and for the server. */
  readonly isWritable: boolean;
  readonly isWritableHere: boolean;
  /** The user of nginx's workers; "" where there are none. */
  readonly user: string;
  readonly mayEnter: boolean;
  readonly mayWrite: boolean;
}

export interface UploadsState {
  /** By the path that was asked for; none where no nginx serves. */
  readonly views: ReadonlyMap<string, FolderView>;
  /** What the unit takes from its service, in systemd's words. */
  readonly confined: readonly string[];
}

export const uploads: Service<UploadsState> = {
  program: join(__dirname, "uploads.sh"),
  uses: ["nginx", "systemd"],
  parse: (facts: Facts): UploadsState => ({
    views: new Map(
      facts.named("view").map(([path = "", there = "", seen, access, here, user = "", enters, writes]) => {
        const [isSame, isWritable, isWritableHere] = [seen === "same", access === "writable", here === "writable"];
        return [
          path,
          { there, isSame, isWritable, isWritableHere, user, mayEnter: enters === "yes", mayWrite: writes === "yes" },
        ];
      }),
    ),
    confined: (facts.one("confined") ?? "").split("\n").filter((line) => !/^$|=(no)?$/.test(line)),
  }),
};

/** Asked behind nginx, which says what serves. */
export const uploadsProbe = (...paths: string[]): Probe => ({ service: "uploads", words: paths });

/** Tried when the folder is there: a write by nginx's user, as the service sees it. */
export const uploadsCheck = (unit: string, path: string, user: string): Step => {
  return { service: "uploads", verb: "check", words: [path, user, unit] };
};

/** What keeps nginx from a folder that root may give it; `stands` tells whether it is there as it shall be. */
export function viewProblems(
  path: string,
  unit: string,
  { views, confined }: UploadsState,
  stands: boolean,
): Problem[] {
  const view = views.get(path);
  const reason =
    (view && hiddenReason(view, unit, confined)) ?? (view?.user ? rightsReason(view, path, stands) : undefined);
  return reason === undefined ? [] : [{ property: "path", reason: `${path}: ${reason}` }];
}

function hiddenReason(
  { there, isSame, isWritable, isWritableHere }: FolderView,
  unit: string,
  confined: readonly string[],
) {
  if (!isWritableHere)
    return `root can't write to ${there}: its file system is mounted read-only, or another machine's. Remount it`;
  if (isSame && isWritable) return undefined;
  const by = confined.length > 0 ? ` (${harmless(confined.join(", "))})` : "";
  return isSame
    ? `${there} is read-only for nginx: the unit ${unit} confines it${by}, so uploads would fail. Make the folder, give it ` +
        `to nginx (systemctl edit ${unit}: under [Service] a line ReadWritePaths= with its path), then systemctl restart ${unit}`
    : `nginx sees something else at ${there}: the unit ${unit} hides it${by}, so uploads would fail. Choose another path, or ` +
        `take that from the unit (systemctl edit ${unit}), then systemctl restart ${unit}`;
}

function rightsReason({ there, user, mayEnter, mayWrite }: FolderView, path: string, stands: boolean) {
  if (!mayEnter && (stands || there !== path))
    return `nginx's user ${user} can't enter ${there}: give it the right to, there and above (chmod o+x)`;
  return stands && !mayWrite ? `nginx's user ${user} can't write there: look at its ACL and attributes` : undefined;
}
