# The lines of a text as arguments. A part of every program.
# shellcheck shell=sh

on_lines() { # LINES COMMAND...: the command gets them behind its own words, those that are not empty
  lines=$1
  shift
  # No word is split but the lines, and no name is a pattern.
  IFS='
'
  set -f
  # shellcheck disable=SC2086 # lines
  set -- "$@" $lines
  set +f
  unset IFS
  "$@"
}
