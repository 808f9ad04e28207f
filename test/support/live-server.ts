/** An untuned server as the probes report it, with services that run, and the server after a plan: for tests of plans. */
import type { Server } from "../../provider/services";
import { spliced } from "../../provider/text/splices";
import type { Claim } from "../../provider/transaction/ownership";
import { type Plan, planOf } from "../../provider/transaction/plan";
import { parseRecord, RECORD } from "../../provider/transaction/record";
import { hashOf } from "../../provider/transaction/report";
import { observe, UPLOADS } from "./image";
import { localRemote, untunedServer } from "./local-remote";

const LIMITS = { soft: 32768, hard: 32768, start: 0 };
const UNIT = {
  installed: true,
  active: true,
  enabled: true,
  limitNofile: LIMITS,
  process: LIMITS,
  tasksMax: Number.POSITIVE_INFINITY,
};

export async function liveServer(): Promise<Server> {
  const cleanUp: (() => void)[] = [];
  const found = await observe(localRemote(), untunedServer({ after: (done) => cleanUp.push(done) }));
  for (const done of cleanUp) done();
  const settings = { max_connections: "100", superuser_reserved_connections: "3" };
  return {
    ...found,
    root: "",
    user: { id: 0, name: "root" },
    kernel: {
      ...found.kernel,
      sysctl: { "net.core.somaxconn": "4096", "net.ipv4.tcp_max_syn_backlog": "512" },
    },
    systemd: Object.assign(() => UNIT, { names: ["nginx", "waptserver", "wapttasks"], left: [] }),
    nginx: { ...found.nginx, live: true, workers: [{ soft: 1024, hard: 524288 }] },
    postgresql: [{ ...found.postgresql[0]!, port: "5432", online: true, settings }],
  };
}

/** Gives files in memory the bytes that a plan gives them. */
export function carryOut({ changes, record }: Plan, files: Map<string, string>): void {
  for (const { path, splices } of changes) {
    if (splices === undefined) files.delete(path);
    else files.set(path, spliced(files.get(path) ?? "", splices));
  }
  if (record?.to !== undefined) files.set(RECORD, record.to);
  else if (record) files.delete(RECORD);
}

/** The hashes of files in memory. */
export const hashesOf = (files: ReadonlyMap<string, string>): Map<string, string> =>
  new Map([...files].map(([path, text]) => [path, hashOf(text)]));

/** The server once a claim has what it wants, and its services run with it. */
export function afterRun(server: Server, claim: Claim): Server {
  const files = new Map(server.files);
  const plan = planOf(server, claim);
  carryOut(plan, files);
  const value = (id: string) => claim.target.places.find((place) => place.id === id)?.value;
  const cluster = server.postgresql[0]!;
  const maxConnections = value("max_connections") ?? cluster.settings!.max_connections!;
  const limit = Number(value("worker_rlimit_nofile") ?? server.nginx.workers[0]!.soft);
  const sysctls = Object.entries(server.kernel.sysctl).map(([key, old]) => [key, value(key) ?? old]);
  const folder = {
    mode: "700",
    owner: "www-data",
    ids: "33:33",
    isFolder: true,
    real: UPLOADS,
    entries: [],
    freeKilobytes: 1e9,
  };
  const pool = value("db_max_connections");
  return {
    ...server,
    files,
    hashes: hashesOf(files),
    record: parseRecord(files.get(RECORD)),
    folders: plan.folders.length > 0 ? { [UPLOADS]: folder } : server.folders,
    kernel: { ...server.kernel, sysctl: Object.fromEntries(sysctls) },
    nginx: { ...server.nginx, tree: { ...server.nginx.tree, files }, workers: [{ soft: limit, hard: 524288 }] },
    postgresql: [{ ...cluster, settings: { ...cluster.settings, max_connections: maxConnections } }],
    wapt: {
      ...server.wapt,
      tree: { ...server.wapt.tree, files },
      database: { ...server.wapt.database!, ...(pool && { pool: Number(pool) }) },
    },
  };
}
