# nginx: what it reads and runs with, its test of a candidate, its reload. A part of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # root, errors and why are theirs

nginx_workers() { # MASTER: PIDs of its workers that are not on their way out
  grep -l '^nginx: worker process' /proc/[0-9]*/cmdline 2>/dev/null | while IFS= read -r f; do
    pid=${f#/proc/} && pid=${pid%/cmdline}
    if ! grep -q 'shutting down' "$f" 2>/dev/null && grep -q "^PPid:.$1\$" "/proc/$pid/status" 2>/dev/null; then
      printf '%s\n' "$pid"
    fi
  done
}

nginx_master() { timeout 20 systemctl show -p MainPID --value nginx 2>/dev/null; }

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
  if [ -n "$root" ] || ! command -v nginx >/dev/null 2>&1; then
    conf=${1:-/etc/nginx/nginx.conf}
    fact nginx conf "$conf"
    nginx_file "$conf"
    disk "${conf%/*}"
    return
  fi
  fact nginx version "$(limited nginx -V 2>&1)"
  if [ -n "$1" ]; then set -- "$1" -c "$1"; else set -- ''; fi
  conf=$1
  shift
  # -T prints every file's text; only their names are kept here, since the text is not told apart reliably.
  dump=$({ limited nginx -T "$@" 2>&3 | sed -n 's/^# configuration file \(.*\):$/\1/p'; } 3>"$errors")
  if limited nginx -t -q "$@" 2>/dev/null; then
    fact nginx test ok
  else
    fact nginx test "$(cat "$errors")"
  fi
  conf=${conf:-$(limited nginx -V 2>&1 | sed -n 's/.*--conf-path=\([^ ]*\).*/\1/p')}
  fact nginx conf "$conf"
  disk "${conf%/*}"
  file "$conf"
  printf '%s\n' "$dump" | while IFS= read -r f; do file "$f"; done
  master=$(nginx_master)
  if [ -n "$master" ] && [ "$master" != 0 ]; then
    # shellcheck disable=SC2046 # two words
    for pid in $(nginx_workers "$master"); do fact nginx worker "$pid" $(open_files "$pid"); done
  fi
}

nginx_check() { # CONF
  # Where nothing can be bound the test comes after the rename and before the reload, in nginx_reload.
  can_bind || return 0
  try in_place nginx timeout 60 nginx -t -q -c "$1"
  case $? in
    0) ;;
    99) note "nginx's new configuration could not be tested before it was in place: $1 was being changed" ;;
    *) fail refused "nginx refuses the new configuration: $(reason)" ;;
  esac
}

nginx_reload() { # CONF NOFILE; NOFILE is "-" when it does not matter
  if ! try timeout 60 nginx -t -q -c "$1"; then
    fail refused "nginx refuses its configuration: $(reason)"
  elif ! is_running nginx; then
    note "nginx is not running: its configuration is in place, it was not started"
  else
    on_undo nginx_reload
    reload_nginx "$2" || fail refused "$why"
  fi
}

undo_nginx_reload() { reload_nginx - || lost "$why"; }

reload_nginx() { # NOFILE
  old=$(nginx_workers "$(nginx_master)")
  service reload nginx || return 1
  tries=300
  while now=$(nginx_workers "$(nginx_master)") &&
    { [ -z "$now" ] || printf '%s\n' "$now" | grep -qxF "$old"; }; do
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
