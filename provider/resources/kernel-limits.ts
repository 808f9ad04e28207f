/** Kernel queues and limits of open files: sysctl.d, limits.conf and drop-ins of systemd's units. */
import type { Server } from "../services";
import {
  kernelProbe,
  loginProblems,
  managerWarnings,
  nofilePlaces,
  openFilesProblems,
  sysctlPlace,
} from "../services/kernel/kernel";
import { nginxProbe, nginxProblems, nginxUser } from "../services/nginx/nginx";
import { servingProblems } from "../services/nginx/serving";
import { limitPlace, reload, stoppedNeeds, unitOfLimit, unloadedFindings } from "../services/systemd/units";
import { waptProbe } from "../services/wapt/wapt";
import { diskProblems } from "../transaction/observation";
import { type Need, unreadable } from "../transaction/target";
import { hardwareWarnings } from "./capacity";
import { count, type Definition, type SizedArguments } from "./definition";
import { isNamedAsWapt, restartOfWapt, unitsProbe, waptUnits } from "./units";

/** The kernel's queues and the limits of open files. */
export interface KernelLimitsArguments extends SizedArguments {
  /** `net.ipv4.tcp_max_syn_backlog`, in connections. Default: 1.5 × clients, at least 4096. */
  tcpMaxSynBacklog?: number;
  /** `net.core.somaxconn`, in connections. Default: 1.5 × clients, at least 4096. */
  somaxconn?: number;
  /**
   * `nofile` of the users wapt and nginx's in limits.conf, hard and soft, in open files. Default: 500000; the 32768 of
   * WAPT's newer guides stays where a file has it.
   */
  nofile?: number;
  /** `LimitNOFILE` of nginx's unit and of WAPT's, in open files. Default: 32768. */
  limitNofile?: number;
}

/** Settings of the kernel and of open files. */
export type KernelLimitsSettings = {
  /** Connections that wait to be established, for each port. */
  readonly "net.ipv4.tcp_max_syn_backlog": number;
  /** Connections that wait to be accepted, for each port: the upper bound of every `listen … backlog=`. */
  readonly "net.core.somaxconn": number;
  /** Open files of a login of wapt's and nginx's users, in limits.conf or where it stands. */
  readonly nofile: number;
  /** Open files of nginx's unit and of WAPT's. */
  readonly LimitNOFILE: number;
};

export const kernelLimits: Definition<KernelLimitsArguments, KernelLimitsSettings> = {
  type: "KernelLimits",
  isSized: true,
  schemas: { tcpMaxSynBacklog: count, somaxconn: count, nofile: count, limitNofile: count },
  settings: (_args, sizes) => ({
    "net.ipv4.tcp_max_syn_backlog": sizes().tcpMaxSynBacklog,
    "net.core.somaxconn": sizes().somaxconn,
    nofile: sizes().nofile,
    LimitNOFILE: sizes().limitNofile,
  }),
  derived: { nofile: "nofile" },
  probes: (args) => [kernelProbe, unitsProbe, nginxProbe(args.nginxConf), waptProbe(args.waptserverIni)],
  target(settings, server, args) {
    const { LimitNOFILE } = settings;
    // Whose limits they are says nginx's configuration, which is not known where nginx itself can't read it.
    const refused = server.nginx.installed ? nginxProblems(server.nginx) : [];
    if (refused.length > 0) return unreadable(refused);
    const users = [...new Set(["wapt", nginxUser(server.nginx, args.nginxUser)])];
    const sysctls = ["net.ipv4.tcp_max_syn_backlog", "net.core.somaxconn"] as const;
    const units = [...new Set([...nginxUnits(server), ...waptUnits(server)])].filter(
      (unit) => server.systemd(unit).installed,
    );
    const unloaded = units.map((unit) => unloadedFindings(unit, server.systemd(unit)));
    const logins = nofilePlaces(server, users, args.nofile);
    const nofile = Math.max(...logins.map(({ value }) => Number(value)));
    const limitOf = (unit: string) => limitPlace(server, server.systemd(unit), unit, LimitNOFILE);
    return {
      places: [...sysctls.map((key) => sysctlPlace(server, key, settings[key])), ...logins, ...units.map(limitOf)],
      needs: oldLimits(server, LimitNOFILE),
      left: stoppedNeeds(server.systemd),
      problems: [
        ...servingProblems(server.nginx),
        ...openFilesProblems(server.kernel, { nofile, limitNofile: LimitNOFILE }),
        ...loginProblems(server, logins),
        ...unloaded.flatMap(({ problems }) => problems),
        ...diskProblems(server, ["/etc", "/var/lib", "/var/backups"], "connection"),
      ],
      abandoned: [
        ...formerUnits(server, units).map(limitOf),
        ...nofilePlaces(server, formerUsers(server, users), args.nofile),
      ],
      warnings: [
        ...hardwareWarnings(server, args.clients),
        ...managerWarnings(server.kernel),
        ...ownLimitWarnings(server, LimitNOFILE),
        ...unloaded.flatMap(({ warnings }) => warnings),
      ],
    };
  },
};

const recordedUnits = ({ record }: Server): string[] => Object.keys(record).flatMap((id) => unitOfLimit(id) ?? []);

/** nginx's unit. Where none serves it may be one that served before, which is not given back for that. */
function nginxUnits(server: Server): string[] {
  const { nginx } = server;
  return [nginx.unit, ...(nginx.serving ? [] : recordedUnits(server).filter((unit) => !isNamedAsWapt(unit)))];
}

/** Units that had a limit when they were there, or when nginx was started by another one. */
const formerUnits = (server: Server, units: readonly string[]): string[] =>
  recordedUnits(server).filter((unit) => !units.includes(unit));

/** Users who had a limit when nginx ran as another one. */
function formerUsers({ record }: Server, users: readonly string[]): string[] {
  const recorded = Object.keys(record).flatMap((id) => /^(\S+) hard nofile$/.exec(id)?.[1] ?? []);
  return recorded.filter((user) => !users.includes(user));
}

/** A service that was started before its unit's limit was raised keeps the old one. */
function oldLimits(server: Server, limit: number): Need[] {
  return waptUnits(server).flatMap((unit) => {
    const soft = server.systemd(unit).process?.soft;
    if (server.root !== "" || soft === undefined || soft >= limit || limitsItself(server, unit, limit)) return [];
    return [{ what: `${unit} runs with LimitNOFILE ${soft}`, steps: [reload, ...restartOfWapt(server)] }];
  });
}

/** One that was started since takes its limit from its own start script: another restart would change nothing. */
function limitsItself(server: Server, name: string, limit: number): boolean {
  const { process, changed, limitNofile } = server.systemd(name);
  const isGiven = limitNofile !== undefined && limitNofile.soft >= limit;
  return isGiven && process !== undefined && changed !== undefined && process.start > changed + 1;
}

function ownLimitWarnings(server: Server, limit: number): string[] {
  return waptUnits(server).flatMap((unit) => {
    const soft = server.systemd(unit).process?.soft ?? limit;
    if (soft >= limit || !limitsItself(server, unit, limit)) return [];
    return [
      `${unit} was given ${limit} open files at its start and has ${soft}: what starts it sets a limit of its own ` +
        `(systemctl cat ${unit}; an "ulimit -n" in its script); remove that, then restart it`,
    ];
  });
}
