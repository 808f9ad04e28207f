/** The job that every contender gets: a WAPT server's settings for 2,500 clients, within a container's ceiling of 20000. */

export const CLIENTS = 2500;

/** A limit of open files that a lab server of the shared kernel can have. */
export const OPEN_FILES = 20000;

export const WANTED = {
  worker_connections: 6250,
  worker_rlimit_nofile: OPEN_FILES,
  client_body_temp_path: "/srv/wapt-uploads",
  somaxconn: 4096,
  tcp_max_syn_backlog: 4096,
  nofile: OPEN_FILES,
  limit_nofile: OPEN_FILES,
  max_connections: 625,
  db_max_connections: 615,
  max_clients: 4096,
} as const;
