# A transaction on a server: all files and services take the new values, or all have the old ones again.
# POSIX sh, for dash and busybox. It is sent on stdin to `sh -s` with splice.sh and the programs of the services that it
# acts on behind it, and then one brace group, so that a connection cut half-way runs nothing, of these calls in this order:
#   begin ROOT WAIT HOLDER JOURNAL SERVICE...   lock the server; ROOT is "" for the server itself; JOURNAL is the hash of
#                                   what, as was planned on, earlier runs had left to do
#   space PATH KILOBYTES WANTED
#   file ID PATH SHA256 MODE OWNER SPLICE...   write a candidate beside PATH; SHA256 is what was planned on, "-" for none;
#                                   a splice is OFFSET LENGTH BASE64, as new_text takes it; "-" alone removes the file
#   pending STEP...                 what a crash from here on leaves to do
#   put ID PATH, folder, remove_folder, return_folder
#   step SERVICE VERB WORD...       a check or an action of a service: its function SERVICE_VERB
#   finish                          forget the old files, or put everything back when a step failed
# A step that changes something says on_undo, or on_undo_last, with the name of what takes it back: undo_NAME.
# It reports "note BASE64" and at its end "result WORD BASE64".
# shellcheck shell=sh

failed='' result='' error='' unrestored=''
locked='' earlier='' settled='' touched='' files='' placed='' made='' folders='' watcher='' services=''
undo_first='' undo_last=''

ok() { [ -z "$failed" ]; }

report() { # WORD TEXT
  {
    printf '%s ' "$1"
    printf '%s' "$2" | base64 | tr -d '\n'
    printf '\n'
  } 2>/dev/null
}

note() { report note "$1"; }

# The first failure counts; every later step then does nothing.
fail() { # RESULT TEXT
  if ok; then
    result=$1
    failed=$2
  fi
}

# Runs a command and keeps what it complains of. The lock is not handed on, lest a child that outlives this run holds it.
try() { error=$("$@" 2>&1 >/dev/null 9>&-); }

reason() { printf '%s' "$error" | tr '\n' ' ' | cut -c1-600; }

hash_of() { if [ -e "$1" ]; then sha256sum <"$1" | cut -d' ' -f1; else echo -; fi; }

begin() { # ROOT WAIT HOLDER JOURNAL SERVICE...
  trap '' HUP PIPE INT
  trap 'fail refused "this run was told to end (SIGTERM)"' TERM
  export LC_ALL=C
  PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
  umask 077
  cd / || exit 1
  root=$1
  inside=${root:+$(readlink -f "$root")}
  state=$root/var/lib/pulumi-wapt
  backups=$root/var/backups/pulumi-wapt
  if ! try mkdir -p "$state" || ! try open_for_writing "$state/lock"; then
    fail refused "$state can't be written: $(reason)"
  else
    exec 9<>"$state/lock"
    lock "$2" "$3"
    planned=$4
    shift 4
    services=$*
    if [ -n "$locked" ]; then
      watch_over_run
      recover "$planned"
    fi
  fi
}

open_for_writing() { true >>"$1"; }

lock() { # SECONDS HOLDER
  left=$1
  until flock -n 9; do
    if [ "$left" -le 0 ]; then
      fail busy "another run has held the server's lock for $1 s: $(cat "$state/lock"). Wait for it to end, then repeat"
      return
    fi
    left=$((left - 1))
    sleep 1
  done
  locked=1
  printf '%s, since %s\n' "$2" "$(date -u +%FT%TZ)" >"$state/lock"
}

# A run that was cut off left its journal: its temporary files go, what it had still to do is in this run's plan.
recover() { # JOURNAL
  earlier=$(grep -v '^temporary ' "$state/journal" 2>/dev/null)
  if [ "$(printf '%s' "$earlier" | sha256sum | cut -d' ' -f1)" != "$1" ]; then
    fail changed "another run was at work on the server while this one was planned; repeat it"
  fi
  try clear_away || fail refused "$state/journal can't be written: $(reason)"
}

clear_away() {
  rm -f "$state/journal.new"
  if [ ! -f "$state/journal" ]; then return; fi
  # Backwards, so that a folder comes after what is in it.
  sed -n 's/^temporary //p' "$state/journal" | sort -r | while IFS= read -r f; do
    # Whatever the journal says, no file but of our own name goes.
    case ${f##*/} in .pulumi-wapt.*) rm -f "$f" ;; *) rmdir "$f" 2>/dev/null ;; esac
  done
  write_journal "$(grep -v '^temporary ' "$state/journal")"
}

# When this run is killed its temporary files go all the same, and each service may do what should not wait for the next.
watch_over_run() {
  (
    exec 9>&- >/dev/null 2>&1
    while kill -0 $$; do sleep 1; done
    exec 9<>"$state/lock"
    # Another run may have gone on from here; then there is nothing left.
    flock 9
    clear_away
    exec 9>&-
    for service in $services; do
      if command -v "after_kill_$service"; then "after_kill_$service"; fi
    done
  ) &
  watcher=$!
}

write_journal() { # LINES
  if [ -z "$1" ]; then
    rm -f "$state/journal"
  else
    # By cat, since printf does not say why it can't write. Without the folder a crash undoes the rename.
    printf '%s\n' "$1" | cat >"$state/journal.new" && sync "$state/journal.new" &&
      mv -f "$state/journal.new" "$state/journal" && sync "$state"
  fi
}

# Whole each time: a line that is there in part would name another file or service.
add_to_journal() {
  lines=$({ [ ! -f "$state/journal" ] || cat "$state/journal"; } && printf '%s\n' "$@") && write_journal "$lines"
}

# What a crash must not forget is on disk before it is done.
journal() { # LINE...
  try add_to_journal "$@" || fail refused "$state/journal can't be written: $(reason)"
}

# What is left to do: of an earlier run's all that was not in this one when it went well, else all of it. Folders that it
# had made and that are nobody's were in this one's plan.
close_journal() {
  if [ -z "$result" ]; then earlier=$(printf '%s\n' "$earlier" | grep -v '^made ' | grep -vxF "$settled"); fi
  if [ "$result" != broken ]; then write_journal "$earlier"; fi
}

# A line of the journal that is no longer true when this run went well.
settle() { # LINE
  settled="$settled$1
"
}

pending() { # STEP...
  for name; do
    settle "pending $name"
    if ok; then journal "pending $name"; fi
  done
}

step() { # SERVICE VERB WORD...
  ok || return 0
  name=$1_$2
  shift 2
  "$name" "$@"
}

# Once each, in the order in which it was done; those of on_undo_last come behind all others.
on_undo() { # NAME
  touched=1
  case " $undo_first " in *" $1 "*) ;; *) undo_first="$undo_first $1" ;; esac
}

on_undo_last() { # NAME
  touched=1
  case " $undo_last " in *" $1 "*) ;; *) undo_last="$undo_last $1" ;; esac
}

make_parents() { # FOLDER: with each one made remembered, outermost last
  if ! ok || [ -z "$1" ] || [ -d "$1" ]; then return 0; fi
  make_parents "${1%/*}"
  journal "temporary $1"
  ok || return 0
  if try mkdir -m 755 "$1"; then
    made="$1
$made"
  else
    fail refused "the folder $1 can't be made: $(reason)"
  fi
}

file() { # ID PATH SHA256 MODE OWNER SPLICE...
  ok || return 0
  make_parents "$root${2%/*}"
  ok || return 0
  # A link is edited where it leads.
  if ! target=$(readlink -f "$root$2"); then
    fail refused "$2 is a link that leads nowhere"
    return
  fi
  case $target in "$inside"/*) ;; *) fail refused "$2 is a link out of $root" ;; esac
  stem=${target%/*}/.pulumi-wapt.$1.${target##*/}
  eval "target_$1=\$target hash_$1=\$3 old_$1=\$stem.old candidate_$1="
  if [ "$(hash_of "$target")" != "$3" ]; then
    fail changed "$2 was changed by someone else while this run was planned; repeat it"
  fi
  ok || return 0
  files="$files $1"
  copy=$backups${2%/*}/.pulumi-wapt.${2##*/}
  journal "temporary $stem.old" "temporary $stem.new" "temporary $copy"
  if [ "$6" = - ]; then note_drop_in "${target%/*}"; fi
  if ok && [ -e "$target" ] && ! try keep_old "$2" "$target" "$stem.old" "$copy"; then
    fail refused "$2: its old version can't be kept: $(reason)"
  elif ok && [ "$6" != - ]; then
    eval "candidate_$1=\$stem.new"
    path=$2 mode=$4 owner=$5
    shift 5
    if ! try write_candidate "$target" "$stem.new" "$mode" "$owner" "$@"; then
      fail refused "$path: no new version can be written beside it: $(reason)"
    fi
  fi
}

# A folder of drop-ins, NAME.TYPE.d, goes with its last one.
note_drop_in() { case ${1##*/} in *.*.d) journal "temporary $1" ;; esac }

# All that needs space is written before anything is touched.
keep_old() { # PATH TARGET OLD COPY
  back_up "$backups$1" "$2" "$4" && rm -f "$3" &&
    # Where no link can be made a mode that is set anew shows whether the file may be changed at all.
    { ln "$2" "$3" || { cp -a "$2" "$3" && chmod "$(stat -c %a "$2")" "$2"; }; }
}

back_up() { # BACKUP TARGET COPY: the last five versions, none twice in a row
  mkdir -p "${1%/*}" || return 1
  for last in "$1".[0-9]*T[0-9]*Z; do :; done
  if cmp -s "$2" "$last" && [ "$(stat -c '%a %u %g' "$2")" = "$(stat -c '%a %u %g' "$last")" ]; then return; fi
  # Names sort by age: what was made in this second already has this second's.
  until name=$1.$(date -u +%Y%m%dT%H%M%SZ) && [ ! -e "$name" ]; do sleep 0.2; done
  cp -a "$2" "$3" && sync "$3" && mv "$3" "$name" || return 1
  set -- "$1".[0-9]*T[0-9]*Z
  while [ "$#" -gt 5 ]; do
    rm -f "$1"
    shift
  done
}

write_candidate() { # TARGET CANDIDATE MODE OWNER SPLICE...
  target=$1 new=$2 mode=$3 owner=$4
  shift 4
  rm -f "$new"
  if [ -e "$target" ]; then
    # Owner, mode, ACL, extended attributes and SELinux context come with the copy and stay with its new text.
    cp -a "$target" "$new" && write_new_text "$new" "$target" "$@"
  else
    write_new_text "$new" /dev/null "$@" && chmod "$mode" "$new" &&
      if [ -z "$root" ] || [ "$(id -u)" = 0 ]; then chown "$owner" "$new"; fi && sync "$new"
  fi
}

# shellcheck disable=SC2154 # set by eval
put() { # ID PATH
  ok || return 0
  eval "target=\$target_$1 new=\$candidate_$1 planned=\$hash_$1"
  if [ "$(hash_of "$target")" != "$planned" ]; then
    fail changed "$2 was changed by someone else during this run; repeat it"
  elif ! if [ -n "$new" ]; then try mv -f "$new" "$target"; else try rm -f "$target"; fi; then
    fail refused "$2 can't be replaced: $(reason)"
  else
    touched=1
    placed="$1 $placed"
    if [ "$planned" = - ] && [ -z "$root" ] && command -v restorecon >/dev/null; then restorecon "$target"; fi
    sync "${target%/*}"
  fi
}

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

existing_folder() { # PATH: itself, or the nearest above it
  set -- "$root$1"
  until [ -d "${1:-/}" ]; do set -- "${1%/*}"; done
  printf '%s' "${1:-/}"
}

space() { # PATH KILOBYTES WANTED
  ok || return 0
  free=$(df -Pk "$(existing_folder "$1")" 2>/dev/null | awk 'NR == 2 { print $4 }')
  if [ "${free:-0}" -lt "$2" ]; then
    fail refused "$1: its partition has $((${free:-0} / 1024)) MiB free, minFree asks for $3"
  fi
}

# Before nginx is asked: its test would make the folder, too.
folder() { # PATH MODE OWNER SELINUX_TYPE
  ok || return 0
  path=$root$1
  parent=${path%/*}
  if [ ! -d "${parent:-/}" ]; then
    fail refused "$1: the folder ${1%/*} does not exist; mount or make it first"
  elif [ -e "$path" ] && [ ! -d "$path" ]; then
    fail refused "$1 is there and is no folder"
  elif [ -z "$root" ] && ! runuser -u "${3%:*}" -- test -x "${parent:-/}"; then
    fail refused "$1: the user ${3%:*} can't enter ${parent:-/}; give it the right to (chmod o+x)"
  elif [ -d "$path" ]; then
    touched=1
    folders="$folders$(stat -c '%a %u:%g' "$path") $path
"
    own_folder "$path" "$2" "$3" "$4"
  else
    make_folder "$1" "$2" "$3" "$4"
  fi
}

make_folder() { # PATH MODE OWNER SELINUX_TYPE SELINUX_TYPE
  journal "made $path"
  ok || return 0
  if try mkdir -m "$2" "$path"; then
    made="$path
$made"
    own_folder "$path" "$2" "$3" "$4"
  else
    fail refused "$1 can't be made: $(reason)"
  fi
}

own_folder() { # PATH MODE OWNER SELINUX_TYPE SELINUX_TYPE
  ids=$3
  # An image has users of its own, which this machine may not know.
  if [ -n "$root" ]; then ids=$(awk -F: -v user="${3%:*}" '$1 == user { print $3 ":" $4 }' "$root/etc/passwd" 2>/dev/null); fi
  if [ -z "$ids" ]; then
    note "$1: $root/etc/passwd has no user ${3%:*}, so the owner was left as it is"
  elif [ "$(id -u)" = 0 ] && ! try chown "$ids" "$1"; then
    fail refused "$1: $(reason)"
  fi
  try chmod "$2" "$1" || fail refused "$1: $(reason)"
  if [ -z "$root" ] && command -v selinuxenabled >/dev/null && selinuxenabled; then chcon -t "$4" "$1"; fi
}

remove_folder() { # PATH: one that a resource made, when nothing is in it
  if ! ok || [ ! -d "$root$1" ]; then return 0; fi
  was="$(stat -c '%a %u:%g' "$root$1") $root$1"
  if rmdir "$root$1" 2>/dev/null; then
    touched=1
    folders="$folders$was
"
  else
    note "$1 is not empty: left as it is"
  fi
}

return_folder() { # PATH MODE OWNER: one that stood there first, where it is still as a run left it
  if ! ok || [ ! -d "$root$1" ]; then return 0; fi
  folders="$folders$(stat -c '%a %u:%g' "$root$1") $root$1
"
  touched=1
  if ! { try chown "$3" "$root$1" && try chmod "$2" "$root$1"; }; then fail refused "$1: $(reason)"; fi
}

lost() { unrestored="$unrestored $1."; }

# shellcheck disable=SC2154 # set by eval
restore_files() {
  for id in $placed; do
    eval "target=\$target_$id old=\$old_$id planned=\$hash_$id"
    if ! if [ "$planned" = - ]; then try rm -f "$target"; else try mv -f "$old" "$target"; fi; then
      lost "$target is not as it was ($(reason)); its old version is the newest in $backups"
    fi
    sync "${target%/*}"
  done
}

restore_folder() { # MODE OWNER PATH
  if [ -z "$1" ]; then return 0; fi
  if ! { { [ -d "$3" ] || try mkdir "$3"; } && try chown "$2" "$3" && try chmod "$1" "$3"; }; then
    lost "the folder $3 is not as it was: $(reason)"
  fi
}

restore_folders() {
  while read -r mode owner path; do restore_folder "$mode" "$owner" "$path"; done <<END
$folders
END
}

# Puts back what was changed, then activates it again. Each part is tried, whatever becomes of the others.
undo() {
  restore_files
  restore_folders
  for name in $undo_first $undo_last; do "undo_$name"; done
  if [ -z "$unrestored" ]; then
    failed="$failed. Everything was put back as it was"
  else
    result=broken
    failed="$failed. Putting everything back failed too:$unrestored"
  fi
}

remove_made() { printf '%s' "$made" | while IFS= read -r f; do rmdir "$f"; done; }

finish() {
  trap '' TERM
  if ! ok && [ -n "$touched" ]; then undo; fi
  if [ -n "$locked" ]; then
    clear_away 2>/dev/null
    if ! ok; then remove_made 2>/dev/null; fi
    close_journal 2>/dev/null
    true >"$state/lock"
    kill "$watcher"
  fi
  report result "${result:-ok} $failed"
}
