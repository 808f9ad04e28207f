# What is in use now of what is limited: files and connections of processes, and the partition of the uploads. A part of
# observe.sh; it changes nothing.
# shellcheck shell=sh

# Its TCP connections are those of its sockets that do not listen.
headroom_connections() { # PID
  # shellcheck disable=SC2016 # awk's
  { ls -l "/proc/$1/fd" && cat "/proc/$1/net/tcp" "/proc/$1/net/tcp6"; } 2>/dev/null | limited awk '
    /socket:/ { sub(/.*socket:\[/, ""); sub(/\].*/, ""); held[$0] = 1; next }
    $4 != "0A" && ($10 in held) { count++ }
    END { print count + 0 }'
}

headroom_process() { # NAME PID
  # shellcheck disable=SC2012,SC2046 # a number of names; two words
  fact headroom process "$1" "$2" "$(ls "/proc/$2/fd" 2>/dev/null | wc -l)" "$(headroom_connections "$2")" $(open_files "$2")
}

probe_headroom() { # FOLDER MASTER UNIT...: where uploads lie, "" where that is not known; nginx's process, "" where none serves
  if [ -n "$1" ] && [ -d "$1" ]; then
    # shellcheck disable=SC2046 # words
    fact headroom partition "$1" $(limited df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print $2, $3, $4 }')
  fi
  if [ -n "$2" ]; then for pid in $(nginx_workers "$2"); do headroom_process nginx "$pid"; done; fi
  shift 2
  for unit; do
    pid=$(limited systemctl show -p MainPID --value "$unit" 2>/dev/null)
    if [ -d "/proc/${pid:-0}" ]; then headroom_process "$unit" "$pid"; fi
  done
}
