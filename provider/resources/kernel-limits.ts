/** Kernel queues and limits of open files: sysctl.d, limits.conf and drop-ins of systemd's units. */

import { limits } from "../services/kernel/limits";
import { sysctl, sysctlOrder } from "../services/kernel/sysctl";
import { dropInOrder, systemd } from "../services/systemd/drop-in";
import type { OpenFiles, Server } from "../transaction/observation";
import type { Need, Place } from "../transaction/target";
import { ceilingProblems } from "./ceiling";
import { defineResource, type Settings } from "./definition";
import { nginxUser } from "./nginx-server";
import { backlogFindings, diskFindings, reported } from "./preflight";
import { waptRestart } from "./wapt-server";

const SYSCTL_FILE = "/etc/sysctl.d/wapt.conf";
const LIMITS_FILE = "/etc/security/limits.conf";
const KEYS = ["net.ipv4.tcp_max_syn_backlog", "net.core.somaxconn"] as const;
const UNITS = ["nginx", "waptserver", "wapttasks"] as const;

/** Sorts behind the drop-in that WAPT's package owns, nginx_worker_files_limit.conf. */
const DROP_IN = "zz-pulumi-wapt.conf";

export const kernelLimits = defineResource({
  type: "KernelLimits",
  overrides: ["tcpMaxSynBacklog", "somaxconn", "nofile", "limitNofile"],
  settings: (sizes) => ({
    "net.ipv4.tcp_max_syn_backlog": sizes.tcpMaxSynBacklog,
    "net.core.somaxconn": sizes.somaxconn,
    nofile: sizes.nofile,
    LimitNOFILE: sizes.limitNofile,
  }),
  target(settings, server, args) {
    const [nofile, limitNofile] = [Number(settings.nofile), Number(settings.LimitNOFILE)];
    const preflight = reported("connection", [
      ...diskFindings(server, ["/etc", "/var/lib", "/var/backups"]),
      ...backlogFindings(server, Number(settings["net.core.somaxconn"])),
    ]);
    return {
      places: [
        ...KEYS.map((key) => sysctlPlace(server, key, settings)),
        ...limitsPlaces(server, settings, nginxUser(server, args.nginxUser)),
        ...UNITS.filter((unit) => server.units[unit].installed).map((unit) => dropInPlace(server, unit, settings)),
      ],
      needs: processNeeds(server, limitNofile),
      problems: [...ceilingProblems(server, { nofile, limitNofile }), ...preflight.problems],
      warnings: preflight.warnings,
    };
  },
});

function sysctlPlace(server: Server, key: (typeof KEYS)[number], settings: Settings): Place {
  return {
    setting: key,
    id: key,
    stage: "kernel",
    format: sysctl,
    tree: { root: SYSCTL_FILE, files: server.files, after: sysctlOrder([...server.files.keys()], SYSCTL_FILE) },
    key,
    value: String(settings[key]),
    running: server.sysctl[key],
    effective: "by running value",
    actions: (value) => (server.root !== "" || value === undefined ? [] : [{ name: "sysctl", key, value }]),
  };
}

function limitsPlaces(server: Server, settings: Settings, user: string): Place[] {
  const after = [...server.files.keys()].filter((file) => file.startsWith("/etc/security/limits.d/")).sort();
  const users = [...new Set(["wapt", user])];
  return users.flatMap((name) =>
    ["hard", "soft"].map((type) => ({
      setting: "nofile",
      id: `${name} ${type} nofile`,
      stage: "kernel" as const,
      format: limits,
      tree: { root: LIMITS_FILE, files: server.files, after },
      key: `${name} ${type} nofile`,
      value: String(settings.nofile),
      effective: "by file" as const,
      // PAM reads the file at each login: there is nothing to activate.
      actions: () => [],
    })),
  );
}

function dropInPlace(server: Server, unit: (typeof UNITS)[number], settings: Settings): Place {
  const root = `/etc/systemd/system/${unit}.service.d/${DROP_IN}`;
  const dropIns = [...server.files.keys()].filter((file) => file.includes(`/systemd/system/${unit}.service.d/`));
  const limit = server.units[unit].limitNofile;
  return {
    setting: "LimitNOFILE",
    id: `${unit}.service LimitNOFILE`,
    stage: "kernel",
    format: systemd,
    tree: { root, files: server.files, after: dropInOrder(dropIns, root) },
    key: "Service.LimitNOFILE",
    value: String(settings.LimitNOFILE),
    running: limit && shown(limit),
    effective: "by either",
    actions: () => (server.root === "" ? [{ name: "daemon-reload" }] : []),
  };
}

const shown = ({ soft, hard }: OpenFiles): string => (soft === hard ? String(soft) : `${soft}:${hard}`);

/** A service that was started before its unit's limit was raised keeps the old one. */
function processNeeds(server: Server, limit: number): Need[] {
  return (["waptserver", "wapttasks"] as const).flatMap((unit) => {
    const soft = server.units[unit].process?.soft;
    if (server.root !== "" || soft === undefined || soft >= limit) return [];
    return [
      {
        what: `${unit} runs with LimitNOFILE ${soft}`,
        actions: [{ name: "daemon-reload" as const }, ...waptRestart(server)],
      },
    ];
  });
}
