# The folders of a transaction, and the space that they need. A part of apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # root, made, through and the like are apply.sh's and paths.sh's too

existing_folder() { # PATH: itself, or the nearest above it
  set -- "$root$1"
  until [ -d "${1:-/}" ]; do set -- "${1%/*}"; done
  printf '%s' "${1:-/}"
}

space() { # PATH KILOBYTES WANTED
  ok || return 0
  free=$(timeout 60 df -Pk "$(existing_folder "$1")" 2>/dev/null | awk 'NR == 2 { print $4 }')
  if [ "${free:-0}" -lt "$2" ]; then
    fail refused "$1: its partition has $((${free:-0} / 1024)) MiB free, minFree asks for $3"
  fi
}

# Before nginx is asked: its test would make the folder, too.
folder() { # PATH MODE OWNER SELINUX_TYPE
  ok || return 0
  if ! walk "$1"; then
    fail refused "$1: $error"
  elif [ -z "$root" ] && ! timeout 60 runuser -u "${3%:*}" -- test -x "${here:-/}"; then
    fail refused "$1: the user ${3%:*} can't enter ${here:-/}; give it the right to (chmod o+x)"
  elif [ -d "./$name" ]; then
    take_folder "$@"
  elif [ -e "./$name" ]; then
    fail refused "$1 is there and is no folder"
  else
    make_folder "$@"
  fi
  cd / || exit 1
}

take_folder() { # PATH MODE OWNER SELINUX_TYPE
  if ! step_into "$name"; then
    fail refused "$1: $error"
  elif is_doubtful; then
    fail refused "$1 is root's and not empty, and its name is one that $holder can change: give it its owner yourself"
  else
    touched=1
    folders="$folders$mode $owner:$group $node $here
"
    own_folder "$@"
  fi
}

# Whether the folder that was entered is one of root's to which the holder of its name may have given it a moment ago.
is_doubtful() { [ -n "$through" ] && ours "$owner" && [ -n "$(ls -A)" ]; }

make_folder() { # PATH MODE OWNER SELINUX_TYPE
  journal "made $root$here/$name"
  ok || return 0
  if ! try mkdir -m "$2" "./$name"; then
    fail refused "$1 can't be made: $(reason)"
    return
  fi
  made="$here/$name
$made"
  if ! step_into "$name" || ! ours "$owner" || [ -n "$(ls -A)" ]; then
    fail refused "$1 was changed by $holder as soon as it was made"
  else
    own_folder "$@"
  fi
}

# The folder that was entered. With five digits chmod takes away what a folder above has handed down (set-group-id).
own_folder() { # PATH MODE OWNER SELINUX_TYPE
  ids=$3
  # What is given away must be judged again.
  known='
'
  # An image has users of its own, which this machine may not know.
  # shellcheck disable=SC2016 # awk's
  if [ -n "$root" ]; then ids=$(timeout 60 awk -F: -v user="${3%:*}" '$1 == user { print $3 ":" $4 }' "$root/etc/passwd" 2>/dev/null); fi
  if [ -z "$ids" ]; then
    note "$1: $root/etc/passwd has no user ${3%:*}, so the owner was left as it is"
  elif [ "$me" = 0 ] && ! try chown "$ids" .; then
    fail refused "$1: $(reason)"
  fi
  try chmod "00$2" . || fail refused "$1: $(reason)"
  if [ -z "$root" ] && command -v selinuxenabled >/dev/null && selinuxenabled; then chcon -t "$4" .; fi
}

remove_folder() { # PATH: one that a resource made, when nothing is in it
  if ! ok || ! walk "$1" || [ ! -d "./$name" ]; then
    cd / || exit 1
    return 0
  fi
  look "./$name"
  if rmdir "./$name" 2>/dev/null; then
    touched=1
    folders="$folders$mode $owner:$group - $here/$name
"
  else
    note "$1 is not empty: left as it is"
  fi
  cd / || exit 1
}

return_folder() { # PATH MODE OWNER: one that stood there first
  ok || return 0
  if walk "$1" && [ -d "./$name" ]; then
    if ! step_into "$name"; then
      fail refused "$1: $error"
    elif is_doubtful; then
      note "$1 is root's and not empty, and its name is one that $holder can change: left as it is"
    else
      touched=1
      folders="$folders$mode $owner:$group $node $here
"
      if ! { try chown "$3" . && try chmod "00$2" .; }; then fail refused "$1: $(reason)"; fi
    fi
  fi
  cd / || exit 1
}

restore_folder() { # MODE OWNER INODE PATH
  if [ -z "$1" ]; then return 0; fi
  if ! walk "${4%/*}/." || ! { [ "$3" != - ] || try mkdir -m 700 "./${4##*/}"; } || ! step_into "${4##*/}"; then
    lost "the folder $4 is not as it was: $(reason)"
  elif [ "$3" != - ] && [ "$3" != "$node" ]; then
    lost "the folder $4 is another one now"
  elif [ "$3" = - ] && { ! ours "$owner" || [ -n "$(ls -A)" ]; }; then
    lost "the folder $4 was changed by $holder as soon as it was made"
  elif ! { try chown "$2" . && try chmod "00$1" .; }; then
    lost "the folder $4 is not as it was: $(reason)"
  fi
  cd / || exit 1
}

restore_folders() {
  while read -r was whose inode place; do restore_folder "$was" "$whose" "$inode" "$place"; done <<END
$folders
END
}

remove_made() {
  printf '%s' "$made" | while IFS= read -r f; do
    if walk "${f%/*}/."; then rmdir "./${f##*/}"; fi
  done
}
