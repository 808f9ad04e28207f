# Reports what stands on a server, one fact a line, and changes nothing. POSIX sh, for dash and busybox.
# It is sent on stdin to `sh -s`, followed by one call:
#   observe ROOT NGINX_CONF POSTGRESQL_CONF WAPTSERVER_INI FOLDER...
# where ROOT is "" for the server itself, and a path that is "" is searched for.
# shellcheck shell=sh

encode() { base64 -w0 2>/dev/null || base64 | tr -d '\n'; }

fact() { # NAME VALUE
  printf '%s ' "$1"
  printf '%s' "$2" | encode
  printf '\n'
}

sent='
'
file() { # PATH, as the server names it; once, and nothing when it can't be read
  case $sent in *"
$1
"*) return ;; esac
  sent="$sent$1
"
  if [ -f "$root$1" ] && [ -r "$root$1" ]; then
    printf 'file '
    printf '%s' "$1" | encode
    printf ' '
    encode <"$root$1"
    printf '\n'
  fi
}

files_that_name() { # PATTERN FOLDER...: only files that matter leave the server
  pattern=$1
  shift
  for folder; do
    for f in "$root$folder"/*.conf; do
      if [ -f "$f" ] && grep -qE "$pattern" "$f"; then file "${f#"$root"}"; fi
    done
  done
}

open_files() { # PID: its soft and hard limit
  awk '/^Max open files/ { print $4, $5 }' "/proc/$1/limits" 2>/dev/null
}

observe_machine() {
  fact user "$(id -u) $(id -un)"
  fact machine-id "$(cat "$root/etc/machine-id" 2>/dev/null)"
  file /var/lib/pulumi-wapt/record.json
  fact journal "$(cat "$root/var/lib/pulumi-wapt/journal" 2>/dev/null)"
}

observe_kernel() {
  for key in net/core/somaxconn net/ipv4/tcp_max_syn_backlog fs/nr_open fs/file-max net/ipv4/ip_local_port_range; do
    if [ -r "/proc/sys/$key" ]; then fact "sysctl $key" "$(tr '\t' ' ' <"/proc/sys/$key")"; fi
  done
  fact cpus "$(nproc 2>/dev/null || echo 1)"
  fact memory "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
  # In a container root can't raise its hard limit; reading does not tell, trying does.
  # shellcheck disable=SC3045 # dash and busybox have ulimit -Hn
  if ! (ulimit -Hn "$(cat /proc/sys/fs/nr_open)") 2>/dev/null; then
    limits=$(open_files 1)
    fact ceiling "${limits#* }"
  fi
}

observe_limit_files() {
  files_that_name 'somaxconn|tcp_max_syn_backlog|[*]' \
    /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d /lib/sysctl.d
  file /etc/sysctl.d/wapt.conf
  file /etc/sysctl.conf
  file /etc/security/limits.conf
  files_that_name nofile /etc/security/limits.d
  for unit in nginx waptserver wapttasks; do
    files_that_name LimitNOFILE "/etc/systemd/system/$unit.service.d" "/run/systemd/system/$unit.service.d" \
      "/usr/lib/systemd/system/$unit.service.d" "/lib/systemd/system/$unit.service.d"
    for folder in /etc /run /usr/lib /lib; do
      if [ -f "$root$folder/systemd/system/$unit.service" ]; then fact unit-file "$unit" && break; fi
    done
  done
}

# Root may write anywhere but on what is mounted read-only, and -w tells that.
observe_disks() { # FOLDER...
  for folder; do
    if [ -d "$root$folder" ]; then
      access=read-only
      if [ -w "$root$folder" ]; then access=writable; fi
      fact disk "$(df -Pk "$root$folder" | awk 'NR == 2 { print $4 }') $access $folder"
    fi
  done
}

observe_units() {
  units=$(systemctl show -p Id,LoadState,ActiveState,MainPID,LimitNOFILE,LimitNOFILESoft,TasksMax \
    nginx waptserver wapttasks 2>/dev/null)
  fact units "$units"
  for pid in $(printf '%s\n' "$units" | sed -n 's/^MainPID=//p'); do
    if [ "$pid" != 0 ]; then fact process "$pid $(open_files "$pid")"; fi
  done
}

nginx_workers() { # MASTER: workers that are not on their way out
  grep -l '^nginx: worker process' /proc/[0-9]*/cmdline 2>/dev/null | while IFS= read -r f; do
    pid=${f#/proc/} && pid=${pid%/cmdline}
    if grep -q 'shutting down' "$f" 2>/dev/null; then continue; fi
    if grep -q "^PPid:.$1\$" "/proc/$pid/status" 2>/dev/null; then fact worker "$pid $(open_files "$pid")"; fi
  done
}

observe_nginx() { # CONF
  if [ -n "$root" ] || ! command -v nginx >/dev/null 2>&1; then
    conf=${1:-/etc/nginx/nginx.conf}
    fact nginx.conf "$conf"
    find "$root${conf%/*}" \( -type f -o -type l \) ! -name '.*' 2>/dev/null | while IFS= read -r f; do
      file "${f#"$root"}"
    done
    return
  fi
  fact nginx.version "$(nginx -V 2>&1)"
  if [ -n "$1" ]; then set -- "$1" -c "$1"; else set -- ''; fi
  conf=$1
  shift
  # -T prints every file's text; only their names are kept here, since the text is not told apart reliably.
  dump=$({ nginx -T "$@" 2>&3 | sed -n 's/^# configuration file \(.*\):$/\1/p'; } 3>"$errors")
  if nginx -t -q "$@" 2>/dev/null; then
    fact nginx.test ok
  else
    fact nginx.test "$(cat "$errors")"
  fi
  conf=${conf:-$(nginx -V 2>&1 | sed -n 's/.*--conf-path=\([^ ]*\).*/\1/p')}
  fact nginx.conf "$conf"
  file "$conf"
  printf '%s\n' "$dump" | while IFS= read -r f; do file "$f"; done
  master=$(systemctl show -p MainPID --value nginx 2>/dev/null)
  if [ -n "$master" ] && [ "$master" != 0 ]; then nginx_workers "$master"; fi
}

postgres_clusters() { # VERSION NAME PORT STATUS OWNER DATA CONF, a line each
  if [ -z "$root" ] && command -v pg_lsclusters >/dev/null 2>&1; then
    pg_lsclusters -h | while read -r version name port status owner data _; do
      printf '%s %s %s %s %s %s %s\n' "$version" "$name" "$port" "$status" "$owner" "$data" \
        "/etc/postgresql/$version/$name/postgresql.conf"
    done
    return
  fi
  for f in "$root"/etc/postgresql/*/*/postgresql.conf; do
    if [ -f "$f" ]; then
      conf=${f#"$root"} && name=${conf%/*} && version=${name%/*}
      printf '%s %s - down postgres /var/lib/postgresql/%s %s\n' "${version##*/}" "${name##*/}" \
        "${name#/etc/postgresql/}" "$conf"
    fi
  done
  for data in "$root"/var/lib/pgsql/data "$root"/var/lib/pgsql/*/data; do
    if [ -f "$data/postgresql.conf" ]; then
      status=down
      if [ -z "$root" ] && [ -f "$data/postmaster.pid" ]; then status=online; fi
      printf '%s - %s %s postgres %s %s\n' "$(cat "$data/PG_VERSION")" \
        "$(sed -n 4p "$data/postmaster.pid" 2>/dev/null | grep . || echo -)" "$status" "${data#"$root"}" \
        "${data#"$root"}/postgresql.conf"
    fi
  done
}

running_postgres() { # PORT OWNER DATA
  pid=$(head -n 1 "$3/postmaster.pid")
  fact "postgres.command $3" "$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null)"
  fact "postgres.binary $3" "$(readlink "/proc/$pid/exe")"
  unit=$(sed -n 's|.*/\([^/]*\)\.service$|\1|p' "/proc/$pid/cgroup" | tail -n 1)
  fact "postgres.unit $3" "$unit"
  fact "postgres.tasks $3" "$(systemctl show -p TasksMax --value "$unit" 2>/dev/null)"
  answer=$(runuser -u "$2" -- psql -XAtq -F ' ' -h "$(sed -n 5p "$3/postmaster.pid")" -p "$1" -d postgres -c "
    select name, setting from pg_settings
      where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
    union all select 'file', sourcefile from pg_file_settings group by sourcefile" 2>&1) || answer="error $answer"
  fact "postgres.answer $3" "$answer"
  printf '%s\n' "$answer" | sed -n 's/^file //p' | while IFS= read -r f; do file "$f"; done
}

observe_postgres() { # CONF
  if [ -n "$1" ]; then fact postgres.given "$1"; fi
  postgres_clusters | while read -r version name port status owner data conf; do
    fact postgres "$version $name $port ${status%%,*} $owner $data $conf"
    file "$conf"
    for f in "$root${conf%/*}"/*.conf "$root${conf%/*}"/conf.d/*.conf; do
      case $f in */pg_hba.conf | */pg_ident.conf) ;; *) file "${f#"$root"}" ;; esac
    done
    file "$data/postgresql.auto.conf"
    case $status in online*) running_postgres "$port" "$owner" "$data" </dev/null ;; esac
  done
}

observe_folder() { # PATH
  fact folder "$(stat -c '%a %U %F' "$root$1" 2>/dev/null || echo missing) $1"
  parent=$root$1
  while [ ! -d "$parent" ] && [ "$parent" != "${parent%/*}" ]; do parent=${parent%/*}; done
  fact free "$(df -Pk "${parent:-/}" | awk 'NR == 2 { print $4, $6 }') $1"
}

observe() { # ROOT NGINX_CONF POSTGRESQL_CONF WAPTSERVER_INI FOLDER...
  export LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  cd / || exit 1
  root=$1
  errors=$(mktemp) || exit 1
  trap 'rm -f "$errors"' EXIT
  observe_machine
  if [ -z "$root" ]; then
    observe_kernel
    observe_units
  fi
  observe_limit_files
  observe_nginx "$2"
  observe_postgres "$3"
  file "$4"
  observe_disks /etc /etc/nginx /etc/postgresql "${4%/*}" /var/lib /var/backups
  shift 4
  for folder; do observe_folder "$folder"; done
  printf 'end\n'
}
