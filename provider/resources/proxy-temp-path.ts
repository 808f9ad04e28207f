/**
 * nginx's `client_body_temp_path`: where an uploaded package lies until it is whole.
 *
 * WAPT's guide names the folder `/var/lib/nginx/proxy`, which is nginx's proxy_temp_path and holds answers of the
 * proxied server; uploads lie in client_body_temp_path (Debian: `/var/lib/nginx/body`).
 */
import { z } from "zod";
import { clockWarnings } from "../services/nginx/freshness";
import { innerWarnings, nginxPlace, nginxProbe, nginxProblems, nginxUser, readingNeeds } from "../services/nginx/nginx";
import { replacedWarnings, servingProblems } from "../services/nginx/serving";
import { uploadsNow, uploadsProblems } from "../services/nginx/uploads";
import { stoppedNeeds } from "../services/systemd/units";
import { uploadsCheck, uploadsProbe, viewProblems } from "../services/uploads/uploads";
import { ownsFolder } from "../transaction/ownership";
import { folderStands } from "../transaction/plan";
import { unreadable } from "../transaction/target";
import { type Definition, path, type ServerArguments } from "./definition";
import { unitsProbe } from "./units";

/** Where uploads lie until they are whole. */
export interface UploadsArguments {
  /**
   * The folder: a new one, an empty one, or the one that nginx uses already. It gets mode 0700 and nginx's user; the
   * folder above it must exist. nginx's directive for it is
   * `client_body_temp_path`: WAPT's guide names /var/lib/nginx/proxy, but that is `proxy_temp_path` and holds answers
   * of the proxied server, not uploads.
   */
  path: string;
  /**
   * Space that its partition must have free before the folder is first used, such as `"10GiB"` (KiB, MiB, GiB, TiB or
   * kB, MB, GB, TB). An upload may be as large as WAPT's `client_max_body_size` (4 GiB), and several at once.
   * Default: `"10GiB"`.
   */
  minFree?: string;
}

/** The folder of nginx's uploads. It does not depend on `clients`. */
export interface ProxyTempPathArguments extends ServerArguments, UploadsArguments {}

/** Settings of nginx's uploads. */
export type ProxyTempPathSettings = {
  /** The folder in which uploads lie until they are whole. */
  readonly client_body_temp_path: string;
};

const UNITS: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
};

const DEFAULT_MIN_FREE = "10GiB";

/** The size in kilobytes (1024 bytes), rounded up; undefined for what is no size. */
export function kilobytes(size: string): number | undefined {
  const [, number, unit] = /^(\d{1,6}(?:\.\d{1,3})?) ?([A-Za-z]{2,3})$/.exec(size) ?? [];
  const bytes = UNITS[unit ?? ""];
  return bytes === undefined ? undefined : Math.ceil((Number(number) * bytes) / 1024);
}

export const proxyTempPath: Definition<ProxyTempPathArguments, ProxyTempPathSettings> = {
  type: "ProxyTempPath",
  isSized: false,
  schemas: {
    path,
    minFree: z
      .string({ error: 'give a size such as "10GiB"' })
      .refine((size) => kilobytes(size) !== undefined, { error: 'give a size such as "10GiB" or "500MB"' })
      .optional(),
  },
  settings: (args) => ({ client_body_temp_path: args.path }),
  probes: (args) => [unitsProbe, nginxProbe(args.nginxConf), uploadsProbe(args.path)],
  folders: (args) => [args.path],
  target({ client_body_temp_path }, server, { minFree: given = DEFAULT_MIN_FREE, nginxUser: user }) {
    const { nginx } = server;
    const problems = nginxProblems(nginx);
    if (problems.length > 0) return unreadable(problems);
    const folder = {
      path: client_body_temp_path,
      mode: "700",
      owner: nginxUser(nginx, user),
      selinuxType: "httpd_var_lib_t",
      minFree: { text: given, kilobytes: kilobytes(given) ?? 0 },
    };
    const state = server.folders[folder.path];
    const free = state?.freeKilobytes ?? Number.POSITIVE_INFINITY;
    const reason = `${folder.path}: its partition has ${Math.floor(free / 1024)} MiB free, minFree asks for ${given}: choose another path, or a smaller minFree`;
    const tooSmall = free < folder.minFree.kilobytes;
    // A folder that is in use already fills and empties: it is refused only before its first use.
    const isOwn = ownsFolder(server, folder.path);
    const isInUse = isOwn || [folder.path, state?.real].includes(uploadsNow(nginx) ?? "");
    const place = nginxPlace(nginx, { setting: "client_body_temp_path", context: "http", value: folder.path });
    return {
      places: [
        {
          ...place,
          checks: (text) => [
            ...(text === folder.path ? [uploadsCheck(nginx.unit, text, folder.owner)] : []),
            ...(place.checks?.(text) ?? []),
          ],
        },
      ],
      folder,
      needs: readingNeeds(nginx),
      left: stoppedNeeds(server.systemd),
      problems: [
        ...servingProblems(nginx),
        ...uploadsProblems(folder.path, state, isInUse),
        ...(server.root === ""
          ? viewProblems(folder.path, nginx.unit, server.uploads, folderStands(server, folder))
          : []),
        ...(tooSmall && !isOwn ? [{ property: "path", reason }] : []),
      ],
      warnings: [
        ...(tooSmall && isOwn ? [reason] : []),
        ...innerWarnings(nginx, "client_body_temp_path"),
        ...replacedWarnings(nginx),
        ...clockWarnings(nginx.reading),
      ],
    };
  },
};
