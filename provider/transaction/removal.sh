# Removes what every run leaves on a server, once nobody owns anything there. A part of apply.sh:
#   begin …; leave; finish; leave_lock
# shellcheck shell=sh
# shellcheck disable=SC2154 # state, backups, result and the like are apply.sh's

# Backups, and what WAPT's processes had read. Only root has ever been able to change what lies there.
leave() {
  ok || return 0
  if [ -e "$state/record.json" ]; then
    fail changed "a resource came to own something on the server meanwhile; repeat it"
    return
  fi
  if ! { enter_own /var/backups/pulumi-wapt && try rm -rf ./*; }; then
    fail refused "$backups can't be emptied: $(reason)"
    return
  fi
  rm -f "$state/read"
  cd / || exit 1
}

# Last, when the lock is no longer written to. Until this program ends nobody else has it.
leave_lock() {
  if ! ok; then return; fi
  rm -f "$state/lock" "$state/journal.new"
  rmdir "$backups" "$state" 2>/dev/null
}
