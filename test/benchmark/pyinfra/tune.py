# A WAPT server's settings for its number of clients; the values are the inventory's data.
from io import StringIO

from pyinfra import config, host
from pyinfra.operations import files, server, systemd

config.SUDO = True

wanted = host.data
changed = {}

for key, value in {
    "net.ipv4.tcp_max_syn_backlog": wanted.tcp_max_syn_backlog,
    "net.core.somaxconn": wanted.somaxconn,
}.items():
    server.sysctl(key=key, value=value, persist=True, persist_file="/etc/sysctl.d/wapt.conf")

files.block(
    name="Open files of sessions",
    path="/etc/security/limits.conf",
    content="\n".join(
        f"{user} {kind} nofile {wanted.nofile}" for user in ("wapt", "www-data") for kind in ("hard", "soft")
    ),
    marker="# {mark} WAPT",
)

drop_ins = [
    files.put(
        name=f"Open files of {unit}",
        src=StringIO(f"[Service]\nLimitNOFILE={wanted.limit_nofile}\n"),
        dest=f"/etc/systemd/system/{unit}.service.d/zz-wapt.conf",
        mode="644",
    )
    for unit in ("nginx", "waptserver", "wapttasks")
]

files.directory(
    name="Folder of uploads",
    path=wanted.client_body_temp_path,
    user="www-data",
    group="www-data",
    mode="700",
)

nginx = [
    files.put(
        name="Path of uploads",
        src=StringIO(f"client_body_temp_path {wanted.client_body_temp_path};\n"),
        dest="/etc/nginx/conf.d/wapt-uploads.conf",
        mode="644",
    ),
    # A missing line is added at the file's end, which is the main context.
    files.line(
        name="Open files of nginx's workers",
        path="/etc/nginx/nginx.conf",
        line=r"^worker_rlimit_nofile .*",
        replace=f"worker_rlimit_nofile {wanted.worker_rlimit_nofile};",
    ),
    files.line(
        name="Connections of nginx's workers",
        path="/etc/nginx/nginx.conf",
        line=r"^\s*worker_connections .*",
        replace=f"\tworker_connections {wanted.worker_connections};",
    ),
]

postgresql = files.line(
    name="Connections of PostgreSQL",
    path="/etc/postgresql/15/main/postgresql.conf",
    line=r"^max_connections *=.*",
    replace=f"max_connections = {wanted.max_connections}",
)

# The file's only section is its last, so that a missing line may come at its end.
wapt = [
    files.line(
        name=f"{key} of WAPT",
        path="/opt/wapt/conf/waptserver.ini",
        line=rf"^{key} *=.*",
        replace=f"{key} = {value}",
    )
    for key, value in (("db_max_connections", wanted.db_max_connections), ("max_clients", wanted.max_clients))
]


def any_of(operations):
    return lambda: any(operation.did_change() for operation in operations)


# In this order: WAPT's pool never exceeds what PostgreSQL gives.
systemd.daemon_reload(name="Read the units", _if=any_of(drop_ins))
systemd.service(name="Reload nginx", service="nginx", reloaded=True, _if=any_of(nginx))
systemd.service(name="Restart PostgreSQL", service="postgresql@15-main", restarted=True, _if=postgresql.did_change)
for unit in ("wapttasks", "waptserver"):
    systemd.service(
        name=f"Restart {unit}", service=unit, restarted=True, _if=any_of([*drop_ins, postgresql, *wapt])
    )
