/** What one server has beside what it needs: read in one round trip, nothing is changed. */
import { checkArguments } from "../resources/definition";
import { loweredWarnings } from "../resources/lowered";
import { WAPTS_UNITS, waptUnits } from "../resources/units";
import { type WaptServerArguments, waptServer } from "../resources/wapt-server";
import { type Server, services } from "../services";
import { type HeadroomState, headroomProbe } from "../services/headroom/headroom";
import { uploadsNow } from "../services/nginx/uploads";
import { findCluster } from "../services/postgresql/postgresql";
import { type Connection, open } from "../ssh/session";
import { harmless, harmlessSentence } from "../text/harmless";
import { demandRoot } from "../transaction/observation";
import { pendingOf, precheck } from "../transaction/plan";
import { ManagedServer } from "../transaction/server";
import { fileValue, type Place, type Target, valueNow } from "../transaction/target";
import { UsageError } from "./words";

/** One value, present and wanted. */
export interface Finding {
  readonly place: string;
  readonly present: string;
  readonly wanted: string;
  readonly isRight: boolean;
}

/** Something limited: how much of it is in use now. */
export interface Use {
  readonly what: string;
  readonly used: number;
  readonly limit: number;
  readonly unit: string;
}

export interface Inspection {
  readonly host: string;
  readonly findings: readonly Finding[];
  /** What forbids the change. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** What runs with an old value. */
  readonly due: readonly string[];
  /** Which stacks own settings of it. */
  readonly owners: readonly string[];
  readonly headroom: readonly Use[];
}

/** @throws UsageError for arguments that no resource takes. */
export function checked(args: { connection: Connection; clients: number; uploads?: { path: string } }) {
  const result = checkArguments(waptServer, args);
  if (!result.problems) return { args: result.args, settings: result.settings! };
  throw new UsageError(result.problems.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
}

/** @throws Error where the server can't be read. */
export async function inspect({ args, settings }: ReturnType<typeof checked>): Promise<Inspection> {
  const managed = new ManagedServer(services, () => open(args.connection), "the command pulumi-wapt");
  return inspectOn(managed, { args, settings });
}

/** The same on a server that is reached already: in one round trip. */
export async function inspectOn(
  managed: Pick<ManagedServer<typeof services>, "observe">,
  { args, settings }: ReturnType<typeof checked>,
): Promise<Inspection> {
  const probes = [...waptServer.probes(args), headroomProbe(WAPTS_UNITS)];
  const server = await managed.observe({ root: "", probes, folders: waptServer.folders?.(args) ?? [] });
  demandRoot(server);
  const target = waptServer.target(settings, server, args);
  return { ...inspectionOf(server, target, args), headroom: usesOf(server, server.headroom, target) };
}

export function inspectionOf(
  server: Server,
  target: Target,
  { connection }: WaptServerArguments,
): Omit<Inspection, "headroom"> {
  return {
    host: connection.host,
    findings: target.places.map(findingOf),
    problems: refusalsOf(server, target).map(harmlessSentence),
    warnings: [...(target.warnings ?? []), ...loweredWarnings(target, server)].map(harmlessSentence),
    due: pendingOf(target, server),
    owners: ownersOf(server),
  };
}

/** What `up` would refuse, whoever owns the server: owners are said beside it. */
function refusalsOf(server: Server, target: Target): string[] {
  const owner = { stack: "", resource: "", id: "" };
  const problems = precheck({ ...server, record: {} }, { owner, target, mode: "apply" });
  return problems.map(({ reason }) => reason);
}

function findingOf(place: Place): Finding {
  const value = valueNow(place);
  const unset = place.running === undefined ? "not set" : `not set (${place.running} in force)`;
  const file = fileValue(place);
  // Both are said where a service runs with another value than its file has.
  const present =
    value === undefined ? unset : value === file || file === null ? value : `${value} (${file} in its file)`;
  return { place: place.id, present: harmless(present), wanted: place.value, isRight: value === place.value };
}

function ownersOf({ record }: Server): string[] {
  const owners = Object.values(record).map(({ stack, resource }) => harmless(`${stack} (${resource})`, 200));
  return [...new Set(owners)];
}

export function usesOf(server: Server, { processes, partitions }: HeadroomState, { places }: Target): Use[] {
  const inFile = (id: string) => {
    const place = places.find((one) => one.id === id);
    return place ? Number(fileValue(place) ?? Number.NaN) : Number.NaN;
  };
  const found = findCluster(server.postgresql, server.files, server.wapt.database, undefined);
  const { max_connections, sessions } = "cluster" in found ? (found.cluster.settings ?? {}) : {};
  const own = ["nginx", ...waptUnits(server)];
  const uploads = uploadsNow(server.nginx);
  const all: Use[] = [
    ...processes
      .filter(({ name }) => own.includes(name))
      .flatMap(({ name, id, files, connections, limit }): Use[] => {
        const who = name === "nginx" ? `nginx's worker ${id}` : harmless(name);
        const most = { nginx: inFile("worker_connections"), waptserver: inFile("max_clients") }[name] ?? Number.NaN;
        return [
          { what: `connections of ${who}`, used: connections, limit: most, unit: "" },
          { what: `open files of ${who}`, used: files, limit, unit: "" },
        ];
      }),
    { what: "sessions of PostgreSQL", used: Number(sessions), limit: Number(max_connections), unit: "" },
    ...partitions
      .filter(({ folder }) => folder === uploads)
      .map(({ folder, usedKilobytes, freeKilobytes }) => ({
        what: `partition of the uploads ${harmless(folder)}`,
        used: Math.round(usedKilobytes / 1024),
        // What root alone may fill is no room for uploads.
        limit: Math.round((usedKilobytes + freeKilobytes) / 1024),
        unit: "MiB",
      })),
  ];
  // What was not read, or has no limit, is not said.
  return all.filter(({ used, limit }) => Number.isFinite(used) && Number.isFinite(limit));
}
