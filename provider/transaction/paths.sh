# How a transaction finds its way: root enters, opens, writes, owns and removes nothing by a path of which
# another user can change a part. A part of apply.sh.
#   walk PATH         into the folder of a file, and its name is in `name`
#   make_stage NAME   into a new folder there that is root's alone: what is made in it has nobody else's hand on it
#   pin NAME          what stands beside the stage, held by a second name of our own in it
# The owner of a folder may change anything in it between any two commands here. What holds against that:
# - "." stays the folder that was entered, whatever becomes of its name, and ".." of a stage the folder that it was made
#   in, since only who may write into a folder can move it elsewhere.
# - ln, mv -T, rm and rmdir act on a name, and stat looks at it: none follows a link that has that name.
# - What is opened lies in a stage, or in a folder that root alone can change.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # root, made, error and the like are apply.sh's too

me='' my_group='' making='' through='' holder='' here='' name='' spot='' pinned=''
owner='' mode='' group='' node='' links='' size='' type='' above=''
# Folders to which nothing but root's leads, a line each.
known='
'

# No configuration file is larger, in bytes.
most=16777216

ours() { [ "$1" = 0 ] || [ "$1" = "$me" ]; } # UID

# What has a name, and not what a link of that name leads to.
look() { # NAME
  seen=$(stat -c '%u %a %g %d:%i %h %s %F' "$1" 2>/dev/null) || return 1
  # shellcheck disable=SC2086 # words, the last of which are the type
  set -- $seen
  owner=$1 mode=$2 group=$3 node=$4 links=$5 size=$6
  shift 6
  type=$*
}

# The folder that was entered, and in `above` the one that it is in.
look_around() {
  # One answer for both: "directory" is one word.
  seen=$(stat -c '%u %a %g %d:%i %F' . .. 2>/dev/null) || return 1
  # shellcheck disable=SC2086 # words
  set -- $seen
  owner=$1 mode=$2 group=$3 node=$4 above=$9
}

# Whether others than root can change what was looked at. Where there is an ACL its mask shows as the group's rights.
is_open() {
  bits=18
  # Below a ROOT someone else than root may be at work, with a group of its own.
  if [ "$me" != 0 ] && [ "$group" = "$my_group" ]; then bits=2; fi
  ! ours "$owner" || [ $((0$mode & bits)) != 0 ]
}

# Into the folder of a file, one step after the other from the root. What root alone can change is believed, its links
# are followed. From the first folder on that another user can change, only folders of that user and of root are entered,
# and no link. `through` is that user's id, or nothing; `holder` its name.
walk() { # PATH; its last part may be "."
  asked=$1 hops=0 through='' holder='' here=${1%/*}
  until is_known "$here"; do here=${here%/*}; done
  rest=${1#"$here"}
  if ! cd -P "$root$here/" 2>/dev/null; then
    error="the folder $root$here can't be entered"
    return 1
  fi
  if [ -z "$here" ]; then look_around && arrive '' || return 1; fi
  while :; do
    name=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest='' ;; esac
    if [ -z "$name" ] && [ -n "$rest" ]; then
      continue
    elif [ "$name" = .. ]; then
      step_out || return 1
      name=.
    elif [ -L "./$name" ]; then
      follow || return 1
      continue
    elif [ -n "$rest" ]; then
      step_into "$name" || return 1
    fi
    if [ -z "$rest" ]; then return 0; fi
  done
}

# Folders that were known may be gone: the next walk looks at each of them again.
forget_folders() {
  known='
'
}

is_known() { # PATH
  case $known in
    *"
$1
"*) ;;
    *) [ -z "$1" ] ;;
  esac
}

# Judges the folder that was come to. `spot` is its device and inode.
arrive() { # PATH
  if [ -n "$through" ] && ! ours "$owner" && [ "$owner" != "$through" ]; then
    error="the folder $1 is $(stat -c %U .)'s, and stands in a folder that $holder can change: give both one owner"
    return 1
  fi
  here=$1 spot=$node
  if [ -z "$through" ] && is_open; then
    through=$owner
    if ours "$owner"; then holder="others than root"; else holder=$(stat -c %U .); fi
  fi
  # Root alone can change what leads here.
  if [ -z "$through" ] && [ "$hops" = 0 ] && ! is_known "$here"; then known="$known$here
"; fi
}

step_into() { # NAME
  if [ "$1" = . ]; then return 0; fi
  if [ ! -e "./$1" ]; then make_here "$1" || return 1; fi
  # A link or another folder may have the name by now. Then it is no folder of this one, which ".." shows; or it is one
  # that its holder, or root, put here, and no better or worse than the first.
  if ! cd -P "./$1" 2>/dev/null; then
    error="$here/$1 is no folder, where one is needed"
    return 1
  elif ! look_around || { [ -n "$through" ] && [ "$above" != "$spot" ]; }; then
    error="$here/$1 was swapped for a link by $holder while it was entered"
    return 1
  fi
  arrive "$here/$1"
}

step_out() {
  if [ -n "$through" ]; then
    error="$asked leads up out of $here, which $holder can change: name the folder itself"
    return 1
  elif [ -z "$here" ] && [ -n "$root" ]; then
    error="$asked is a link out of $root"
    return 1
  fi
  cd -P .. && look_around && arrive "${here%/*}"
}

# The link of the name that was come to.
follow() {
  look "./$name"
  hops=$((hops + 1))
  if [ -n "$through" ] || ! ours "$owner"; then
    error="$here/$name is a link that ${holder:-its owner} can change, so root does not follow it: put there what it leads to"
    return 1
  elif [ "$hops" -gt 40 ]; then
    error="$asked is a link that leads nowhere"
    return 1
  fi
  link=$(readlink "./$name")
  case $link in
    /*)
      if [ -n "$root" ]; then
        error="$asked is a link out of $root"
        return 1
      fi
      cd / && look_around && arrive '' || return 1
      ;;
  esac
  rest=$link${rest:+/$rest}
}

# Folders that a file needs are made, each one remembered, the innermost first.
make_here() { # NAME
  if [ "$hops" -gt 0 ]; then
    error="$asked is a link that leads nowhere"
    return 1
  elif [ -z "$making" ]; then
    error="the folder $here/$1 does not exist; mount or make it first"
    return 1
  fi
  if [ -n "$locked" ]; then journal "temporary $root$here/$1"; fi
  ok || return 1
  if ! try mkdir -m "$making" "./$1"; then
    # Before there is a lock, another first run may have made it in between; what it is shows when it is entered.
    if [ -z "$locked" ] && [ -d "./$1" ] && [ ! -L "./$1" ]; then return 0; fi
    error="the folder $here/$1 can't be made: $(reason)"
    return 1
  fi
  made="$here/$1
$made"
}

# A folder of this program's own, made where it is missing: `here` is where it is.
enter_own() { # PATH
  making=700
  if ! walk "$1/."; then
    making=''
    return 1
  fi
  making=''
  if [ -n "$through" ]; then
    error="$holder can change $here or what leads to it, where root alone may: chown it to root, chmod go-w"
  elif [ "$hops" -gt 0 ] && [ "$here" != "$1" ]; then
    error="it is a link to $here: make it a folder"
  else
    return 0
  fi
  return 1
}

# What says what to do is believed only when root alone can have written it. What is not there says nothing.
is_believed() { # NAME, in a folder of our own
  if ! look "./$1"; then return 0; fi
  case $type in
    regular*) if ! is_open && [ "$links" = 1 ]; then return 0; fi ;;
  esac
  error="$root$here/$1 is a $type of $(stat -c %U "./$1")'s with mode $mode and $links name(s), where a file is needed that root alone can change: look at what it says, then remove it"
  return 1
}

# From the folder of a file, where it has this name for no longer than this run.
make_stage() { # NAME
  try mkdir -m 700 "./$1" || return 1
  # Another folder of root's may have been given the name by now: it would do as well, if nothing is in it.
  if ! into_stage "$1" || { [ -n "$through" ] && [ -n "$(ls -A)" ]; }; then
    error="$here/$1 was changed by $holder as soon as it was made"
    return 1
  fi
  # Tells a stage from other ones and from anything else of root's.
  try make_empty "./$1"
}

make_empty() { true >"$1"; }

into_stage() { # NAME
  cd -P "./$1" 2>/dev/null || return 1
  if [ -z "$through" ]; then return 0; fi
  look_around && [ "$above" = "$spot" ] && [ "$owner" = "$me" ] && [ $((0$mode & 511)) = 448 ]
}

# Removes a stage, and no other folder of root's that was given its name.
drop_stage() { # NAME
  into_stage "$1" || return 1
  if [ -e "./$1" ]; then rm -f ./old ./was ./new "./$1"; fi
  cd -P .. && rmdir "./$1"
}

# In a stage: `pinned` is where what has the name can be read, whatever becomes of the name, or nothing where it is free.
pin() { # NAME
  pinned=''
  if [ ! -e "../$1" ] && [ ! -L "../$1" ]; then return 0; fi
  # busybox has no -P, and does not follow links; others have -P.
  if ln -P "../$1" ./old 2>/dev/null || try ln "../$1" ./old; then
    pinned=./old expected=2
  elif ! look "../$1"; then
    return 0
  elif [ -z "$through" ] || [ "$type" = directory ]; then
    # No second name can be given here; where root alone can change the folder the first does.
    pinned=../$1 expected=1
  else
    error="can't be held by a second name, which a file needs whose folder $holder can change: $(reason)"
    return 1
  fi
  is_fit
}

unpin() { if [ "$pinned" = ./old ]; then rm -f ./old; fi; }

# A file that root may read and replace. Says the rest of a sentence.
is_fit() {
  look "$pinned" || return 1
  case $type in
    regular*) ;;
    *)
      error="is a $type and no regular file: put the file there itself"
      return 1
      ;;
  esac
  if [ -n "$through" ] && ! ours "$owner" && [ "$owner" != "$through" ]; then
    error="is $(stat -c %U "$pinned")'s, and stands in a folder that $holder can change: give both one owner"
  elif [ "$links" -gt "$expected" ]; then
    error="has $((links - expected + 1)) names (hard links), so it may be a file from elsewhere: make it one of its own (cp -a it beside, mv that over it)"
  elif [ "$size" -gt "$most" ]; then
    error="has $size bytes, more than the 16 MiB that a configuration file may have"
  else
    return 0
  fi
  return 1
}

# Its owner may write into a file without end while it is read.
hash_of() { # FILE, "" for none
  if [ -z "$1" ]; then echo -; else timeout 60 head -c "$((most + 1))" "$1" | sha256sum | cut -d' ' -f1; fi
}

# With owner, mode, ACL, extended attributes and SELinux context. The limit counts in 512 bytes.
# shellcheck disable=SC3045 # dash and busybox have ulimit -f
copy() { (ulimit -f "$((most / 512))" && timeout 60 cp -a "$1" "$2"); } # FILE NEW
