# Reports what stands on a server, one fact a line, and changes nothing. POSIX sh, for dash and busybox.
# It is sent on stdin to `sh -s`, with the programs of the services that are asked behind it, and then these calls:
#   observe ROOT            ROOT is "" for the server itself
#   probe_SERVICE WORD...   what a service's own program finds out
#   folder PATH             a folder of the program's choice
#   end_report
# A line is the base64 of a fact's fields, each ended by a NUL: its service, its name, its values. A file's is
# "file", its path, and its bytes as they are.
# shellcheck shell=sh

encode() {
  base64 -w0 2>/dev/null || base64 | tr -d '\n'
  printf '\n'
}

fact() { printf '%s\0' "$@" | encode; } # SERVICE NAME VALUE...

sent='
'
file() { # PATH, as the server names it; once, and nothing when it can't be read
  case $sent in *"
$1
"*) return ;; esac
  sent="$sent$1
"
  if [ -f "$root$1" ] && [ -r "$root$1" ]; then
    { printf 'file\0%s\0' "$1" && cat "$root$1"; } | encode
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

# Root may write anywhere but on what is mounted read-only, and -w tells that.
disk() { # FOLDER: where something is to be written
  if [ -d "$root$1" ]; then
    access=read-only
    if [ -w "$root$1" ]; then access=writable; fi
    fact base disk "$1" "$(df -Pk "$root$1" | awk 'NR == 2 { print $4 }')" "$access"
  fi
}

folder() { # PATH
  mode='' owner='' type=missing
  if found=$(stat -c '%a %U %F' "$root$1" 2>/dev/null); then
    mode=${found%% *} owner=${found#* }
    type=${owner#* } owner=${owner%% *}
  fi
  parent=$root$1
  while [ ! -d "$parent" ] && [ "$parent" != "${parent%/*}" ]; do parent=${parent%/*}; done
  fact base folder "$1" "$mode" "$owner" "$type" "$(df -Pk "${parent:-/}" | awk 'NR == 2 { print $4 }')"
}

open_files() { # PID: its soft and hard limit, two words
  awk '/^Max open files/ { print $4, $5 }' "/proc/$1/limits" 2>/dev/null
}

observe() { # ROOT
  export LC_ALL=C
  # What root runs is found where root alone can put it, whatever the login says.
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  cd / || exit 1
  root=$1
  errors=$(mktemp) || exit 1
  trap 'rm -f "$errors"' EXIT
  fact base user "$(id -u)" "$(id -un)"
  fact base machine-id "$(cat "$root/etc/machine-id" 2>/dev/null)"
  file /var/lib/pulumi-wapt/record.json
  fact base journal "$(cat "$root/var/lib/pulumi-wapt/journal" 2>/dev/null)"
  disk /var/lib
  disk /var/backups
}

end_report() { fact base end; }
