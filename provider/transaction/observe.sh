# Reports what stands on a server, one fact a line, and changes nothing. POSIX sh, for dash and busybox.
# It is sent on stdin to `sh -s`, with the programs of the services that are asked behind it, and then these calls:
#   observe ROOT            ROOT is "" for the server itself
#   probe SERVICE WORD...   what a service's own program finds out, its function probe_SERVICE
#   folder PATH             a folder of the program's choice
#   end_report
# A fact is its fields: its service, its name, its values. Where all of them are printable ASCII it is "=" and the fields
# with a tab between, which costs no process; with tabs and line breaks in them GS and the fields with US between, up to
# RS and a line break; else the base64 of the fields, each ended by a NUL. A file's is "file", its path, and its bytes as
# they are; that of several "files", the size of each, the path of each, and the bytes of all; that of one with secrets
# "masked", its path, the hash of its bytes, and those bytes with all masked that is not ours.
# shellcheck shell=sh

encode() {
  base64 -w0 2>/dev/null || base64 | tr -d '\n'
  printf '\n'
}

tab=$(printf '\t') unit_separator=$(printf '\037')
fact() { # SERVICE NAME VALUE...
  case "$*" in
    *[!"$tab
"\ -~]*)
      printf '%s\0' "$@" | encode
      return
      ;;
    *"$tab"* | *"
"*) IFS=$unit_separator form='\035%s\036\n' ;;
    *) IFS=$tab form='=%s\n' ;;
  esac
  # shellcheck disable=SC2059 # one of the two
  printf "$form" "$*"
  unset IFS
}

# Nothing that is asked for waits longer than that, whatever a file or a program turns out to be.
limited() { timeout 20 "$@"; } # COMMAND...

# The longest configuration file that is read, in bytes.
longest=16777216

contents() { limited head -c "$longest" "$root$1"; } # PATH

is_readable() { # PATH; says why when it is there and is not to be read
  if [ ! -e "$root$1" ] || [ -d "$root$1" ]; then return 1; fi
  if ! found=$(stat -Lc '%s %F' "$root$1" 2>/dev/null); then
    # What went between the two looks is not there.
    if [ ! -e "$root$1" ]; then return 1; fi
    unread "$1" "can't be looked at"
    return
  fi
  size=${found%% *} type=${found#* }
  if [ "${type#regular}" = "$type" ]; then
    unread "$1" "is no file but a $type"
  elif [ "$size" -gt "$longest" ]; then
    unread "$1" "has $size bytes, more than the 16 MiB that are read of a configuration file"
  else
    [ -r "$root$1" ]
  fi
}

asking=base
probe() { # SERVICE WORD...
  asking=$1
  shift
  "probe_$asking" "$@"
}

unread() { # PATH WHY
  fact base unread "$asking" "$1" "$2"
  return 1
}

sent='
'
is_new() { # PATH: once each
  case $sent in *"
$1
"*) return 1 ;; esac
  sent="$sent$1
"
}

# They are sent by send_files, so that one look at all of them tells which may be; not from a subshell.
waiting=''
file() { # PATH, as the server names it; nothing when it can't be read
  if ! is_new "$1"; then return 0; fi
  case $1 in
    *"
"*) unread "$1" "has a line break in its name" || return 0 ;;
  esac
  waiting="$waiting$asking $1
"
}

# What is asked of a service about its files comes behind this: an edit in between then counts as not read yet.
send_files() {
  asked_before=$asking
  on_lines "$waiting" send_each
  asking=$asked_before waiting=''
}

send_each() { # "SERVICE PATH"...
  for f; do
    shift
    asking=${f%% *}
    if [ -f "$root${f#* }" ] && [ -r "$root${f#* }" ]; then set -- "$@" "$f"; else file_alone "${f#* }"; fi
  done
  if [ "$#" -gt 0 ] && ! send_together "$@"; then
    for f; do asking=${f%% *} && file_alone "${f#* }"; done
  fi
}

# Fails, with nothing sent, where they change meanwhile, where one holds a key, and where they are large.
send_together() { # "SERVICE PATH"...
  paths=''
  for f; do
    shift
    paths="$paths${f#* }
"
    set -- "$@" "$root${f#* }"
  done
  sizes=$(limited stat -Lc '%s %i %Z' "$@" 2>/dev/null) && are_small "$sizes" || return 1
  limited grep -q 'PRIVATE KEY-----' "$@"
  if [ "$?" != 1 ]; then return 1; fi
  together=$({ printf 'files\0%s\0%s\0' "$sizes" "$paths" && limited cat "$@"; } 2>/dev/null | encode)
  # Else it is not known where each of them ends: a size is no more than a word, and that of a file of /proc is 0.
  padding=${together##*[!=]}
  if [ "$((${#together} * 3 / 4 - ${#padding}))" != "$((8 + ${#sizes} + ${#paths} + total))" ]; then return 1; fi
  [ "$(limited stat -Lc '%s %i %Z' "$@" 2>/dev/null)" = "$sizes" ] && printf '%s\n' "$together"
}

# The shell holds them, and grep a line as a whole.
are_small() { # SIZES, a line each
  total=0
  while read -r size _; do total=$((total + size)); done <<END
$1
END
  [ "$total" -le 1048576 ]
}

send_file() { # PATH
  { printf 'file\0%s\0' "$1" && contents "$1"; } | encode
  if [ ! -e "$root$1" ]; then fact base gone "$1"; fi
}

file_alone() { # PATH; says why where it is not sent
  if ! is_readable "$1"; then return 0; fi
  if limited grep -q 'PRIVATE KEY-----' "$root$1"; then
    unread "$1" "holds a private key, which never leaves the server"
    return 0
  fi
  send_file "$1"
}

# Of a file with secrets only what is ours leaves the server: its function mask_FORMAT masks byte for byte, from stdin to
# stdout, each comment and each value that is not ours. The file is read once, so that the hash is that of what was masked.
text_of=''
masked() { # PATH FORMAT
  if ! is_new "$1" || ! is_readable "$1"; then return 0; fi
  # shellcheck disable=SC2034 # for those who go on with `text`
  text_of=$1
  text=$(contents "$1" && echo .)
  text=${text%.}
  # A NUL gets lost here.
  if [ "${#text}" != "$size" ]; then
    unread "$1" "has a NUL byte, or was changed while it was read"
    return 0
  fi
  rest=$(printf '%s\n' "$text" | "mask_$2" && echo .)
  rest=${rest%.}
  if [ "${#rest}" != "$size" ]; then
    unread "$1" "can't be masked by this server's awk, so it was not sent"
    return 0
  fi
  hash=$(printf '%s' "$text" | sha256sum)
  printf 'masked\0%s\0%s\0%s' "$1" "${hash%% *}" "$rest" | encode
}

# Of those that do not matter the names leave the server: one takes the place of a file of the same name elsewhere, even
# where it is empty or a link to /dev/null.
silent=''
files_that_name() { # PATTERN FOLDER...: only files that matter leave the server
  pattern=$1 few=''
  shift
  for folder; do
    shift
    for f in "$root$folder"/*.conf; do
      if [ ! -e "$f" ]; then
        continue
      elif [ -f "$f" ]; then
        set -- "$@" "$f"
      elif [ "$(readlink "$f")" = /dev/null ]; then
        silent="$silent${f#"$root"}
"
      else
        is_readable "${f#"$root"}"
      fi
    done
  done
  if [ "$#" = 0 ]; then return 0; fi
  # One look at all of them. Where it has no end, each one is sent or refused by itself.
  naming=$(limited grep -liE "$pattern" "$@" 2>/dev/null) || [ "$?" = 1 ] || few=all
  for f; do
    case "$few
$naming
" in
      all* | *"
$f
"*) file "${f#"$root"}" ;;
      *)
        silent="$silent${f#"$root"}
"
        ;;
    esac
  done
}

free_kilobytes() { # FOLDER: of its file system, for those who are not root
  # shellcheck disable=SC2046 # two words
  set -- $(limited stat -f -c '%a %S' "$1" 2>/dev/null)
  if [ "$#" = 2 ]; then printf '%s' "$(($1 * $2 / 1024))"; fi
}

# They are reported by disks, together.
written_folders=''
disk() { # FOLDER: where something is to be written
  if [ -d "$root$1" ]; then written_folders="$written_folders$root$1
"; fi
}

# Where one of them never answers, each one is asked by itself.
disks() {
  answers=$(on_lines "$written_folders" limited stat -f -c '%a %S %n' 2>/dev/null)
  on_lines "$written_folders" each_disk
}

# Root may write anywhere but on what is mounted read-only, and -w tells that.
each_disk() { # FOLDER...
  for folder; do
    access=read-only free=''
    if [ -w "$folder" ]; then access=writable; fi
    while read -r blocks size name; do
      if [ "$name" = "$folder" ]; then free=$((blocks * size / 1024)); fi
    done <<END
$answers
END
    if [ -z "$free" ]; then free=$(free_kilobytes "$folder"); fi
    fact base disk "${folder#"$root"}" "$free" "$access"
  done
}

folder() { # PATH: what it is, whose, what is in it, and the space where it is or would be
  mode='' owner='' ids='' type=missing
  real=$(readlink -f "$root$1") || real=$root$1
  if found=$(limited stat -c '%a %U %u:%g %F' "$real" 2>/dev/null); then
    mode=${found%% *} found=${found#* }
    owner=${found%% *} found=${found#* }
    ids=${found%% *} type=${found#* }
    ask_package "${real#"$top"}"
  fi
  parent=$real
  while [ ! -d "$parent" ] && [ "$parent" != "${parent%/*}" ]; do parent=${parent%/*}; done
  free=$(free_kilobytes "${parent:-/}")
  # shellcheck disable=SC2012 # the first names, for a message
  entries=$(ls -A "$real" 2>/dev/null | head -n 5)
  fact base folder "$1" "$mode" "$owner" "$type" "$free" "$ids" "${real#"$top"}" "$entries"
}

# The package that a folder belongs to. dpkg is asked once, in packages_and_own_files.
of_folders=''
ask_package() { # PATH
  if [ -n "$root" ]; then
    return
  elif has_dpkg; then
    of_folders="$of_folders$1
"
  else
    fact base package "$1" "$(package_of_rpm "$1")"
  fi
}

package_of_rpm() { # PATH; nothing where no package has it, which rpm says by its status
  if command -v rpm >/dev/null && found=$(limited rpm -qf --qf '%{NAME}\n' "$1" 2>/dev/null); then
    printf '%s\n' "$found" | sed -n '1s/^\([A-Za-z0-9][^ ,:]*\).*/\1/p'
  fi
}

has_dpkg() { [ -d "$root/var/lib/dpkg/info" ]; }

open_files() { # PID: its soft and hard limit, two words
  awk '/^Max open files/ { print $4, $5 }' "/proc/$1/limits" 2>/dev/null
}

observe() { # ROOT
  export LC_ALL=C
  # What root runs is found where root alone can put it, whatever the login says.
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  cd / || exit 1
  root=$1
  top=${root:+$(readlink -f "$root")}
  errors=$(mktemp) || exit 1
  trap 'rm -f "$errors"' EXIT
  fact base user "$(id -u)" "$(id -un)"
  if is_readable /etc/machine-id; then fact base machine-id "$(contents /etc/machine-id)"; fi
  fact base boot "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
  fact base node "$(uname -n)"
  file /var/lib/pulumi-wapt/record.json
  if is_readable /var/lib/pulumi-wapt/journal; then fact base journal "$(contents /var/lib/pulumi-wapt/journal)"; fi
  disk /var/lib
  disk /var/backups
}

# A file of a folder *.d that no package has is the administrator's own, unless it leads out of /etc. Where neither dpkg nor
# rpm says whose the files are, none is.
packages_and_own_files() { on_lines "$of_folders" packages_of_these_and_own; }

packages_of_these_and_own() { # FOLDER...
  folders=$#
  while IFS= read -r f; do
    case $f in /etc/*.d/*.conf) ;; *) continue ;; esac
    if [ -f "$root$f" ] && stays_in_etc "$f"; then set -- "$@" "$f"; fi
  done <<END
$sent
END
  if [ "$#" = 0 ]; then return; fi
  if has_dpkg; then
    of_packages=$(limited dpkg ${root:+"--admindir=$root/var/lib/dpkg"} -S "$@" 2>/dev/null)
    case $? in 0 | 1) ;; *) return ;; esac
    while [ "$folders" -gt 0 ]; do
      package=$(printf '%s\n' "$1" | packages_of | sed '/^ /d')
      fact base package "$1" "${package:-$(package_of_rpm "$1")}"
      folders=$((folders - 1))
      shift
    done
    if [ "$#" -gt 0 ]; then fact base own "$(printf '%s\n' "$@" | packages_of | sed -n 's/^ //p')"; fi
  else
    fact base own "$(limited rpm ${root:+--root "$root"} -qf "$@" 2>/dev/null | sed -n 's/^file \(.*\) is not owned by any package$/\1/p')"
  fi
}

# Without a link it does.
stays_in_etc() { # PATH in it
  step=$1
  case $1 in */../*) step='' ;; esac
  while [ -n "$step" ] && [ "$step" != /etc ] && ! [ -L "$root$step" ]; do step=${step%/*}; done
  if [ "$step" = /etc ] && ! [ -L "$root/etc" ]; then return 0; fi
  case $(readlink -f "$root$1") in "$top"/etc/*) ;; *) return 1 ;; esac
}

# Reads paths and prints the first package of each; for one of no package, a blank and its path. dpkg's lines are
# "PACKAGE, PACKAGE: PATH".
packages_of() {
  packages=$of_packages awk '
    BEGIN {
      count = split(ENVIRON["packages"], lines, "\n")
      for (at = 1; at <= count; at++) {
        path = lines[at]
        sub(/^[^\/]*: /, "", path)
        match(lines[at], /^[a-z0-9][^ ,:]*/)
        known[path] = substr(lines[at], 1, RLENGTH)
      }
    }
    { print ($0 in known) ? known[$0] : " " $0 }'
}

end_report() {
  send_files
  disks
  packages_and_own_files
  fact base names "$silent"
  fact base end
}
