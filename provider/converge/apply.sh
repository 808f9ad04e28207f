# A transaction on a server: all files and services take the new values, or all have the old ones again.
# POSIX sh, for dash and busybox. It is sent on stdin to `sh -s`, followed by one brace group, so that a connection
# cut half-way runs nothing, of these calls in this order:
#   begin ROOT WAIT HOLDER          lock the server; ROOT is "" for the server itself
#   file ID PATH SHA256 BASE64 MODE OWNER   write a candidate beside PATH; SHA256 is what was planned on, "-" for none
#   pending ACTION                  what a crash from here on leaves to do
#   check_...                       test the candidates as if they were in place
#   folder, put ID, set_sysctl, daemon_reload, nginx_reload, stop, postgres_restart, start
#   finish                          forget the old files, or put everything back when a step failed
# It reports "note BASE64" and at its end "result WORD BASE64".
# shellcheck shell=sh

failed='' result='' files='' placed='' made='' emptied='' stopped='' sysctls='' fixed=''
undoing='' reloaded='' nginx_reloaded='' postgres_restarted=''

report() { # WORD TEXT
  printf '%s ' "$1" 2>/dev/null
  printf '%s' "$2" | base64 | tr -d '\n' 2>/dev/null
  printf '\n' 2>/dev/null
}

note() { report note "$1"; }

# The first failure counts; every later step then does nothing.
fail() { # RESULT TEXT
  if [ -z "$failed" ]; then
    result=$1
    failed=$2
  fi
}

reason() { tr '\n' ' ' <"$work/errors" | cut -c1-600; }

journal() { printf '%s\n' "$1" >>"$state/journal"; }

hash_of() { if [ -e "$1" ]; then sha256sum "$1" | cut -d' ' -f1; else echo -; fi; }

begin() { # ROOT WAIT HOLDER
  trap '' HUP PIPE INT
  export LC_ALL=C
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  umask 077
  cd / || exit 1
  root=$1
  state=$root/var/lib/pulumi-wapt
  work=$(mktemp -d) || exit 1
  if ! mkdir -p "$state" 2>"$work/errors" || ! true 2>"$work/errors" >>"$state/lock"; then
    fail refused "$state can't be written: $(reason)"
    return
  fi
  exec 9<>"$state/lock"
  if ! flock -w "$2" 9; then
    fail busy "another run holds the server's lock since $2 s or more: $(cat "$state/lock"). Wait for it to end, then repeat"
    return
  fi
  printf '%s, since %s\n' "$3" "$(date -u +%FT%TZ)" >"$state/lock"
  recover
}

# A run that was killed left its journal: its temporary files go, what it had still to do is in this run's plan.
recover() {
  if [ -f "$state/journal" ]; then
    sed -n 's/^temporary //p' "$state/journal" | while IFS= read -r f; do rm -f "$f"; done
    grep -v '^temporary ' "$state/journal" >"$work/journal"
    cp "$work/journal" "$state/journal"
  fi
}

# What this run leaves to do: nothing when all went well, else what an earlier one had left.
close_journal() {
  if [ -z "$failed" ] || [ ! -s "$work/journal" ]; then
    rm -f "$state/journal"
  elif [ "$result" != broken ]; then
    cp "$work/journal" "$state/journal"
  fi
}

pending() { if [ -z "$failed" ]; then journal "pending $1"; fi; }

make_parents() { # FOLDER: with each one made remembered, outermost last
  if [ ! -d "$1" ]; then
    make_parents "${1%/*}"
    if [ -z "$failed" ]; then
      if (umask 022 && mkdir "$1") 2>"$work/errors"; then
        made="$1
$made"
      else
        fail refused "the folder $1 can't be made: $(reason)"
      fi
    fi
  fi
}

file() { # ID PATH SHA256 BASE64 MODE OWNER
  if [ -n "$failed" ]; then return; fi
  target=$root$2
  if [ -L "$target" ]; then target=$(readlink -f "$target"); fi
  case $target in "$root"/*) ;; *) fail refused "$2 is a link out of $root" ;; esac
  make_parents "${target%/*}"
  if [ -n "$failed" ]; then return; fi
  stem=${target%/*}/.pulumi-wapt.${target##*/}
  files="$files $1"
  eval "target_$1=\$target hash_$1=\$3 old_$1=\$stem.old candidate_$1="
  if [ "$(hash_of "$target")" != "$3" ]; then
    fail changed "$2 was changed by someone else while this run was planned; nothing was touched, repeat it"
    return
  fi
  journal "temporary $stem.old"
  if [ "$4" != - ]; then
    journal "temporary $stem.new"
    eval "candidate_$1=\$stem.new"
    if ! write_candidate "$target" "$stem.new" "$4" "$5" "$6" 2>"$work/errors"; then
      fail refused "$2: no new version can be written beside it: $(reason)"
    fi
  fi
}

write_candidate() { # TARGET CANDIDATE BASE64 MODE OWNER
  rm -f "$2"
  if [ -e "$1" ]; then
    # Owner, mode, ACL, extended attributes and SELinux context come with the copy and stay with its new text.
    cp -a "$1" "$2" && printf '%s' "$3" | base64 -d >"$2"
  else
    printf '%s' "$3" | base64 -d >"$2" && chmod "$4" "$2" &&
      if [ -z "$root" ] || [ "$(id -u)" = 0 ]; then chown "$5" "$2"; fi &&
      if [ -z "$root" ] && command -v restorecon >/dev/null; then restorecon "$2"; fi
  fi && sync "$2" && printf '%s' "$3" | base64 -d | cmp -s - "$2"
}

# The candidates bound over the real files, in a mount namespace that only the command sees.
in_place() { # COMMAND...
  pairs=0
  for id in $files; do
    eval "new=\$candidate_$id target=\$target_$id"
    if [ -n "$new" ] && [ -e "$target" ]; then
      set -- "$new" "$target" "$@"
      pairs=$((pairs + 1))
    fi
  done
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare -m sh -c '
    pairs=$1
    shift
    while [ "$pairs" -gt 0 ]; do
      mount --bind "$1" "$2" || exit 1
      shift 2
      pairs=$((pairs - 1))
    done
    exec "$@"' sh "$pairs" "$@" 2>"$work/errors"
}

can_bind() { unshare -m true 2>/dev/null; }

check_nginx() { # CONF
  if [ -n "$failed" ]; then return; fi
  # Without mount namespaces the test comes after the rename and before the reload, in nginx_reload.
  if can_bind && ! in_place nginx -t -q -c "$1"; then
    fail refused "nginx refuses the new configuration: $(reason)"
  fi
}

check_postgres() { # OWNER BINARY DATA CONF MAX_CONNECTIONS
  if [ -n "$failed" ] || ! can_bind; then return; fi
  if ! answer=$(in_place runuser -u "$1" -- "$2" -D "$3" -c "config_file=$4" -C max_connections); then
    fail refused "PostgreSQL refuses the new configuration: $(reason)"
  elif [ "$5" != - ] && [ "$answer" != "$5" ]; then
    fail refused "PostgreSQL would take max_connections $answer from the new configuration, not $5"
  fi
}

# A write in a network namespace of its own, where it has the key, tells without touching the real value.
# shellcheck disable=SC2016 # expanded by the inner shell
kernel_takes() { # KEY VALUE
  ! unshare -n true 2>/dev/null ||
    unshare -n sh -c '[ ! -w "/proc/sys/$1" ] || printf "%s\n" "$2" >"/proc/sys/$1"' sh "$1" "$2" 2>/dev/null
}

check_sysctl() { # KEY VALUE
  if [ -n "$failed" ]; then return; fi
  if [ ! -e "/proc/sys/$1" ]; then
    fail refused "this kernel has no $1: remove the setting from the program"
  elif ! kernel_takes "$1" "$2"; then
    fail refused "the kernel refuses the value $2 for $1"
  fi
}

check_space() { # PATH KILOBYTES WANTED
  if [ -n "$failed" ]; then return; fi
  free=$(df -Pk "$root${1%/*}/" 2>/dev/null | awk 'NR == 2 { print $4 }')
  if [ "${free:-0}" -lt "$2" ]; then
    fail refused "$1: its partition has $((${free:-0} / 1024)) MiB free, minFree asks for $3"
  fi
}

folder() { # PATH MODE OWNER
  if [ -n "$failed" ]; then return; fi
  path=$root$1
  parent=${path%/*}
  if [ ! -d "$parent" ]; then
    fail refused "$1: the folder ${1%/*} does not exist; mount or make it first"
  elif [ -e "$path" ] && [ ! -d "$path" ]; then
    fail refused "$1 is there and is no folder"
  elif [ -z "$root" ] && ! runuser -u "${3%:*}" -- test -x "${parent:-/}"; then
    fail refused "$1: the user ${3%:*} can't enter ${parent:-/}; give it the right to (chmod o+x)"
  elif [ ! -d "$path" ] && ! mkdir -m "$2" "$path" 2>"$work/errors"; then
    fail refused "$1 can't be made: $(reason)"
  else
    own_folder "$path" "$2" "$3"
  fi
}

own_folder() { # PATH MODE OWNER
  was=$(stat -c '%a %u:%g' "$1")
  if [ -z "$(ls -A "$1")" ]; then made="$1
$made"; else fixed="$fixed${was% *} ${was#* } $1
"; fi
  chmod "$2" "$1"
  ids=$3
  # An image has users of its own, which this machine may not know.
  if [ -n "$root" ]; then ids=$(awk -F: -v user="${3%:*}" '$1 == user { print $3 ":" $4 }' "$root/etc/passwd" 2>/dev/null); fi
  if [ -z "$ids" ]; then
    note "$1: $root/etc/passwd has no user ${3%:*}, so the owner was left as it is"
  elif [ "$(id -u)" = 0 ] && ! chown "$ids" "$1" 2>"$work/errors"; then
    fail refused "$1: $(reason)"
  fi
  if [ -z "$root" ] && command -v selinuxenabled >/dev/null && selinuxenabled; then chcon -t httpd_var_lib_t "$1"; fi
}

remove_folder() { # PATH: one that a resource made, when nothing is in it
  if [ -n "$failed" ] || [ ! -d "$root$1" ]; then return; fi
  rmdir "$root$1" 2>/dev/null || note "$1 is not empty: left as it is"
}

back_up() { # PATH TARGET: the last five versions
  kept=$root/var/backups/pulumi-wapt$1
  mkdir -p "${kept%/*}" && cp -a "$2" "$kept.$(date -u +%Y%m%dT%H%M%SZ)" || return 1
  find "${kept%/*}" -name "${kept##*/}.*Z" | sort -r | tail -n +6 | while IFS= read -r f; do rm -f "$f"; done
}

# shellcheck disable=SC2154 # set by eval
put() { # ID PATH
  if [ -n "$failed" ]; then return; fi
  eval "target=\$target_$1 new=\$candidate_$1 old=\$old_$1 planned=\$hash_$1"
  if [ "$(hash_of "$target")" != "$planned" ]; then
    fail changed "$2 was changed by someone else during this run; repeat it"
    return
  fi
  rm -f "$old"
  if [ -e "$target" ] && ! { back_up "$2" "$target" && { ln "$target" "$old" || cp -a "$target" "$old"; }; } 2>"$work/errors"; then
    fail refused "$2: its old version can't be kept: $(reason)"
    return
  fi
  placed="$1 $placed"
  if [ -n "$new" ]; then
    mv -f "$new" "$target" 2>"$work/errors" || fail refused "$2: $(reason)"
  else
    rm -f "$target" 2>"$work/errors" || fail refused "$2: $(reason)"
    emptied="$emptied${target%/*}
"
  fi
  sync "${target%/*}"
}

set_sysctl() { # KEY VALUE
  if [ -n "$failed" ]; then return; fi
  was=$(cat "/proc/sys/$1")
  sysctls="$sysctls$1 $was
"
  { printf '%s\n' "$2" >"/proc/sys/$1"; } 2>/dev/null
  now=$(cat "/proc/sys/$1")
  if [ "$now" != "$2" ]; then fail refused "$1 is $now after $2 was written to it: a container may not set it"; fi
}

service() { timeout 150 systemctl "$@" >/dev/null 2>"$work/errors"; }

# systemd refuses a unit that was started often in a short time, which must not keep an undone change down.
start_unit() { # VERB UNIT
  systemctl reset-failed "$2" 2>/dev/null
  service "$1" "$2"
}

is_running() { systemctl -q is-active "$1" 2>/dev/null; }

daemon_reload() {
  if [ -n "$failed" ]; then return; fi
  reloaded=1
  service daemon-reload || fail refused "systemctl daemon-reload: $(reason)"
}

workers() { # PIDs of nginx's workers that are not on their way out
  master=$(systemctl show -p MainPID --value nginx)
  grep -l '^nginx: worker process' /proc/[0-9]*/cmdline 2>/dev/null | while IFS= read -r f; do
    pid=${f#/proc/} && pid=${pid%/cmdline}
    if ! grep -q 'shutting down' "$f" 2>/dev/null && grep -q "^PPid:.$master\$" "/proc/$pid/status" 2>/dev/null; then
      printf '%s\n' "$pid"
    fi
  done
}

nginx_reload() { # CONF NOFILE; NOFILE is "-" when it does not matter
  if [ -n "$failed" ]; then return; fi
  if ! nginx -t -q -c "$1" 2>"$work/errors"; then
    fail refused "nginx refuses its configuration: $(reason)"
    return
  elif ! is_running nginx; then
    note "nginx is not running: its configuration is in place, it was not started"
    return
  fi
  nginx_reloaded=$1
  workers >"$work/workers"
  if ! service reload nginx; then
    fail refused "systemctl reload nginx: $(reason)"
    return
  fi
  tries=100
  while now=$(workers) && { [ -z "$now" ] || printf '%s\n' "$now" | grep -qxFf "$work/workers"; }; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ]; then
      fail refused "nginx kept its old workers after the reload; its error log says why"
      return
    fi
    sleep 0.1
  done
  for pid in $now; do
    soft=$(awk '/^Max open files/ { print $4 }' "/proc/$pid/limits" 2>/dev/null)
    if [ "$2" != - ] && [ -n "$soft" ] && [ "$soft" != "$2" ]; then
      fail refused "nginx's worker $pid may open $soft files after the reload, not $2"
    fi
  done
}

stop() { # UNIT...: those that run, to be started again by start
  if [ -n "$failed" ]; then return; fi
  for name; do
    if is_running "$name"; then
      journal "stopped $name"
      stopped="$name $stopped"
      service stop "$name" || fail refused "systemctl stop $name: $(reason)"
    else
      note "$name is not running: it was not started"
    fi
  done
}

# shellcheck disable=SC2120 # its arguments come from the appended call
start() { # the units that stop stopped, and those given, in their order
  for name in "$@" $stopped; do
    if [ -z "$failed" ] && ! start_unit start "$name"; then fail refused "systemctl start $name: $(reason)"; fi
  done
  # A service that dies of its new settings does so in its first seconds.
  tries=10
  while [ -z "$failed" ] && [ "$tries" -gt 0 ] && [ -n "$*$stopped" ]; do
    for name in "$@" $stopped; do
      is_running "$name" || fail refused "$name did not stay up after its start; journalctl -u $name says why"
    done
    tries=$((tries - 1))
    sleep 0.2
  done
}

postgres_restart() { # UNIT OWNER PORT DATA MAX_CONNECTIONS; the last is "-" when it does not matter
  if [ -n "$failed" ]; then return; fi
  if [ -z "$undoing" ]; then postgres_restarted=1 unit=$1 owner=$2 port=$3 data=$4; fi
  if ! start_unit restart "$1"; then
    fail refused "PostgreSQL did not start: $(reason)"
    return
  fi
  tries=300
  until socket=$(sed -n 5p "$4/postmaster.pid" 2>/dev/null) &&
    answer=$(runuser -u "$2" -- psql -XAtq -h "$socket" -p "$3" -d postgres -c 'SHOW max_connections' 2>"$work/errors"); do
    tries=$((tries - 1))
    if [ "$tries" = 0 ]; then
      fail refused "PostgreSQL does not answer after its restart: $(reason)"
      return
    fi
    sleep 0.2
  done
  if [ "$5" != - ] && [ "$answer" != "$5" ]; then
    fail refused "PostgreSQL says max_connections $answer after its restart, not $5"
  fi
}

restore_files() {
  for id in $placed; do
    eval "target=\$target_$id old=\$old_$id planned=\$hash_$id"
    if [ "$planned" = - ]; then rm -f "$target"; else mv -f "$old" "$target" || fail broken "$target was not put back; its old version is $old"; fi
    sync "${target%/*}"
  done
  printf '%s' "$sysctls" | while read -r key was; do printf '%s\n' "$was" >"/proc/sys/$key"; done
  printf '%s' "$fixed" | while read -r mode ids path; do chown "$ids" "$path" && chmod "$mode" "$path"; done
}

# Puts back what was changed, then activates it again in the order in which the new values were activated.
undo() {
  undoing=1
  first=$failed
  failed=
  restore_files
  if [ -n "$reloaded" ]; then daemon_reload; fi
  if [ -n "$nginx_reloaded" ]; then nginx_reload "$nginx_reloaded" -; fi
  for name in $stopped; do service stop "$name"; done
  if [ -n "$postgres_restarted" ]; then postgres_restart "$unit" "$owner" "$port" "$data" -; fi
  start
  if [ -z "$failed" ]; then
    failed="$first. Everything was put back as it was"
  else
    result=broken
    failed="$first. Putting everything back failed too: $failed"
  fi
}

remove_temporaries() {
  for id in $files; do eval "rm -f \"\$candidate_$id\" \"\$old_$id\""; done
  # Of folders that lost their last file only the drop-ins' were ours; after a failure all go that this run made.
  if [ -n "$failed" ]; then
    printf '%s' "$made"
  else
    printf '%s' "$emptied" | grep '\.service\.d$'
  fi | while IFS= read -r f; do rmdir "$f"; done
}

finish() {
  if [ -n "$failed" ] && [ -n "$placed$reloaded$nginx_reloaded$postgres_restarted$sysctls$stopped$fixed" ]; then undo; fi
  if [ "$result" != busy ]; then
    remove_temporaries 2>/dev/null
    close_journal 2>/dev/null
    if [ -f "$state/lock" ]; then : >"$state/lock"; fi
  fi
  rm -rf "$work"
  report result "${result:-ok} $failed"
}
