# A transaction on a server: all files and services take the new values, or all have the old ones again.
# POSIX sh, for dash and busybox. It is sent on stdin to `sh -s` with paths.sh, files.sh, folders.sh, splice.sh and the
# programs of the services that it acts on behind it, and then one brace group, so that a connection cut half-way runs
# nothing, of these calls in this order:
#   begin ROOT WAIT HOLDER JOURNAL SERVICE...   lock the server; ROOT is "" for the server itself; JOURNAL is the hash of
#                                   what, as was planned on, earlier runs had left to do
#   space PATH KILOBYTES WANTED
#   file ID PATH SHA256 MODE OWNER SERVICE SPLICE...   write a candidate beside PATH; SHA256 is what was planned on, "-" for
#                                   none; a splice is OFFSET LENGTH BASE64, as new_text takes it; "-" alone removes the file
#   put ID PATH, put_first ID PATH, folder, remove_folder, return_folder
#   step SERVICE VERB WORD...       a check or an action of a service: its function SERVICE_VERB
#   finish                          forget the old files, or put everything back when a step failed
# A step that changes something says on_undo, on_undo_before_files or on_undo_last, with the name of what takes it back:
# undo_NAME.
# It reports "note BASE64" and at its end "result WORD BASE64".
# shellcheck shell=sh
# shellcheck disable=SC2034 # the other parts use them

failed='' result='' error='' unrestored=''
locked='' earlier='' touched='' files='' placed='' placed_first='' made='' folders='' watcher='' services=''
undo_before='' undo_first='' undo_last=''

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

overtaken() { fail overtaken "other runs were at work on the server while this one was planned; repeat it"; }

# Runs a command and keeps what it complains of. The lock is not handed on, lest a child that outlives this run holds it.
try() { error=$("$@" 2>&1 >/dev/null 9>&-); }

reason() { printf '%s' "$error" | tr '\n' ' ' | cut -c1-600; }

begin() { # ROOT WAIT HOLDER JOURNAL SERVICE...
  trap '' HUP PIPE INT
  trap 'fail refused "this run was told to end (SIGTERM)"' TERM
  export LC_ALL=C
  # What root runs is found where root alone can put it, whatever the login says.
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  unset CDPATH
  umask 077
  root=$1
  state=$root/var/lib/pulumi-wapt
  backups=$root/var/backups/pulumi-wapt
  me=$(id -u) my_group=$(id -g)
  # Nobody can lay a stage of this name beforehand.
  run=$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
  left=$2
  lock "$2"
  # Who had it until now has taken it away: the next run would lock another file of that name.
  while ok && ! is_lock_in_place; do
    if [ "$left" -le 0 ]; then fail busy "$state/lock was taken away again and again: see who does that, then repeat"; fi
    left=$((left - 1))
    sleep 1
    forget_folders
    if ok; then lock "$2"; fi
  done
  if ok; then
    locked=1
    printf '%s, since %s\n' "$3" "$(date -u +%FT%TZ)" >"$state/lock"
  fi
  planned=$4
  shift 4
  services=$*
  if [ -n "$locked" ]; then go_on "$planned"; fi
  cd / || exit 1
}

# From what earlier runs left.
go_on() { # JOURNAL
  if ! is_believed journal; then
    fail refused "$error"
    return
  fi
  watch_over_run
  recover "$1"
  # Not before: a run that was cut off may have left the record with a second name.
  if ok && ! { enter_own /var/lib/pulumi-wapt && is_believed record.json && enter_own /var/backups/pulumi-wapt; }; then
    fail refused "$backups or the record beside it can't be used: $(reason)"
  fi
}

open_for_writing() { true >>"$1"; }

# Whether the file that is locked is the one that has the name.
is_lock_in_place() {
  opened=$(stat -Lc %d:%i /proc/self/fd/9 2>/dev/null)
  # Without /proc nobody can tell, and it is as it was before: an uninstall at that moment is the only danger.
  [ -z "$opened" ] || [ "$opened" = "$(stat -c %d:%i "$state/lock" 2>/dev/null)" ]
}

lock() { # SECONDS, of which `left` remain
  if ! enter_own /var/lib/pulumi-wapt || ! is_believed lock || ! try open_for_writing "$state/lock"; then
    fail refused "$state can't be written: $(reason)"
    return
  fi
  exec 9<>"$state/lock"
  until flock -n 9; do
    if [ "$left" -le 0 ]; then
      fail busy "another run has held the server's lock for $1 s: $(cat "$state/lock"). Wait for it to end, then repeat"
      return
    fi
    left=$((left - 1))
    sleep 1
  done
}

# A run that was cut off left its journal: its temporary files go, what it had still to do is in this run's plan.
recover() { # JOURNAL
  earlier=$(grep -v '^temporary ' "$state/journal" 2>/dev/null)
  if [ "$(printf '%s' "$earlier" | sha256sum | cut -d' ' -f1)" != "$1" ]; then
    overtaken
  fi
  try clear_away || fail refused "$state/journal can't be written: $(reason)"
}

clear_away() {
  rm -f "$state/journal.new"
  if [ ! -f "$state/journal" ]; then return; fi
  # Backwards, so that a folder comes after what is in it.
  sed -n 's/^temporary //p' "$state/journal" | sort -r | while IFS= read -r f; do
    f=${f#"$root"}
    if walk "${f%/*}/."; then clear_name "${f##*/}"; fi
  done
  write_journal "$(grep -v '^temporary ' "$state/journal")"
}

# Whatever the journal says, no file but of our own name goes.
clear_name() { # NAME
  case $1 in
    .pulumi-wapt.*) if [ -d "./$1" ]; then drop_stage "$1"; else rm -f "./$1"; fi ;;
    *) rmdir "./$1" ;;
  esac 2>/dev/null
}

# When this run is killed its temporary files go all the same, and each service may do what should not wait for the next.
watch_over_run() {
  (
    exec 9>&- >/dev/null 2>&1
    # What it stands in can't be unmounted.
    cd / || exit
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

# What earlier runs had left was in the plan of this one: folders that they had made and that are nobody's, and services that
# they had stopped. When it did not go well, that is left again.
close_journal() {
  if [ -z "$result" ]; then earlier=''; fi
  if [ "$result" != broken ]; then write_journal "$earlier"; fi
}

step() { # SERVICE VERB WORD...
  ok || return 0
  name=$1_$2
  shift 2
  "$name" "$@"
}

# Once each, in the order in which it was done; those of on_undo_last come behind all others, and those of
# on_undo_before_files before a file has its old version again.
on_undo() { # NAME
  touched=1
  case " $undo_first " in *" $1 "*) ;; *) undo_first="$undo_first $1" ;; esac
}

on_undo_before_files() { # NAME
  touched=1
  case " $undo_before " in *" $1 "*) ;; *) undo_before="$undo_before $1" ;; esac
}

on_undo_last() { # NAME
  touched=1
  case " $undo_last " in *" $1 "*) ;; *) undo_last="$undo_last $1" ;; esac
}

lost() { unrestored="$unrestored $1."; }

# Puts back what was changed, then activates it again. Each part is tried, whatever becomes of the others.
undo() {
  for name in $undo_before; do "undo_$name"; done
  restore_files
  restore_folders
  for name in $undo_first; do "undo_$name"; done
  restore_first_files
  for name in $undo_last; do "undo_$name"; done
  if [ -z "$unrestored" ]; then
    failed="$failed. Everything was put back as it was"
  else
    result=broken
    failed="$failed. Putting everything back failed too:$unrestored"
  fi
}

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
