# The lines of a text as arguments. A part of every program.
# shellcheck shell=sh

on_lines() { # LINES COMMAND...: the command gets them behind its own words, those that are not empty
  lines=$1
  shift
  while IFS= read -r line; do if [ -n "$line" ]; then set -- "$@" "$line"; fi; done <<END
$lines
END
  "$@"
}
