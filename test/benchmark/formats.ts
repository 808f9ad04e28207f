/**
 * How long an edit of a large file takes, for each format, and that the time grows as the size does:
 *
 *   npx tsx test/benchmark/formats.ts
 *
 * The managed settings stand at the file's end, behind everything else. Each result is checked before its time counts.
 */
import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { limits } from "../../provider/services/kernel/limits";
import { sysctl } from "../../provider/services/kernel/sysctl";
import { nginxConf } from "../../provider/services/nginx/nginx-conf";
import { postgresqlConf } from "../../provider/services/postgresql/postgresql-conf";
import { ini } from "../../provider/services/wapt/ini";
import type { Format, Tree, Wanted } from "../../provider/text/format";
import { edit } from "../support/lossless";
import { machine, median, table } from "./report";

interface Sample {
  readonly name: string;
  readonly format: Format;
  readonly file: string;
  readonly head?: string;
  /** The i-th piece of what is not managed; a file has as many as fill it. */
  filler(i: number): string;
  readonly tail: string;
  readonly wanted: Wanted;
}

const MEGABYTE = 1_000_000;
const SIZES = [1, 2, 5, 10];
const RUNS = 7;

const SAMPLES: readonly Sample[] = [
  {
    name: "nginx",
    format: nginxConf,
    file: "/etc/nginx/nginx.conf",
    head: "user www-data;\nhttp {\n",
    filler: (i) =>
      `    server {\n        listen 80; # the ${i}th site\n        server_name "s${i}.example" "~^w{1,3}${i}\\.";\n` +
      `        location ~ "^/a{2}/(.*)$" {\n            proxy_pass http://127.0.0.1:8080/\${request_uri};\n        }\n    }\n`,
    tail: "    client_body_temp_path /var/lib/nginx/body;\n}\nevents {\n\tworker_connections 768;\n}\nworker_rlimit_nofile 1024;\n",
    wanted: {
      "events.worker_connections": "6250",
      worker_rlimit_nofile: "20000",
      "http.client_body_temp_path": "/srv/wapt-uploads",
    },
  },
  {
    name: "postgresql",
    format: postgresqlConf,
    file: "/etc/postgresql/15/main/postgresql.conf",
    filler: (i) => `#work_mem = 4MB\t\t\t\t# min 64kB; the ${i}th line\napp.setting_${i} = 'it''s ${i}'\n`,
    tail: "max_connections = 100\t\t\t# (change requires restart)\n",
    wanted: { max_connections: "625" },
  },
  {
    name: "ini",
    format: ini,
    file: "/opt/wapt/conf/waptserver.ini",
    head: "[options]\n",
    filler: (i) => `; the ${i}th setting\nsetting_${i} = some value,\n  and its second line\n`,
    tail: "db_max_connections = 90\nmax_clients = 1000\n",
    wanted: { "options.db_max_connections": "615", "options.max_clients": "4096" },
  },
  {
    name: "sysctl",
    format: sysctl,
    file: "/etc/sysctl.d/wapt.conf",
    filler: (i) => `# of the ${i}th link\nnet.ipv4.conf.eth${i}.rp_filter = 1\n-net/ipv4/conf/eth${i}.7/forwarding=0\n`,
    tail: "net.core.somaxconn = 128\nnet.ipv4.tcp_max_syn_backlog = 128\n",
    wanted: { "net.core.somaxconn": "4096", "net.ipv4.tcp_max_syn_backlog": "4096" },
  },
  {
    name: "limits",
    format: limits,
    file: "/etc/security/limits.conf",
    filler: (i) => `# of the ${i}th user\nuser${i}\thard\tnofile\t1024\n@group${i} -  nproc   200 # both\n`,
    tail: "wapt hard nofile 1024\nwapt soft nofile 1024\n",
    wanted: { "wapt hard nofile": "20000", "wapt soft nofile": "20000" },
  },
];

function treeOf(sample: Sample, bytes: number): Tree {
  const pieces = [sample.head ?? ""];
  let length = pieces[0]!.length + sample.tail.length;
  for (let i = 1; length < bytes; i++) {
    const piece = sample.filler(i);
    pieces.push(piece);
    length += piece.length;
  }
  // By way of bytes, for a string of pieces would be joined within the time that is measured.
  const text = Buffer.from([...pieces, sample.tail].join(""), "latin1").toString("latin1");
  return { root: sample.file, files: new Map([[sample.file, text]]) };
}

/** Milliseconds of one edit; fails unless its result holds the wanted values and all else as it was. */
function timedEdit({ format, file, wanted }: Sample, tree: Tree): number {
  const start = performance.now();
  const edited = edit(format, tree, wanted).get(file);
  const milliseconds = performance.now() - start;
  assert.ok(edited !== undefined);
  const after = { ...tree, files: new Map([[file, edited]]) };
  const old = format.read(tree, Object.keys(wanted));
  for (const [key, { value }] of Object.entries(format.read(after, Object.keys(wanted)))) {
    assert.equal(value, wanted[key]);
  }
  const before = Object.fromEntries(Object.entries(old).map(([key, { value }]) => [key, value]));
  assert.ok(edit(format, after, before).get(file) === tree.files.get(file), `${file}: not every other byte stayed`);
  return milliseconds;
}

function measured(sample: Sample): string[] {
  const times = SIZES.map((size) => {
    const tree = treeOf(sample, size * MEGABYTE);
    return median(Array.from({ length: RUNS }, () => timedEdit(sample, tree)));
  });
  const [smallest, largest] = [times[0]!, times.at(-1)!];
  const speed = SIZES.at(-1)! / (largest / 1000);
  return [
    sample.name,
    ...times.map((time) => time.toFixed(0)),
    speed.toFixed(0),
    `× ${(largest / smallest).toFixed(1)}`,
  ];
}

console.log(`${machine()}; the median of ${RUNS} edits, in milliseconds; twice the size is × 2 where time is linear\n`);
const growth = `${SIZES[0]} → ${SIZES.at(-1)} MB`;
console.log(table(["format", ...SIZES.map((size) => `${size} MB`), "MB/s", growth], SAMPLES.map(measured)));
