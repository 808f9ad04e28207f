import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Problem } from "../../provider/problem";
import { hardwareWarnings, memoryProblems } from "../../provider/resources/capacity";
import type { Server } from "../../provider/services";
import { type KernelState, openFilesProblems, portWarnings } from "../../provider/services/kernel/kernel";
import { type NginxState, workerWarnings } from "../../provider/services/nginx/nginx";
import { type Cluster, slotProblems, taskProblems } from "../../provider/services/postgresql/postgresql";
import { type Base, diskProblems } from "../../provider/transaction/observation";

const NGINX = "/etc/nginx/nginx.conf";
const GIB = 1024 * 1024;

interface Findings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

const errors = (problems: readonly Problem[]): Findings => ({ problems, warnings: [] });
const warnings = (texts: readonly string[]): Findings => ({ problems: [], warnings: texts });

const kernel = (sysctl: Record<string, string>): KernelState => ({
  sysctl,
  memoryKilobytes: 0,
  cpus: 4,
  managers: [],
  logins: {},
});
const conf = (text: string) => ({ tree: { root: NGINX, files: new Map([[NGINX, text]]) } }) as unknown as NginxState;
const disk = (freeKilobytes: number, writable: boolean) =>
  ({ disks: [{ path: "/etc/nginx", freeKilobytes, writable }] }) as unknown as Base;
const sized = (cpus: number, memoryKilobytes: number, isHere = true, count = 1) =>
  ({
    root: "",
    kernel: { cpus, memoryKilobytes },
    wapt: { database: { isHere }, pools: { count } },
  }) as unknown as Server;
const cluster = (tasksMax: number) => ({ unit: "postgresql@15-main", tasksMax }) as unknown as Cluster;

const cases: [string, Findings, string | undefined][] = [
  ["memory that is enough for PostgreSQL's slots", errors(slotProblems(8 * GIB, 625)), undefined],
  ["memory that is not half enough", errors(slotProblems(100 * 1024, 1250)), "error, 100 MiB"],
  ["memory that a full pool fits in", errors(memoryProblems(sized(2, 3 * GIB), 615, {})), undefined],
  ["memory that a full pool would fill", errors(memoryProblems(sized(2, 2 * GIB), 615, {})), "error, 447 fit"],
  [
    "memory that four full pools would fill",
    errors(memoryProblems(sized(2, 2 * GIB, true, 4), 400, {})),
    "error, 111 fit",
  ],
  ["memory that is accepted", errors(memoryProblems(sized(2, 2 * GIB), 615, { accept: ["memory"] })), undefined],
  ["a pool of another machine's", errors(memoryProblems(sized(2, 2 * GIB, false), 615, {})), undefined],
  ["hardware as the vendor asks", warnings(hardwareWarnings(sized(8, 7.6 * GIB), 3000)), undefined],
  ["too little hardware", warnings(hardwareWarnings(sized(8, 7.6 * GIB), 3001)), "warning, 16 processors and 16 GiB"],
  ["enough processes", errors(taskProblems(cluster(655), 625)), undefined],
  ["one process too few", errors(taskProblems(cluster(654), 625)), "error, needs 655"],
  ["a writable disk", errors(diskProblems(disk(4096, true), ["/etc/nginx"], "connection")), undefined],
  ["a full disk", errors(diskProblems(disk(100, true), ["/etc/nginx/conf.d"], "connection")), "error, 100 kB free"],
  [
    "a read-only disk",
    errors(diskProblems(disk(4096, false), ["/etc/nginx"], "connection")),
    "error, mounted read-only",
  ],
  ["another disk that is full", errors(diskProblems(disk(0, false), ["/etc/postgresql"], "connection")), undefined],
  ["ports enough", warnings(portWarnings(kernel({ "net.ipv4.ip_local_port_range": "32768 60999" }), 12500)), undefined],
  [
    "ports too few",
    warnings(portWarnings(kernel({ "net.ipv4.ip_local_port_range": "60000 60999" }), 6250)),
    "warning, 1000 ports",
  ],
  ["file-max above", errors(openFilesProblems(kernel({ "fs.file-max": "100000" }), { nofile: 32768 })), undefined],
  [
    "file-max below",
    errors(openFilesProblems(kernel({ "fs.file-max": "10000" }), { nofile: 32768 })),
    "error, fs.file-max is 10000",
  ],
  ["worker_processes auto", warnings(workerWarnings(conf("worker_processes auto;\nevents { }\n"), 4)), undefined],
  ["one worker by default", warnings(workerWarnings(conf("events { }\n"), 4)), "warning, one worker on 4 processors"],
  [
    "one worker by hand",
    warnings(workerWarnings(conf("\nworker_processes 1;\nevents { }\n"), 4)),
    "warning, nginx.conf:2: nginx runs one worker",
  ],
];

describe("preflight", () => {
  for (const [name, { problems, warnings: said }, expected] of cases) {
    it(expected === undefined ? `says nothing of ${name}` : `says ${expected.split(",")[0]} of ${name}`, () => {
      const [severity, text] = expected?.split(", ") ?? [];
      const [all, others] = severity === "error" ? [problems.map(({ reason }) => reason), said] : [said, problems];
      assert.equal(all.length, expected === undefined ? 0 : 1);
      assert.equal(others.length, 0);
      if (text !== undefined) assert.ok(all[0]!.includes(text), all[0]);
    });
  }
});
