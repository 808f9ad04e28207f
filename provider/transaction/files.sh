# The files of a transaction: candidates, backups, their renames and what takes them back. A part of apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # root, run, through and the like are apply.sh's and paths.sh's too

file() { # ID PATH SHA256 MODE OWNER SERVICE SPLICE...
  ok || return 0
  making=755
  if walk "$2"; then prepare "$@"; else fail refused "$error"; fi
  making=''
  cd / || exit 1
}

# All that needs space is written before anything is touched.
prepare() { # what file was called with, in the file's folder
  stage=.pulumi-wapt.$run.$1
  eval "folder_$1=\$here name_$1=\$name hash_$1=\$3 path_$1=\$2 service_$1=\$6"
  files="$files $1"
  journal "temporary $root$here/$stage" "temporary $backups${2%/*}/.pulumi-wapt.${2##*/}"
  if [ "$7" = - ]; then note_drop_in "$root$here"; fi
  if ! ok; then
    return
  elif make_stage "$stage"; then
    fill_stage "$@"
  else
    fail refused "$2: no new version can be written beside it: $(reason)"
  fi
}

fill_stage() { # the same, in the stage
  if ! pin "$name"; then
    fail refused "$2 $error"
  elif [ -n "$pinned" ] && ! try copy "$pinned" ./was; then
    fail refused "$2: no new version can be written beside it: $(reason)"
  elif [ "$(hash_of "${pinned:+./was}")" != "$3" ]; then
    # The record changes with each run: another one has ended meanwhile.
    if [ "$2" = /var/lib/pulumi-wapt/record.json ]; then overtaken; fi
    fail changed "$2 was changed by someone else while this run was planned; repeat it"
  elif [ -n "$pinned" ] && ! try keep_old "$2"; then
    fail refused "$2: its old version can't be kept: $(reason)"
  elif [ "$7" != - ] && ! try write_new "$@"; then
    fail refused "$2: no new version can be written beside it: $(reason)"
  fi
  # No longer than that: a file with two names would be taken for one from elsewhere.
  unpin
}

# A folder of drop-ins, NAME.TYPE.d, goes with its last one.
note_drop_in() { case ${1##*/} in *.*.d) journal "temporary $1" ;; esac }

keep_old() { # PATH
  # Where it can be read by its own name alone, a mode that is set anew shows whether it may be changed at all.
  if [ "$pinned" != ./old ]; then chmod "$(stat -c %a "$pinned")" "$pinned" || return 1; fi
  back_up "$backups$1" "$backups${1%/*}/.pulumi-wapt.${1##*/}"
}

# The kept versions of a file, the newest last: in `versions`, and its number in `newest`. Their numbers order them, since a
# clock may be set back; those of 0.1.0 have none and are older.
list_versions() { # BACKUP
  versions='' last='' newest=0
  for last in "$1".[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T*Z "$1".[0-9][0-9][0-9][0-9][0-9][0-9].*T*Z; do
    if [ -e "$last" ]; then versions="$versions$last
"; fi
  done
  last=$(printf %s "$versions" | tail -n 1)
  number=${last#"$1".}
  case $number in
    ??????.*) newest=$(printf %s "${number%%.*}" | sed 's/^0*//') ;;
  esac
}

# From the stage; nobody but root has a hand on the folder of backups.
back_up() { # BACKUP COPY: the last five versions, none twice in a row
  [ -d "${1%/*}" ] || mkdir -p "${1%/*}" || return 1
  list_versions "$1"
  if cmp -s ./was "$last" && [ "$(stat -c '%a %u %g' ./was)" = "$(stat -c '%a %u %g' "$last")" ]; then return; fi
  version=$1.$(printf %06d "$((newest + 1))").$(date -u +%Y%m%dT%H%M%SZ)
  copy ./was "$2" && sync "$2" && mv "$2" "$version" || return 1
  list_versions "$1"
  count=$(printf %s "$versions" | wc -l)
  printf %s "$versions" | while [ "$count" -gt 5 ] && IFS= read -r oldest; do
    rm -f "$oldest"
    count=$((count - 1))
  done
}

# In the stage.
write_new() { # what file was called with
  new_mode=$4 new_owner=$5
  shift 6
  if [ -e ./was ]; then
    # Owner, mode, ACL, extended attributes and SELinux context come with the copy and stay with its new text.
    copy ./was ./new && write_new_text ./new ./was "$@"
  else
    write_new_text ./new /dev/null "$@" && chmod "$new_mode" ./new &&
      if [ -z "$root" ] || [ "$me" = 0 ]; then chown "$new_owner" ./new; fi && sync ./new
  fi
}

# Back into a file's stage. `name` is the file's name, `planned` the hash that was planned on.
# shellcheck disable=SC2154 # set by eval
return_to() { # ID
  eval "folder=\$folder_$1 hidden=\$name_$1 planned=\$hash_$1"
  stage=.pulumi-wapt.$run.$1
  walk "$folder/." || return 1
  name=$hidden
  if into_stage "$stage" && [ -e "./$stage" ]; then return 0; fi
  error="the folder $folder/$stage that this run had made is gone, or someone renamed it"
  return 1
}

put() { # ID PATH
  ok || return 0
  if return_to "$1"; then put_new "$@"; else fail refused "$2: $error"; fi
  cd / || exit 1
}

# What the others need to be small enough: the last to be put back.
put_first() { # ID PATH
  put "$@"
  case " $placed" in *" $1 "*) placed=${placed#"$1 "} placed_first="$placed_first$1 " ;; esac
}

put_new() { # ID PATH, in its stage
  if ! pin "$name"; then
    fail refused "$2 $error"
  elif [ "$(hash_of "$pinned")" != "$planned" ]; then
    fail changed "$2 was changed by someone else during this run; repeat it"
  elif ! { [ ! -e ./new ] || eval "new_hash_$1=\$(hash_of ./new)"; } || ! try replace; then
    fail refused "$2 can't be replaced: $(reason)"
  else
    touched=1
    placed="$1 $placed"
    # By its path, so only where nobody else can change that.
    if [ "$planned$root$through" = - ] && command -v restorecon >/dev/null; then restorecon "$folder/$name"; fi
    sync ..
  fi
  unpin
}

# By a name alone, whatever has that name by now.
replace() {
  if [ ! -e ./new ]; then
    rm -f "../$name"
  elif [ "$planned" != - ]; then
    mv -fT ./new "../$name"
  elif ln ./new "../$name" 2>/dev/null; then
    rm -f ./new
  elif [ -z "$through" ]; then
    mv -fT ./new "../$name"
  else
    ln ./new "../$name"
  fi
}

# The candidates of a service bound over its real files, in a mount namespace that only the command sees. Ends with 99
# where that can't be done.
# shellcheck disable=SC2154 # set by eval
in_place() { # SERVICE COMMAND...
  of=$1 next=3
  shift
  for id in $files; do
    eval "service=\$service_$id"
    if [ "$service" != "$of" ]; then continue; fi
    if ! return_to "$id" || [ "$next" = 9 ]; then return 99; fi
    if [ -e ./new ] && [ -e ./was ]; then
      eval "exec $next<."
      set -- "$folder/$name" "$@"
      next=$((next + 1))
    fi
  done
  cd / || exit 1
  unshare -m sh -c "$bind" sh "$next" "$@"
}

# mount follows a link, which the holder of the folder may lay over the name just then. Where it came to, the kernel says;
# if that is not the file's own place, nothing more is run here, lest it be a program that the candidate lies over. It is
# found out by the shell itself, from a file that was opened before.
# shellcheck disable=SC2016 # expanded by the inner shell
bind='
  while [ "$1" -gt 3 ]; do
    stage=$(($1 - 1)) point=$2
    shift 2
    set -- "$stage" "$@"
    cd -P "/proc/self/fd/$stage" && exec 9</proc/self/mountinfo && mount --bind ./new "$point" || exit 99
    while read -r _ _ _ _ at _; do last=$at; done <&9
    if [ "$last" != "$point" ] || ! [ ./new -ef "$point" ]; then exit 99; fi
  done
  shift
  cd / && exec "$@" 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-'

can_bind() { unshare -m mount --bind "$state" "$state" 2>/dev/null; }

restore_files() {
  for id in $placed; do restore "$id"; done
  for id in $files; do
    case " $placed$placed_first" in
      *" $id "*) ;;
      *) still_stands "$id" || restore "$id" ;;
    esac
  done
  cd / || exit 1
}

restore_first_files() {
  for id in $placed_first; do restore "$id"; done
  cd / || exit 1
}

# shellcheck disable=SC2154 # set by eval
restore() { # ID
  eval "path=\$path_$1"
  left=20
  # Whoever may change the folder may lay something in the way, but not for long.
  until restore_file "$1"; do
    left=$((left - 1))
    if [ "$left" = 0 ]; then
      lost "$path is not as it was ($(reason)); its old version is the newest in $backups"
      return
    fi
  done
}

# Whether a file that was not replaced is a file yet: a service that this run had stopped is to start with it.
still_stands() { # ID
  left=0
  if ! return_to "$1" && ! renew_stage "$1"; then return 0; fi
  if [ -z "$through" ] || [ "$planned" = - ]; then return 0; fi
  pin "$name"
  fit=$?
  unpin
  [ "$fit" = 0 ] && [ -n "$pinned" ]
}

restore_file() { # ID
  return_to "$1" || renew_stage "$1" || return 1
  if [ "$planned" = - ]; then
    try rm -f "../$name" || return 1
  else
    if [ -d "../$name" ] && [ ! -L "../$name" ]; then mv -T "../$name" "../$name.$run.$left" 2>/dev/null; fi
    try mv -fT ./was "../$name" || return 1
  fi
  sync ..
}

# The stage is gone: its holder renamed it. The same version is the newest backup.
# shellcheck disable=SC2154 # set by eval
renew_stage() { # ID
  eval "path=\$path_$1"
  walk "$folder/." || return 1
  journal "temporary $root$folder/$stage.$left"
  name=$hidden
  make_stage "$stage.$left" || return 1
  if [ "$planned" = - ]; then return 0; fi
  list_versions "$backups$path"
  try copy "$last" ./was
}

