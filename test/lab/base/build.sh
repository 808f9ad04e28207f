#!/bin/sh
# Builds the root of a Debian server with WAPT's services: build.sh SUITE MIRROR TARGET
# MIRROR may be empty: debootstrap's own is used. The files beside this script are laid into TARGET.
# Run it in mount and process namespaces of its own, so that an interrupted build leaves nothing behind but TARGET.
set -eu

suite=$1
mirror=$2
target=$3
recipe=$(cd "$(dirname "$0")" && pwd)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

packages=systemd,systemd-sysv,dbus,kmod,openssh-server,sudo,nginx-light,postgresql
packages=$packages,procps,iproute2,ca-certificates,openssl,python3,python3-psycopg2

in_target() {
  chroot "$target" "$@"
}

option() {
  sed -n "s/^$1 = //p" "$recipe/waptserver.ini"
}

lay() { # lay OWNER MODE FILE PATH
  install -D -m "$2" "$recipe/$3" "$target$4"
  in_target chown "$1" "$4"
}

# shellcheck disable=SC2086 # an empty mirror is no argument
debootstrap --variant=minbase --include="$packages" "$suite" "$target" $mirror

# The administrators: `admin` may do all with sudo, `oncall` (password "oncall") needs a password for it.
in_target useradd --create-home --shell /bin/bash admin
in_target useradd --create-home --shell /bin/bash oncall
echo oncall:oncall | in_target chpasswd
printf '%s\n' 'admin ALL=(ALL:ALL) NOPASSWD: ALL' 'oncall ALL=(ALL:ALL) ALL' > "$target/etc/sudoers.d/lab"
chmod 440 "$target/etc/sudoers.d/lab"

# Keys are a server's own: startServer lays them in. One authorized key serves root, admin and oncall.
rm -f "$target"/etc/ssh/ssh_host_*
echo 'AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/lab_authorized_keys' > "$target/etc/ssh/sshd_config.d/lab.conf"
: > "$target/etc/machine-id"

in_target useradd --system --home-dir /opt/wapt --shell /usr/sbin/nologin --user-group wapt
install -d "$target/var/www/wapt" "$target/opt/wapt/waptserver/ssl"
lay root:root 644 waptserver.py /opt/wapt/waptserver/waptserver.py
lay wapt:wapt 640 waptserver.ini /opt/wapt/conf/waptserver.ini
lay root:root 644 waptserver.service /etc/systemd/system/waptserver.service
lay root:root 644 wapttasks.service /etc/systemd/system/wapttasks.service
lay root:root 644 nginx_worker_files_limit.conf /etc/systemd/system/nginx.service.d/nginx_worker_files_limit.conf
lay root:root 644 wapt.conf /etc/nginx/sites-available/wapt.conf
ln -s ../sites-available/wapt.conf "$target/etc/nginx/sites-enabled/wapt.conf"
rm "$target/etc/nginx/sites-enabled/default"
in_target openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=wapt-lab \
  -keyout /opt/wapt/waptserver/ssl/key.pem -out /opt/wapt/waptserver/ssl/cert.pem

# PostgreSQL in single-user mode: no server runs on this machine for the sake of two statements.
data=$(in_target pg_lsclusters --no-header | while read -r version cluster _ _ _ data _; do
  [ "$cluster" = main ] && echo "$version $data"
done)
version=${data%% *}
data=${data#* }
printf '%s\n' \
  "CREATE ROLE \"$(option db_user)\" LOGIN PASSWORD '$(option db_password)'" \
  "CREATE DATABASE \"$(option db_name)\" OWNER \"$(option db_user)\"" |
  in_target runuser -u postgres -- "/usr/lib/postgresql/$version/bin/postgres" --single -D "$data" \
    -c "config_file=/etc/postgresql/$version/main/postgresql.conf" postgres > "$target/tmp/postgres.log" 2>&1
cat "$target/tmp/postgres.log"
! grep -q ERROR "$target/tmp/postgres.log" || exit 1 # single-user mode exits with 0 all the same
rm "$target/tmp/postgres.log"

# Nothing that wakes up by itself while a test measures.
in_target systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer systemd-pstore.service getty.target
in_target systemctl enable waptserver.service wapttasks.service
in_target apt-get clean
rm -rf "$target"/var/lib/apt/lists/*
