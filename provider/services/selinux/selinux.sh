# SELinux's booleans, as its own tools say and set them. A part of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # root is observe.sh's

probe_selinux() { # BOOLEAN...
  if [ -n "$root" ] || ! command -v getsebool >/dev/null; then return; fi
  for name; do
    value=$(boolean_now "$name")
    if [ -n "$value" ]; then fact selinux boolean "$name" "$value"; fi
  done
}

# Nothing where SELinux is off, or does not know it.
boolean_now() { # BOOLEAN
  timeout 20 getsebool "$1" 2>/dev/null | sed -n "s/^$1 --> \(on\|off\)\$/\1/p"
}

booleans=''
selinux_boolean() { # BOOLEAN VALUE
  was=$(boolean_now "$1")
  on_undo selinux_boolean
  booleans="$booleans$1 $was
"
  set_boolean "$1" "$2" || fail refused "SELinux's $1 is ${now:-not known} after setsebool -P $1 $2: $(reason)"
}

# For the next boot, too, as WAPT's own setup does. That takes some seconds: the policy is built anew.
set_boolean() { # BOOLEAN VALUE
  try timeout 180 setsebool -P "$1" "$2"
  now=$(boolean_now "$1")
  [ "$now" = "$2" ]
}

undo_selinux_boolean() {
  while read -r name was; do
    [ -z "$was" ] || set_boolean "$name" "$was" || lost "SELinux's $name is ${now:-not known}, not $was"
  done <<END
$booleans
END
}
