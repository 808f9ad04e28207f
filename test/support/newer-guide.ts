/**
 * A server that was tuned by WAPT's guide of today for 4,000 clients, all of its files: by the guide's ratios; and with
 * nginx's queue, which no guide names.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { untunedServer } from "./local-remote";

export const CLIENTS = 4000;
export const SITE = "/etc/nginx/sites-enabled/wapt";
export const LIMITS_FILE = "/etc/security/limits.d/wapt.conf";

const LIMITS = ["wapt", "www-data"]
  .flatMap((user) => ["hard", "soft"].map((type) => `${user.padEnd(12)} ${type}    nofile      32768\n`))
  .join("");
const UNIT = "[Unit]\nDescription=WAPT\n\n[Service]\nLimitNOFILE=32768\nExecStart=/opt/wapt/bin/python\n";

/** A package's files, as dpkg knows them. */
export function belongsTo(root: string, name: string, paths: readonly string[]): void {
  const folder = join(root, "var/lib/dpkg");
  mkdirSync(join(folder, "info"), { recursive: true });
  mkdirSync(join(folder, "updates"), { recursive: true });
  const status = `Package: ${name}\nStatus: install ok installed\nMaintainer: x\nArchitecture: all\nVersion: 1\nDescription: x\n\n`;
  writeFileSync(join(folder, "status"), status);
  writeFileSync(join(folder, `info/${name}.list`), `/.\n${paths.join("\n")}\n`);
}

export function serverOfNewerGuide(context: { after(done: () => void): void }): string {
  const root = untunedServer(context);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const edit = (path: string, from: string, to: string) =>
    write(path, readFileSync(join(root, path), "latin1").replace(from, to));
  write("etc/sysctl.d/wapt.conf", "net.ipv4.tcp_max_syn_backlog=6000\nnet.core.somaxconn=6000\n");
  write(LIMITS_FILE, LIMITS);
  for (const unit of ["waptserver", "wapttasks"]) write(`etc/systemd/system/${unit}.service`, UNIT);
  edit("etc/nginx/nginx.conf", "worker_connections 768;", "worker_connections 10000;");
  edit("etc/nginx/nginx.conf", "pid /run/nginx.pid;", "pid /run/nginx.pid;\nworker_rlimit_nofile 32768;");
  edit(SITE, "listen 80 default_server", "listen 80 default_server backlog=6000");
  edit("etc/postgresql/15/main/postgresql.conf", "max_connections = 100", "max_connections = 1000");
  edit("opt/wapt/conf/waptserver.ini", "[options]\n", "[options]\nmax_clients = 4800\ndb_max_connections =  990\n");
  belongsTo(root, "tis-waptserver", ["/etc/systemd/system/nginx.service.d/nginx_worker_files_limit.conf"]);
  return root;
}
