# systemd's units: what they run with, and how they are stopped, started and reloaded. A part of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # root, state and the like are theirs

probe_systemd() { # UNIT...: names or patterns of names
  know_unit_files "$@"
  # The nginx that serves may be of another unit, and one that got a limit of ours may be gone.
  # shellcheck disable=SC2046 # names of units
  set -- $(unit_names "$@" "${serving_unit:-}" $(units_with_ours))
  systemd_files "$@"
  if [ -n "$root" ]; then
    on_lines "$(units_below_root "$@")" units_themselves
    return
  fi
  send_files
  limited stat -c '%Z %n' /etc/systemd/system/*.service.d/zz-pulumi-wapt.conf 2>/dev/null | while read -r changed f; do
    unit=${f%.service.d/*}
    fact systemd changed "${unit##*/}" "$changed"
  done
  units=$(limited systemctl show -p Id,LoadState,ActiveState,UnitFileState,MainPID,LimitNOFILE,LimitNOFILESoft,TasksMax,NeedDaemonReload,FragmentPath "$@" 2>/dev/null)
  fact systemd units "$units"
  # Its own file: the one that systemd has read.
  on_lines "$(printf '%s\n' "$units" | awk '
    $1 == "" { if (file) print unit, file; file = "" }
    sub(/^Id=/, "") { unit = $0; sub(/\.service$/, "", unit) }
    sub(/^FragmentPath=/, "") { file = $0 }
    END { if (file) print unit, file }')" units_themselves
  systemd_processes
  if is_readable /var/lib/pulumi-wapt/journal; then
    contents /var/lib/pulumi-wapt/journal | left_units | while read -r unit; do fact systemd left "$unit"; done
  fi
}

# What sets limits beside the units' own files, and which units have a file.
systemd_files() { # UNIT...
  folders=''
  for prefix in /etc /run /usr/local/lib /usr/lib /lib; do
    # Those of all services, too.
    folders="$folders $prefix/systemd/system/service.d"
    for unit; do
      folders="$folders $prefix/systemd/system/$unit.service.d"
      if [ -f "$root$prefix/systemd/system/$unit.service" ]; then fact systemd unit-file "$unit"; fi
    done
  done
  # shellcheck disable=SC2086 # names of units have no blank
  files_that_name LimitNOFILE $folders
}

# What the main processes run with, and when systemd should be told of files that were changed.
systemd_processes() {
  know_hertz
  changed_units='' files=/proc/stat
  while IFS= read -r line; do
    case $line in
      Id=*) unit=${line#Id=} ;;
      NeedDaemonReload=yes) changed_units="$changed_units ${unit%.service}" ;;
      MainPID=0) ;;
      MainPID=*) files="$files /proc/${line#MainPID=}/limits /proc/${line#MainPID=}/stat" ;;
    esac
  done <<END
$units
END
  for unit in $changed_units; do verify_changed "$unit"; done
  # shellcheck disable=SC2086 # files; one whose process has ended meanwhile is passed over
  grep -HE '^(btime|Max open files|[0-9]+ \()' $files 2>/dev/null | awk -F '[/:]' -v hertz="$hertz" '
    $4 ~ /^btime/ { booted = substr($4, 7); next }
    $4 == "limits" { split($5, part, / +/); limits[$3] = part[4] " " part[5]; next }
    { pid = $3; sub(/.*\) /, ""); split($0, part, " "); print pid, limits[pid], int(booted + part[20] / hertz) }' |
    while read -r pid soft hard start; do fact systemd process "$pid" "$soft" "$hard" "$start"; done
}

# The units of some names, without .service: each name, and the units that there are of a pattern; once each.
unit_names() { # NAME...
  names_said=' '
  for name; do
    case $name in *'*') units_like "$name" ;; *) say_unit "$name" ;; esac
  done
}

say_unit() { # NAME: once each
  case $names_said in *" $1 "*) return ;; esac
  names_said="$names_said$1 "
  printf '%s\n' "$1"
}

units_with_ours() {
  for f in "$root"/etc/systemd/system/*.service.d/zz-pulumi-wapt.conf; do
    f=${f%.service.d/*}
    case ${f##*/} in *[!A-Za-z0-9:_.@-]* | '*') ;; *) printf '%s\n' "${f##*/}" ;; esac
  done
}

# Before unit_names, and not from a subshell: the unit files of all patterns among some names, asked for once.
unit_files='' patterns_known=' '
know_unit_files() { # NAME...
  for name; do
    shift
    case $name,$patterns_known in
      *" $name "*) ;;
      *'*,'*) patterns_known="$patterns_known$name " && set -- "$@" "$name.service" ;;
    esac
  done
  if [ -n "$root" ] || [ "$#" = 0 ]; then return; fi
  unit_files=$unit_files$(printf '\n' && limited systemctl list-unit-files --no-legend --no-pager --full "$@" 2>/dev/null | awk '{ print $1 }')
}

units_like() { # PATTERN
  if [ -z "$root" ]; then
    # shellcheck disable=SC2254 # a pattern
    for f in $unit_files; do case $f in $1.service) say_unit_of "$f" ;; esac done
    return
  fi
  for prefix in /etc /run /usr/local/lib /usr/lib /lib; do
    # shellcheck disable=SC2231 # a pattern
    for f in "$root$prefix"/systemd/system/$1.service; do if [ -e "$f" ]; then say_unit_of "${f##*/}"; fi; done
  done
}

# A template is no unit.
say_unit_of() { # NAME.service
  case $1 in *[!A-Za-z0-9:_.-]*) ;; *) say_unit "${1%.service}" ;; esac
}

# Each unit with the first file that systemd would read.
units_below_root() { # UNIT...
  for unit; do
    for prefix in /etc /run /usr/local/lib /usr/lib /lib; do
      f=$prefix/systemd/system/$unit.service
      if [ -f "$root$f" ]; then printf '%s %s\n' "$unit" "$f" && break; fi
    done
  done
}

units_themselves() { # "UNIT FILE"...: of those that name a limit
  fragments=''
  for one; do
    shift
    # That of a masked one is a link to /dev/null.
    if ! [ -f "$root${one#* }" ] || ! is_readable "${one#* }"; then continue; fi
    set -- "$@" "$one"
    fragments="$fragments$root${one#* }
"
  done
  if [ "$#" = 0 ]; then return; fi
  naming=$(on_lines "$fragments" limited grep -l LimitNOFILE)
  for one; do
    case "
$naming
" in *"
$root${one#* }
"*)
      fact systemd fragment "${one%% *}" "${one#* }"
      masked "${one#* }" unit
      ;;
    esac
  done
}

# All but the headers of sections and the limits.
mask_unit() {
  awk 'BEGIN { ORS = "" }
    { print (NR > 1 ? "\n" : "") }
    /^[ \t]*(\[.*\][ \t]*|LimitNOFILE[ \t]*=.*)$/ { print; next }
    { gsub(/[^ \t\r]/, "x"); print }'
}

# What systemd says of a unit whose files were changed since it has loaded them: any daemon-reload makes that effective.
verify_changed() { # UNIT
  verdict=good
  found=$(limited systemd-analyze verify --man=no "$1.service" 2>&1) || verdict=bad
  fact systemd verified "$1" "$verdict" "$found"
}

# The kernel's ticks in a second, in `hertz`.
hertz=''
know_hertz() { hertz=${hertz:-$(getconf CLK_TCK 2>/dev/null || echo 100)}; }

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null; }

last_start() { timeout 20 systemctl show -p ActiveEnterTimestampMonotonic --value "$1" 2>/dev/null; } # UNIT

# Of a journal's lines, the units that runs had stopped and that are still so. Those that were stopped last come first,
# since others may need them.
left_units() {
  sed -n 's/^stopped //p' | while read -r unit boot start; do
    if is_left "$unit" "$boot" "$start"; then printf '%s\n' "$unit"; fi
  done | awk '!seen[$0]++ { lines[++count] = $0 } END { while (count) print lines[count--] }'
}

# In the same boot, and nobody has started it since. 0.1.0 noted the unit alone.
is_left() { # UNIT BOOT START
  if is_running "$1"; then return 1; fi
  if [ -z "$2" ]; then return 0; fi
  if [ "$2" != "$(boot_id)" ]; then return 1; fi
  # systemd forgets a unit that does not run, and then has no time.
  case $(last_start "$1") in '' | 0 | "$3") return 0 ;; *) return 1 ;; esac
}

# The unit in whose control group a process is, without .service; a login's, too.
group_unit() { sed -n '\|.*/[^/]*\.service$|h; $ { x; s|.*/\([^/]*\)\.service$|\1|p; }' "/proc/$1/cgroup" 2>/dev/null; } # PID

# The unit whose main process this is, without .service; nothing where a process only descends from one, as from a login.
unit_of_process() { # PID
  serving=$(group_unit "$1")
  if [ -n "$serving" ] && [ "$(timeout 20 systemctl show -p MainPID --value "$serving" 2>/dev/null)" = "$1" ]; then
    printf '%s' "$serving"
  fi
}

# When a process began, in seconds since 1970.
start_of_process() { # PID
  know_hertz
  awk -v hertz="$hertz" '
    FILENAME == "/proc/stat" { if ($1 == "btime") booted = $2; next }
    { sub(/.*\) /, ""); print int(booted + $20 / hertz) }' /proc/stat "/proc/$1/stat" 2>/dev/null
}

start_of_unit() { # UNIT: of its main process; nothing when it does not run
  main=$(timeout 20 systemctl show -p MainPID --value "$1" 2>/dev/null)
  if [ "${main:-0}" != 0 ]; then start_of_process "$main"; fi
}

why='' stopped='' idle=''

service() { # VERB UNIT
  try timeout 300 systemctl "$@" || {
    why="systemctl $*: $(reason)"
    return 1
  }
}

# systemd refuses a unit that was started often in a short time, which must not keep an undone change down.
start_unit() { # VERB UNIT
  timeout 60 systemctl reset-failed "$2" 2>/dev/null
  # Else it starts all that it wants, also what was stopped on purpose.
  service "$1" --job-mode=ignore-requirements "$2"
}

is_running() { timeout 60 systemctl -q is-active "$1" 2>/dev/null; }

are_running() { for name; do is_running "$name" || return 1; done; }

systemd_reload() {
  on_undo systemd_reload
  service daemon-reload || fail refused "$why"
}

undo_systemd_reload() { service daemon-reload || lost "$why"; }

systemd_limit() { # UNIT LIMIT: what systemd would give the unit's next process
  given=$(timeout 60 systemctl show -p LimitNOFILESoft --value "$1")
  [ "$given" = "$2" ] ||
    fail refused "systemd gives $1 LimitNOFILE $given, not $2: another drop-in sets it (systemctl cat $1); remove it there"
}

# What systemd stops together with a unit, and runs.
stopped_with() { # UNIT
  for one in $(timeout 60 systemctl show -p RequiredBy -p RequisiteOf -p BoundBy -p ConsistsOf -p PropagatesStopTo --value "$1" 2>/dev/null); do
    case " $down " in *" $one "*) continue ;; esac
    if is_running "$one"; then
      down="$down $one"
      stopped_with "$one"
    fi
  done
}

# A line of the journal: by its boot and its last start it is known later whether anyone has started the unit since.
stopped_line() { printf 'stopped %s %s %s' "$1" "$(boot_id)" "$(last_start "$1")"; } # UNIT

# From here on a unit, and what goes down with it, is to run again whatever becomes of this run.
will_stop() { # UNIT
  down=$1
  stopped_with "$1"
  for one in $down; do journal "$(stopped_line "$one")"; done
}

systemd_stop() { # UNIT...: those that run, to be started again by systemd_start
  for name; do
    if ! ok; then return; fi
    case " $stopped " in *" $name "* | *" $name.service "*) continue ;; esac
    if ! is_running "$name"; then
      idle="$idle $name"
    elif will_stop "$name" && ok; then
      on_undo_before_files systemd_stop
      on_undo_last systemd_start
      stopped="$name $stopped${down#"$name"}"
      service stop "$name" || fail refused "$why"
    fi
  done
}

# They may have been started since: then the journal's line of them is no longer true.
undo_systemd_stop() {
  again=
  for name in $stopped; do again="$name $again"; done
  for name in $again; do journal "$(stopped_line "$name")"; done
  for name in $stopped; do service stop "$name" || lost "$why"; done
}

systemd_start() { # UNIT...: these, which an earlier run had stopped
  for name; do
    idle=$(printf '%s' "$idle " | sed "s| $name | |")
  done
  stopped="$* $stopped"
  systemd_start_again
}

systemd_start_again() { # those that this run stopped
  for name in $idle; do note "$name is not running: it was not started"; done
  idle=
  if [ -z "$stopped" ]; then return; fi
  on_undo_before_files systemd_stop
  on_undo_last systemd_start
  start_stopped || fail refused "$why"
}

undo_systemd_start() {
  start_stopped && return
  lost "$why"
  # One that can't live without another may still be on its way down.
  for name in $stopped; do
    if is_running "$name"; then stay_up "$name"; fi
  done
  # shellcheck disable=SC2086 # names of units
  try note_left $stopped
}

# Units that this run tried to start and that are down again: the last start was not someone else's. Their lines keep their
# places, which say in which order they are started.
note_left() { # UNIT...
  for name; do
    if is_running "$name"; then continue; fi
    lines=$(unit=$name line=$(stopped_line "$name") awk '
      $1 == "stopped" && $2 == ENVIRON["unit"] { print ENVIRON["line"]; next }
      { print }' "$state/journal") && write_journal "$lines" || return 1
  done
}

# In their order; all are tried.
start_stopped() {
  complaint=
  for name in $stopped; do start_unit start "$name" || complaint=$why; done
  why=$complaint
  # shellcheck disable=SC2086 # names of units
  [ -z "$why" ] && stay_up $stopped
}

lives() { timeout 60 systemctl show -p ActiveState -p MainPID "$@"; }

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

# What a killed run had stopped; a service may need another one that is on its way up. What runs is no longer due: who stops
# it from then on means it.
after_kill_systemd() {
  if [ -n "$root" ]; then return; fi
  names=''
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    exec 9<>"$state/lock"
    flock 9
    # shellcheck disable=SC2086 # names of units
    note_left $names
    names=$(left_units <"$state/journal")
    if [ -z "$names" ]; then
      write_journal "$(grep -v '^stopped ' "$state/journal")"
      return
    fi
    for name in $names; do start_unit start "$name"; done
    # Between two tries another run may go on from here.
    exec 9>&-
    sleep 3
  done
}
