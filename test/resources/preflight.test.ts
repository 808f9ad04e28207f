import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  backlogFindings,
  diskFindings,
  type Finding,
  fileFindings,
  memoryFindings,
  portFindings,
  taskFindings,
  workerFindings,
} from "../../provider/resources/preflight";
import type { Cluster, Server } from "../../provider/transaction/observation";

const NGINX = "/etc/nginx/nginx.conf";

const server = (more: object = {}): Server =>
  ({
    root: "",
    memoryKilobytes: 8 * 1024 * 1024,
    cpus: 4,
    disks: [],
    sysctl: {},
    nginx: { configuration: NGINX },
    files: new Map([[NGINX, "events { }\n"]]),
    ...more,
  }) as unknown as Server;

const conf = (text: string) => server({ files: new Map([[NGINX, text]]) });
const disk = (freeKilobytes: number, writable: boolean) =>
  server({ disks: [{ path: "/etc/nginx", freeKilobytes, writable }] });
const cluster = (tasksMax: number) => ({ unit: "postgresql@15-main", tasksMax }) as unknown as Cluster;

const cases: [string, Finding[], string | undefined][] = [
  ["memory that is enough", memoryFindings(server(), 625), undefined],
  [
    "memory that busy backends exceed",
    memoryFindings(server({ memoryKilobytes: 2 * 1024 * 1024 }), 625),
    "warning, 3125 MiB",
  ],
  ["memory that is not half enough", memoryFindings(server({ memoryKilobytes: 100 * 1024 }), 1250), "error, 100 MiB"],
  ["enough processes", taskFindings(cluster(655), 625), undefined],
  ["one process too few", taskFindings(cluster(654), 625), "error, needs 655"],
  ["a writable disk", diskFindings(disk(4096, true), ["/etc/nginx"]), undefined],
  ["a full disk", diskFindings(disk(100, true), ["/etc/nginx/conf.d"]), "error, 100 kB free"],
  ["a read-only disk", diskFindings(disk(4096, false), ["/etc/nginx"]), "error, mounted read-only"],
  ["another disk that is full", diskFindings(disk(0, false), ["/etc/postgresql"]), undefined],
  [
    "ports enough",
    portFindings(server({ sysctl: { "net.ipv4.ip_local_port_range": "32768 60999" } }), 12500),
    undefined,
  ],
  [
    "ports too few",
    portFindings(server({ sysctl: { "net.ipv4.ip_local_port_range": "60000 60999" } }), 6250),
    "warning, 1000 ports",
  ],
  ["file-max above", fileFindings(server({ sysctl: { "fs.file-max": "100000" } }), 32768), undefined],
  [
    "file-max below",
    fileFindings(server({ sysctl: { "fs.file-max": "10000" } }), 32768),
    "error, fs.file-max is 10000",
  ],
  ["worker_processes auto", workerFindings(conf("worker_processes auto;\nevents { }\n")), undefined],
  ["one worker by default", workerFindings(conf("events { }\n")), "warning, one worker on 4 processors"],
  [
    "one worker by hand",
    workerFindings(conf("\nworker_processes 1;\nevents { }\n")),
    "warning, nginx.conf:2: nginx runs one worker",
  ],
  [
    "a queue that is long enough",
    backlogFindings(conf("events { }\nhttp { server { listen 80 backlog=4096; } }\n"), 4096),
    undefined,
  ],
  [
    "nginx's default queue",
    backlogFindings(conf("events { }\nhttp { server { listen 80; } }\n"), 4096),
    "warning, listen 80 has a queue of 511",
  ],
  [
    "a socket file's queue",
    backlogFindings(conf("events { }\nhttp { server { listen unix:/run/a; } }\n"), 4096),
    undefined,
  ],
];

describe("preflight", () => {
  for (const [name, findings, expected] of cases) {
    it(expected === undefined ? `says nothing of ${name}` : `says ${expected.split(",")[0]} of ${name}`, () => {
      const [severity, text] = expected?.split(", ") ?? [];
      assert.equal(findings[0]?.severity, severity);
      if (text !== undefined) assert.ok(findings[0]?.text.includes(text), findings[0]?.text);
    });
  }
});
