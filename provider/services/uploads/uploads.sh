# The folder of nginx's uploads as nginx sees it: in the file systems of its service, as the user of its workers. A part
# of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154,SC3013 # root and serving are theirs; dash and busybox have -ef

# Every step of the path is the service's own, since it is walked from the root that the service sees.
# shellcheck disable=SC2016 # expanded by the inner shell
nginx_user_may() { # MASTER USER PATH: -x and -w, as far as it may
  (cd "/proc/$1/root" 2>/dev/null &&
    timeout 20 runuser -u "$2" -- sh -c 'for t in -x -w; do if test "$t" "$1"; then printf " %s" "$t"; fi; done' sh ".$3" 2>/dev/null)
}

probe_uploads() { # PATH...: after probe_nginx, which says what serves
  if [ -n "$root" ] || [ -z "$serving" ]; then return; fi
  user=$(for pid in $workers; do stat -c %U "/proc/$pid" 2>/dev/null && break; done)
  for path; do uploads_view "$(readlink -f "$path" || printf '%s' "$path")"; done
  fact uploads confined "$(limited systemctl show -p ProtectSystem -p ProtectHome -p ReadOnlyPaths -p InaccessiblePaths \
    -p TemporaryFileSystem -p BindPaths -p BindReadOnlyPaths -p PrivateTmp "$serving_unit" 2>/dev/null)"
}

uploads_view() { # its real path, for the `path` that was asked for
  there=$1
  until [ -d "${there:-/}" ]; do there=${there%/*}; done
  there=${there:-/}
  seen=other access=read-only here=read-only enters=no writes=no
  if [ "/proc/$serving/root$there" -ef "$there" ]; then seen=same; fi
  if [ -w "/proc/$serving/root$there" ]; then access=writable; fi
  if [ -w "$there" ]; then here=writable; fi
  may=$(nginx_user_may "$serving" "$user" "$there")
  case $may in *-x*) enters=yes ;; esac
  case $may in *-w*) writes=yes ;; esac
  fact uploads view "$path" "$there" "$seen" "$access" "$here" "$user" "$enters" "$writes"
}

uploads_check() { # PATH USER UNIT: the folder, which is as it shall be by now
  master=$(nginx_master "$3")
  if [ -z "$master" ]; then return; fi
  real=$(readlink -f "$1")
  if ! [ "/proc/$master/root$real" -ef "$real" ]; then
    fail refused "$1: the unit $3 hides it from nginx, which sees another folder there (systemctl cat $3)"
    return
  fi
  # A login of that user may print something before.
  case $(nginx_user_may "$master" "$2" "$real") in *" -x -w") return ;; esac
  fail refused "$1: nginx's user $2 can't write there as the unit $3 lets it see the folder (systemctl cat $3)"
}
