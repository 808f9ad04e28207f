# nginx: which of its processes serves, what that reads and runs with, the test of a candidate, the reload. A part of
# observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154,SC3013 # root, errors and why are theirs; dash and busybox have -ef

# Many processes are looked at by one program: a server with many processors has as many workers.
in_proc() { # FILE PID...: its path for each
  what=$1
  shift
  for pid; do printf '/proc/%s/%s\n' "$pid" "$what"; done
}

nginx_with() { sed -n 's|^/proc/\([0-9]*\)/.*|\1|p'; } # reads paths in /proc: their PIDs

nginx_titled() { # TITLE: PIDs of nginx's processes that call themselves so
  grep -l "^nginx: $1" /proc/[0-9]*/cmdline 2>/dev/null | nginx_with
}

# One that serves without a master, for debugging, has no title.
nginx_untitled() {
  # shellcheck disable=SC2046 # words
  set -- $(grep -lx nginx /proc/[0-9]*/comm 2>/dev/null | nginx_with)
  # shellcheck disable=SC2046 # words
  if [ "$#" -gt 0 ]; then grep -L '^nginx: ' $(in_proc cmdline "$@") 2>/dev/null | nginx_with; fi
}

nginx_workers() { # MASTER: PIDs of its workers that are not on their way out
  # A title ends with its line, so that a worker which is shutting down has another one.
  # shellcheck disable=SC2046 # words
  set -- "$1" $(grep -l '^nginx: worker process' /proc/[0-9]*/cmdline 2>/dev/null | xargs grep -L 'shutting down' 2>/dev/null | nginx_with)
  parent=$1
  shift
  # shellcheck disable=SC2046 # words
  if [ "$#" -gt 0 ]; then grep -l "^PPid:.$parent\$" $(in_proc status "$@") 2>/dev/null | nginx_with; fi
}

# A worker for as long as it lives: its PID and when it began, in ticks since the boot.
nginx_lives() { # PID...
  if [ "$#" = 0 ]; then return; fi
  # shellcheck disable=SC2002,SC2046 # words; one that has ended meanwhile is passed over
  cat $(in_proc stat "$@") 2>/dev/null | awk '{ pid = $1; sub(/.*\) /, ""); print pid, $20 }'
}

# PID, soft limit and hard limit of open files, a line each.
nginx_open_files() { # PID...
  if [ "$#" = 0 ]; then return; fi
  # shellcheck disable=SC2046 # words
  grep -H '^Max open files' $(in_proc limits "$@") 2>/dev/null | awk -F '[/ ]+' '{ print $3, $7, $8 }'
}

nginx_master() { # UNIT: its main process, where that is nginx
  pid=$(timeout 20 systemctl show -p MainPID --value "$1" 2>/dev/null)
  if grep -q '^nginx: master process' "/proc/${pid:-0}/cmdline" 2>/dev/null; then printf '%s' "$pid"; fi
}

# Where a process is. What another account started may say anything, and root runs nothing of it.
nginx_place() { # PID; nothing when it has ended
  if [ "/proc/$1/ns/pid" -ef /proc/self/ns/pid ]; then
    if ! [ "/proc/$1/root/" -ef / ]; then
      echo root
    elif [ "$(awk '/^Uid:/ { print $2 }' "/proc/$1/status" 2>/dev/null)" != 0 ]; then
      echo account
    else
      echo here
    fi
  elif [ -e "/proc/$1/ns/pid" ]; then
    echo container
  fi
}

nginx_ports() { # PID: the TCP ports that it listens on, one space between
  { ls -l "/proc/$1/fd" && cat "/proc/$1/net/tcp" "/proc/$1/net/tcp6"; } 2>/dev/null | awk '
    function decimal(hex, value, at) {
      for (at = 1; at <= length(hex); at++) value = 16 * value + index("123456789ABCDEF", substr(hex, at, 1))
      return value
    }
    /socket:/ { sub(/.*socket:\[/, ""); sub(/\].*/, ""); held[$0] = 1; next }
    $4 == "0A" && ($10 in held) { port = $2; sub(/.*:/, "", port); ports[decimal(port)] = 1 }
    END { for (port in ports) { printf "%s%s", blank, port; blank = " " } }'
}

nginx_words() { tr '\0\n' '  ' <"/proc/$1/cmdline"; } 2>/dev/null # PID

# A title, like what systemd shows, has the words of a command line with one space between, and those of -g are several.
nginx_options() { # reads the words behind the program's name: its options of what to read, and their values, a line each
  awk '
    {
      for (at = 1; at <= NF; at++) {
        letters = $at
        if (!sub(/^-/, "", letters)) continue
        while (letters != "") {
          letter = substr(letters, 1, 1)
          letters = substr(letters, 2)
          if (letter !~ /[cpeg]/) continue
          value = letters == "" ? $(++at) : letters
          letters = ""
          while (at < NF && ($(at + 1) !~ /^-/ || (letter == "g" && value !~ /;$/))) value = value " " $(++at)
          print "-" letter
          print value
        }
      }
    }'
}

# What `with_nginx` runs: the program of a master, also one that was replaced since, else that of its unit; with the options
# that it is started with.
nginx_of() { # MASTER, or nothing where none runs; CONF, which is read where no unit says what is; UNIT
  binary=nginx options=
  if [ -n "$1" ]; then
    binary=/proc/$1/exe
    options=$(nginx_words "$1" | sed 's/^nginx: master process [^ ]*//' | nginx_options)
    return
  fi
  command=$(timeout 20 systemctl show -p ExecStart --value "$3" 2>/dev/null |
    sed -n 's/.* argv\[\]=\(.*\) ; ignore_errors=.*/\1/p' | head -n 1)
  # Another program, such as one of the administrator's own, may do anything.
  case ${command%% *} in
    */nginx) binary=${command%% *} options=$(printf '%s' "${command#"$binary"}" | nginx_options) ;;
    *) if [ -n "$2" ]; then options="-c
$2"; fi ;;
  esac
}

with_nginx() { # OPTION COMMAND...: COMMAND gets nginx, its options and OPTION
  option=$1
  shift
  set -- "$@" "$binary"
  while IFS= read -r word; do if [ -n "$word" ]; then set -- "$@" "$word"; fi; done <<END
$options
END
  "$@" "$option"
}

# The configuration file that nginx says it has tested, whatever came of it.
nginx_tested() { # COMPLAINT
  printf '%s\n' "$1" | sed -n '/^nginx: .*configuration file .* test /h; $ { x; s/^nginx: .*configuration file \(.*\) test .*/\1/p; }'
}

# Of nginx -T only the files' names: their text is not told apart reliably.
nginx_names() { sed -n 's/^# configuration file \(.*\):$/\1/p'; }

nginx_digest() { # NAMES, a line each: one hash for them and for what is in them; nothing where there are none
  if [ -z "$1" ]; then return; fi
  printf '%s\n' "$1" | sed '/^$/d' | tr '\n' '\0' | timeout 60 xargs -0 sha256sum 2>/dev/null | sha256sum | sed 's/ .*//'
}

nginx_reads() { nginx_digest "$(with_nginx -T timeout 60 2>/dev/null | nginx_names)"; }

# What the workers of our own last reload have read: the digest of it, then those workers.
nginx_marker=/run/pulumi-wapt/nginx

# Where no nginx can be asked: a file, then those that it includes. A key is never included, so it is never sent.
nginx_file() { # PATH
  case $sent in *"
$1
"*) return ;; esac
  file "$1"
  if ! is_readable "$1" >/dev/null; then return; fi
  included=$(contents "$1" | nginx_includes)
  while IFS= read -r pattern; do
    case $pattern in '') continue ;; /*) ;; *) pattern=${conf%/*}/$pattern ;; esac
    # No word is split, the pattern alone is expanded.
    IFS=
    # shellcheck disable=SC2086
    set -- "$root"$pattern
    unset IFS
    for f; do nginx_file "${f#"$root"}"; done
  done <<END
$included
END
}

# The paths of a file's include directives, a line each.
nginx_includes() {
  # shellcheck disable=SC2016 # awk's
  limited awk '
    { text = text $0 "\n" }
    function cut(pattern) {
      if (!match(text, pattern)) return 0
      token = substr(text, 1, RLENGTH)
      text = substr(text, RLENGTH + 1)
      return 1
    }
    END {
      if (!index(text, "include")) exit
      while (text != "") {
        if (cut("^([ \t\r\n]+|#[^\n]*)")) continue
        if (cut("^[;{}]")) {
          if (token == ";" && count == 2 && words[1] == "include" && words[2] !~ /\n/) print words[2]
          count = 0
        } else if (cut("^(\"([^\"\\\\]|\\\\(.|\n))*\"|\047([^\047\\\\]|\\\\(.|\n))*\047)")) {
          words[++count] = substr(token, 2, length(token) - 2)
        } else if (cut("^([^ \t\r\n;{\\\\]|\\\\(.|\n)|[$][{])+") || cut("^.")) {
          words[++count] = token
        }
      }
    }'
}

probe_nginx() { # CONF, "" to find it
  serving='' serving_unit=''
  if [ -n "$root" ]; then
    nginx_unasked "${1:-/etc/nginx/nginx.conf}"
    return
  fi
  nginx_find "$1"
  if [ -z "$serving" ] && ! command -v nginx >/dev/null 2>&1; then
    nginx_unasked "${1:-/etc/nginx/nginx.conf}"
    return
  fi
  nginx_of "$serving" "$1" nginx
  if [ -n "$serving" ]; then
    fact nginx serving "$serving" "$(readlink "/proc/$serving/exe")"
    fact nginx options "$options"
  fi
  nginx_configuration "$1"
  nginx_running
}

nginx_unasked() { # CONF
  conf=$1
  # What it was built with is a text in it.
  if [ -f "$root/usr/sbin/nginx" ]; then
    fact nginx built "$(limited grep -ao -- '--prefix=[[:print:]]*' "$root/usr/sbin/nginx" | head -n 1)"
  fi 2>/dev/null
  fact nginx conf "$conf"
  nginx_file "$conf"
  disk "${conf%/*}"
}

# Every master that runs, and in `serving` the one that serves WAPT, where that can be told, and in `serving_unit` its unit.
nginx_find() { # CONF, "" for whichever serves
  nginx_masters
  # In its first moment a worker has the title of its master.
  case $candidates in *' '*) sleep 0.3 && nginx_masters ;; esac
  masters_units=' '
  for master in $masters; do nginx_process "${master%:*}" "${master#*:}"; done
  for pid in $(nginx_untitled); do
    if [ "$(nginx_place "$pid")" = here ] && [ -n "$(nginx_ports "$pid")" ]; then
      nginx_process "$pid" single
    fi
  done
  case $candidates in *' '*) candidates=$(nginx_chosen "$1") ;; esac
  # shellcheck disable=SC2086 # words
  set -- $candidates
  if [ "$#" != 1 ]; then return; fi
  serving=$1
  case $masters_units in *" $1="*) serving_unit=${masters_units#*" $1="} && serving_unit=${serving_unit%% *} ;; esac
}

# In `masters` each with its place, and in `candidates` those that this server has started itself.
nginx_masters() {
  masters='' candidates=''
  for pid in $(nginx_titled 'master process'); do
    where=$(nginx_place "$pid")
    if [ -n "$where" ]; then masters="$masters $pid:$where"; fi
    if [ "$where" = here ]; then candidates=${candidates:+$candidates }$pid; fi
  done
}

nginx_process() { # PID WHERE
  unit=$(unit_of_process "$1")
  masters_units="$masters_units$1=$unit "
  fact nginx master "$1" "$unit" "$(stat -c %U "/proc/$1")" "$2" "$(nginx_ports "$1")" \
    "$(printf '%.300s' "$(nginx_words "$1")")"
}

# Of several masters those that read a file, else those that serve where WAPT's agents come.
nginx_chosen() { # CONF
  for pid in $candidates; do
    if [ -n "$1" ]; then
      nginx_of "$pid"
      if [ "$(nginx_tested "$(with_nginx -t limited 2>&1)")" -ef "$1" ]; then echo "$pid"; fi
    else
      case " $(nginx_ports "$pid") " in *' 80 '* | *' 443 '*) echo "$pid" ;; esac
    fi
  done
}

# The files that nginx reads, and whether it takes them.
nginx_configuration() { # CONF
  # What it was built with, and what it says of its files, in one.
  names=$({ with_nginx -VT limited 2>&3 && printf '\n# configuration file ok:\n'; } 3>"$errors" | nginx_names)
  version=$(sed -n '1,/^configure arguments:/p' "$errors")
  said=$(sed '1,/^configure arguments:/d' "$errors")
  fact nginx version "$version"
  case $names in
    *ok) names=${names%ok} && fact nginx test ok ;;
    *) fact nginx test "$said" ;;
  esac
  conf=$(nginx_tested "$said")
  conf=${conf:-$1}
  conf=${conf:-$(printf '%s' "$version" | sed -n 's/.*--conf-path=\([^ ]*\).*/\1/p')}
  if [ -n "$1" ] && [ "$1" != "$conf" ] && ! [ "$1" -ef "$conf" ]; then fact nginx given "$1"; fi
  fact nginx conf "$conf"
  disk "${conf%/*}"
  file "$conf"
  while IFS= read -r f; do if [ -n "$f" ]; then file "$f"; fi; done <<END
$names
END
  send_files
}

# What the one that serves runs with, and what tells whether it has read its files since they were changed.
nginx_running() {
  if [ -z "$serving" ]; then return; fi
  workers=$(nginx_workers "$serving")
  # shellcheck disable=SC2046,SC2086 # words
  { nginx_open_files $workers && nginx_lives $workers && stat -c '%n %U' $(in_proc '' $workers) 2>/dev/null; } | awk '
    /^[/]/ { split($1, part, "/"); user[part[3]] = $2; next }
    NF == 3 { limits[$1] = $2 " " $3; next }
    { start[$1] = $2 }
    END { for (pid in limits) if (pid in start) print pid, limits[pid], user[pid], start[pid] }' |
    while read -r pid soft hard user start; do fact nginx worker "$pid" "$soft" "$hard" "$user" "$start"; done
  nginx_queues | while read -r address queue; do fact nginx queue "$address" "$queue"; done
  read -r uptime _ </proc/uptime
  know_hertz
  fact nginx clock "$uptime" "$(date +%s.%N)" "$(sed -n 's/^btime //p' /proc/stat)" "$hertz"
  # A link and what it leads to: either may be new.
  fact nginx changed "$(printf '%s' "$names" | tr '\n' '\0' | limited xargs -0 stat -c '%.9Z %n' 2>/dev/null)" \
    "$(printf '%s' "$names" | tr '\n' '\0' | limited xargs -0 stat -Lc '%.9Z %n' 2>/dev/null)"
  # shellcheck disable=SC2086 # words
  if [ -f "$nginx_marker" ] && nginx_lives $workers | grep -qxF "$(sed 1d "$nginx_marker")"; then
    fact nginx read "$(sed 1q "$nginx_marker")" "$(nginx_digest "$names")"
  fi
}

# How many connections the kernel lets wait at each address; the least where several sockets share it.
nginx_queues() {
  limited ss -ltnH 2>/dev/null | awk '
    { address = $4; sub(/^\*:/, "[::]:", address); sub(/%.*:/, ":", address) }
    !(address in least) || $3 < least[address] { least[address] = $3 }
    END { for (address in least) print address, least[address] }'
}

nginx_queue() { # ADDRESS BACKLOG: behind the reload
  queue=$(nginx_queues | sed -n "s/^$(printf '%s' "$1" | sed 's/[][.]/\\&/g') //p")
  if [ -n "$queue" ] && [ "$queue" -lt "$2" ]; then
    fail refused "$1 has a queue of $queue connections after nginx's reload, not $2: net.core.somaxconn is $(cat /proc/sys/net/core/somaxconn 2>/dev/null)"
  fi
}

nginx_check() { # CONF UNIT FRESH; FRESH is "fresh" where it was seen that nginx has read its files
  nginx_of "$(nginx_master "$2")" "$1" "$2"
  if [ "$3" = fresh ]; then nginx_mark "$2" "$(nginx_reads)"; fi
  # Where nothing can be bound the test comes after the rename and before the reload, in nginx_reload.
  can_bind || return 0
  with_nginx -t try in_place nginx timeout 60
  case $? in
    0) ;;
    99) note "nginx's new configuration could not be tested before it was in place: $1 was being changed" ;;
    *) fail refused "nginx refuses the new configuration: $(reason)" ;;
  esac
}

# In a folder of its own of root's, which a boot takes away.
nginx_mark() { # UNIT DIGEST
  rm -f "$nginx_marker"
  # shellcheck disable=SC2046 # words
  if [ -n "$2" ] && mkdir -p "${nginx_marker%/*}"; then
    { printf '%s\n' "$2" && nginx_lives $(nginx_workers "$(nginx_master "$1")"); } >"$nginx_marker.new" &&
      mv -f "$nginx_marker.new" "$nginx_marker"
  fi 2>/dev/null
}

nginx_reload() { # CONF UNIT NOFILE; NOFILE is "-" when it does not matter
  nginx_unit=$2
  master=$(nginx_master "$2")
  nginx_of "$master" "$1" "$2"
  if ! with_nginx -t try timeout 60; then
    fail refused "nginx refuses its configuration: $(reason)"
  elif [ -z "$master" ]; then
    note_not_reloaded
  elif ! [ "$(nginx_tested "$error")" -ef "$1" ]; then
    fail changed "$2 reads $(nginx_tested "$error") by now, not $1; repeat it"
  else
    on_undo nginx_reload
    reload_nginx "$3" || fail refused "$why"
  fi
}

note_not_reloaded() {
  others=$(nginx_titled 'master process' | while read -r pid; do
    case $(nginx_place "$pid") in here | account) printf ' %s' "$pid" ;; esac
  done)
  if [ -n "$others" ]; then
    note "nginx was not reloaded: its process$others is not the main process of the unit $nginx_unit"
  else
    note "nginx is not running: its configuration is in place, it was not started"
  fi
}

undo_nginx_reload() { reload_nginx - || lost "$why"; }

# As its unit says, else as nginx does.
tell_nginx() {
  if [ "$(timeout 20 systemctl show -p CanReload --value "$nginx_unit" 2>/dev/null)" = no ]; then
    service kill -s HUP --kill-who=main "$nginx_unit"
  else
    service reload "$nginx_unit"
  fi
}

reload_nginx() { # NOFILE
  master=$(nginx_master "$nginx_unit")
  nginx_of "$master" '' "$nginx_unit"
  old=$(nginx_workers "$master")
  digest=$(nginx_reads)
  tell_nginx || return 1
  tries=300
  while now=$(nginx_workers "$(nginx_master "$nginx_unit")") &&
    { [ -z "$now" ] || printf '%s\n' "$now" | grep -qxF "$old"; }; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ]; then
      why="nginx kept its old workers after the reload; its error log says why"
      return 1
    fi
    sleep 0.1
  done
  nginx_mark "$nginx_unit" "$digest"
  if [ "$1" = - ]; then return 0; fi
  # shellcheck disable=SC2086 # words
  other=$(nginx_open_files $now | awk -v nofile="$1" '$2 != nofile { print $1, $2; exit }')
  if [ -n "$other" ]; then
    why="nginx's worker ${other% *} may open ${other#* } files after the reload, not $1"
    return 1
  fi
}
