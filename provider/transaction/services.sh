# What a transaction does to the kernel and to services: tests, activations, and how each is put back. Part of apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # root, state, touched and the like are apply.sh's

why='' sysctls='' reloaded='' nginx_reloaded='' postgres_restarted='' stopped='' idle=''

# The candidates bound over the real files, in a mount namespace that only the command sees.
in_place() { # COMMAND...
  pairs=0
  for id in $files; do
    eval "new=\$candidate_$id target=\$target_$id"
    if [ -e "$new" ] && [ -e "$target" ]; then
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
    exec "$@"' sh "$pairs" "$@"
}

can_bind() { unshare -m mount --bind "$state" "$state" 2>/dev/null; }

check_nginx() { # CONF
  ok || return 0
  # Without mount namespaces the test comes after the rename and before the reload, in nginx_reload.
  if can_bind && ! try in_place timeout 60 nginx -t -q -c "$1"; then
    fail refused "nginx refuses the new configuration: $(reason)"
  fi
}

check_postgres() { # OWNER BINARY DATA CONF MAX_CONNECTIONS
  if ok && can_bind; then judge_postgres in_place "$@"; fi
}

# Once more where it lies, since another file may have come, and without mount namespaces for the first time.
check_placed_postgres() { # OWNER BINARY DATA CONF MAX_CONNECTIONS
  if ok; then judge_postgres env "$@"; fi
}

judge_postgres() { # RUNNER OWNER BINARY DATA CONF MAX_CONNECTIONS; the last is "-" when it does not matter
  wanted=$6
  set -- "$1" timeout 60 runuser -u "$2" -- "$3" -D "$4" -c "config_file=$5" -C max_connections
  if ! answer=$("$@" 2>/dev/null); then
    try "$@"
    fail refused "PostgreSQL refuses the new configuration: $(reason)"
  elif [ "$wanted" != - ] && [ "$answer" != "$wanted" ]; then
    fail refused "PostgreSQL would take max_connections $answer from the new configuration, not $wanted"
  fi
}

# A write in a network namespace of its own, where it has the key, tells without touching the real value.
# shellcheck disable=SC2016 # expanded by the inner shell
kernel_takes() { # KEY VALUE
  ! unshare -n true 2>/dev/null ||
    unshare -n sh -c '[ ! -w "/proc/sys/$1" ] || printf "%s\n" "$2" >"/proc/sys/$1"' sh "$1" "$2" 2>/dev/null
}

check_sysctl() { # KEY VALUE
  ok || return 0
  if [ ! -e "/proc/sys/$1" ]; then
    fail refused "this kernel has no $1: remove the setting from the program"
  elif ! kernel_takes "$1" "$2"; then
    fail refused "the kernel refuses the value $2 for $1"
  fi
}

write_sysctl() { # KEY VALUE
  { printf '%s\n' "$2" >"/proc/sys/$1"; } 2>/dev/null
  now=$(cat "/proc/sys/$1")
  [ "$now" = "$2" ]
}

set_sysctl() { # KEY VALUE
  ok || return 0
  touched=1
  sysctls="$sysctls$1 $(cat "/proc/sys/$1")
"
  write_sysctl "$1" "$2" || fail refused "$1 is $now after $2 was written to it: a container may not set it"
}

restore_sysctls() {
  while read -r key was; do
    [ -z "$key" ] || write_sysctl "$key" "$was" || lost "$key is $now, not $was"
  done <<END
$sysctls
END
}

service() { # VERB UNIT
  try timeout 300 systemctl "$@" || {
    why="systemctl $*: $(reason)"
    return 1
  }
}

# systemd refuses a unit that was started often in a short time, which must not keep an undone change down.
start_unit() { # VERB UNIT
  systemctl reset-failed "$2" 2>/dev/null
  service "$1" "$2"
}

is_running() { systemctl -q is-active "$1" 2>/dev/null; }

daemon_reload() {
  ok || return 0
  touched=1 reloaded=1
  service daemon-reload || fail refused "$why"
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
  ok || return 0
  if ! try timeout 60 nginx -t -q -c "$1"; then
    fail refused "nginx refuses its configuration: $(reason)"
  elif ! is_running nginx; then
    note "nginx is not running: its configuration is in place, it was not started"
  else
    touched=1 nginx_reloaded=1
    reload_nginx "$2" || fail refused "$why"
  fi
}

reload_nginx() { # NOFILE
  old=$(workers)
  service reload nginx || return 1
  tries=300
  while now=$(workers) && { [ -z "$now" ] || printf '%s\n' "$now" | grep -qxF "$old"; }; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ]; then
      why="nginx kept its old workers after the reload; its error log says why"
      return 1
    fi
    sleep 0.1
  done
  for pid in $now; do
    soft=$(awk '/^Max open files/ { print $4 }' "/proc/$pid/limits" 2>/dev/null)
    if [ "$1" != - ] && [ -n "$soft" ] && [ "$soft" != "$1" ]; then
      why="nginx's worker $pid may open $soft files after the reload, not $1"
      return 1
    fi
  done
}

stop() { # UNIT...: those that run, to be started again by start
  for name; do
    if ! ok; then return 0; fi
    if ! is_running "$name"; then
      idle="$idle $name"
    elif journal "stopped $name" && ok; then
      touched=1
      stopped="$name $stopped"
      service stop "$name" || fail refused "$why"
    fi
  done
}

# What a killed run had stopped; a service may need PostgreSQL, which is on its way up.
start_left_stopped() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    exec 9<>"$state/lock"
    flock 9
    names=$(sed -n 's/^stopped //p' "$state/journal")
    if [ -n "$root" ] || [ -z "$names" ]; then exit; fi
    for name in $names; do start_unit start "$name"; done
    # Between two tries another run may go on from here.
    exec 9>&-
    sleep 3
    # shellcheck disable=SC2086 # names of units
    if are_running $names; then exit; fi
  done
}

are_running() { for name; do is_running "$name" || return 1; done; }

start() { # UNIT...: these, which an earlier run had stopped, and those that stop stopped
  ok || return 0
  for name in $idle; do
    case " $* " in *" $name "*) ;; *) note "$name is not running: it was not started" ;; esac
  done
  for name; do settled="${settled}stopped $name
"; done
  touched=1
  stopped="$* $stopped"
  start_stopped || fail refused "$why"
}

# In their order; all are tried.
start_stopped() {
  complaint=
  for name in $stopped; do start_unit start "$name" || complaint=$why; done
  why=$complaint
  # shellcheck disable=SC2086 # names of units
  [ -z "$why" ] && stay_up $stopped
}

lives() { systemctl show -p ActiveState -p MainPID "$@"; }

processor_time() { # LIVES: what their main processes had of it so far
  # shellcheck disable=SC2046 # names of files
  awk '{ sub(/.*\) /, ""); print $12, $13 }' $(printf '%s\n' "$1" | sed -n 's|^MainPID=\(.*\)|/proc/\1/stat|p')
}

# A service that dies of its new settings does so when it has read them: it must have come to rest for two seconds.
stay_up() { # UNIT...
  if [ "$#" = 0 ]; then return 0; fi
  first=$(lives "$@") rest=0 tries=40 was=
  if ! are_running "$@"; then first=dead; fi
  # Another process is one that systemd started in place of the first.
  while [ "$(lives "$@")" = "$first" ]; do
    now=$(processor_time "$first" 2>/dev/null)
    if [ "$now" = "$was" ]; then rest=$((rest + 1)); else rest=0; fi
    was=$now tries=$((tries - 1))
    if [ "$rest" = 8 ] || [ "$tries" = 0 ]; then return 0; fi
    sleep 0.25
  done
  for name; do is_running "$name" || break; done
  why="$name did not stay up after its start; journalctl -u $name says why"
  return 1
}

ask_postgres() { # OWNER PORT DATA
  socket=$(sed -n 5p "$3/postmaster.pid") &&
    timeout 20 runuser -u "$1" -- psql -XAtq -h "$socket" -p "$2" -d postgres -c 'SHOW max_connections'
}

postgres_restart() { # UNIT OWNER PORT DATA MAX_CONNECTIONS; the last is "-" when it does not matter
  ok || return 0
  touched=1 postgres_restarted=1 cluster_unit=$1 cluster_owner=$2 cluster_port=$3 cluster_data=$4
  restart_postgres "$5" || fail refused "$why"
}

restart_postgres() { # MAX_CONNECTIONS
  if ! start_unit restart "$cluster_unit"; then
    why="PostgreSQL did not start: $why"
    return 1
  fi
  deadline=$(($(date +%s) + 300))
  until answer=$(ask_postgres "$cluster_owner" "$cluster_port" "$cluster_data" 2>/dev/null 9>&-); do
    if [ "$(date +%s)" -ge "$deadline" ] || ! is_running "$cluster_unit"; then
      try ask_postgres "$cluster_owner" "$cluster_port" "$cluster_data"
      why="PostgreSQL does not answer after its restart: $(reason)"
      return 1
    fi
    sleep 0.2
  done
  if [ "$1" != - ] && [ "$answer" != "$1" ]; then
    why="PostgreSQL says max_connections $answer after its restart, not $1"
    return 1
  fi
}

# Activates the old files in the order in which the new ones were.
restore_services() {
  restore_sysctls
  if [ -n "$reloaded" ]; then service daemon-reload || lost "$why"; fi
  if [ -n "$nginx_reloaded" ]; then reload_nginx - || lost "$why"; fi
  for name in $stopped; do service stop "$name" || lost "$why"; done
  if [ -n "$postgres_restarted" ]; then restart_postgres - || lost "$why"; fi
  start_stopped || lost "$why"
}
