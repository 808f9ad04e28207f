/**
 * nginx's `client_body_temp_path`: where an uploaded package lies until it is whole.
 *
 * WAPT's guide names the folder `/var/lib/nginx/proxy`, which is nginx's proxy_temp_path and holds answers of the
 * proxied server; uploads lie in client_body_temp_path (Debian: `/var/lib/nginx/body`).
 */
import { z } from "zod";
import { directives, nginx } from "../services/nginx/nginx-conf";
import type { Server } from "../transaction/observation";
import { defineResource, path } from "./definition";
import { nginxCheck, nginxProblems, nginxReload, nginxTree, nginxUser } from "./nginx-server";

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

export const proxyTempPath = defineResource({
  type: "ProxyTempPath",
  overrides: [],
  sized: false,
  arguments: {
    path,
    minFree: z
      .string({ error: 'give a size such as "10GiB"' })
      .refine((size) => kilobytes(size) !== undefined, { error: 'give a size such as "10GiB" or "500MB"' })
      .optional(),
  },
  settings: (_sizes, args) => ({ client_body_temp_path: args.path }),
  folders: (args) => [args.path],
  target(settings, server, args) {
    const problems = nginxProblems(server);
    if (problems.length > 0) return { places: [], problems };
    const folder = String(settings.client_body_temp_path);
    const minFree = {
      text: args.minFree ?? DEFAULT_MIN_FREE,
      kilobytes: kilobytes(args.minFree ?? DEFAULT_MIN_FREE) ?? 0,
    };
    const free = server.freeKilobytes[folder] ?? Number.POSITIVE_INFINITY;
    const reason = `${folder}: its partition has ${Math.floor(free / 1024)} MiB free, minFree asks for ${minFree.text}: choose another path, or a smaller minFree`;
    const tooSmall = free < minFree.kilobytes;
    // A folder that is in use already fills and empties: it is refused only before its first use.
    const inUse = server.record[`folder ${folder}`] !== undefined;
    return {
      places: [
        {
          setting: "client_body_temp_path",
          id: "client_body_temp_path",
          stage: "nginx",
          format: nginx,
          tree: nginxTree(server),
          key: "http.client_body_temp_path",
          value: folder,
          effective: "by file",
          actions: () => nginxReload(server),
          check: () => nginxCheck(server),
        },
      ],
      folder: { id: `folder ${folder}`, path: folder, mode: "700", owner: nginxUser(server, args.nginxUser), minFree },
      problems: tooSmall && !inUse ? [{ property: "path", reason }] : [],
      warnings: [...(tooSmall && inUse ? [reason] : []), ...overriding(server)],
    };
  },
});

function overriding(server: Server): string[] {
  return directives(nginxTree(server), "client_body_temp_path")
    .filter((one) => one.context.length > 1)
    .map(
      (one) =>
        `${one.file}:${one.line}: client_body_temp_path ${one.value} stands inside ${one.context.at(-1)} and wins there`,
    );
}
