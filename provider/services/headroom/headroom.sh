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

# Where uploads may lie: each folder that a file of nginx's names, and the one that nginx was built with.
headroom_folders() {
  # shellcheck disable=SC2154 # observe.sh's: the files that were read
  printf '%s\n' "$sent" | while IFS= read -r f; do
    if is_readable "$f" >/dev/null; then contents "$f"; fi
  done | tr ';' '\n' | sed -n "s/.*client_body_temp_path[[:space:]]*[\"']\{0,1\}\(\/[^;\"'[:space:]]*\).*/\1/p"
  if [ -n "${binary:-}" ]; then
    with_nginx -V limited 2>&1 | tr ' ' '\n' | sed -n 's/^--http-client-body-temp-path=//p'
  fi
}

probe_headroom() { # UNIT...: names and patterns; behind the probe of nginx, which leaves `serving`, and `binary` where it is asked
  headroom_folders | awk '!seen[$0]++' | while IFS= read -r folder; do
    # shellcheck disable=SC2046 # words
    if [ -d "$folder" ]; then fact headroom partition "$folder" $(limited df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { print $2, $3, $4 }'); fi
  done
  if [ -n "${serving:-}" ]; then for pid in $(nginx_workers "$serving"); do headroom_process nginx "$pid"; done; fi
  know_unit_files "$@"
  for unit in $(unit_names "$@"); do
    pid=$(limited systemctl show -p MainPID --value "$unit" 2>/dev/null)
    if [ -d "/proc/${pid:-0}" ]; then headroom_process "$unit" "$pid"; fi
  done
}
