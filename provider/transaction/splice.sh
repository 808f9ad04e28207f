# Splices: how a file's new bytes are made on the server from its old ones, which do not leave it. A part of apply.sh.
# shellcheck shell=sh

# The bytes of OLD (/dev/null for a new file), of which LENGTH from OFFSET on give way to those of BASE64, for each
# splice; they come in ascending order and do not overlap.
new_text() { # OLD [OFFSET LENGTH BASE64]...
  spliced_file=$1 spliced_to=0
  shift
  while [ "$#" -ge 3 ]; do
    head -c "$1" "$spliced_file" | tail -c "+$((spliced_to + 1))" && printf '%s' "$3" | base64 -d || return 1
    spliced_to=$(($1 + $2))
    shift 3
  done
  tail -c "+$((spliced_to + 1))" "$spliced_file"
}

# Writes them, and reads them again: a disk that is full or failing leaves less.
write_new_text() { # NEW OLD [OFFSET LENGTH BASE64]...
  new_file=$1
  shift
  new_text "$@" >"$new_file" && sync "$new_file" && new_text "$@" | cmp -s - "$new_file" &&
    [ "$(($(wc -c <"$new_file")))" = "$(new_size "$@")" ]
}

new_size() { # OLD [OFFSET LENGTH BASE64]...
  size=$(($(wc -c <"$1")))
  shift
  while [ "$#" -ge 3 ]; do
    size=$((size - $2 + $(printf '%s' "$3" | base64 -d | wc -c)))
    shift 3
  done
  printf '%s' "$size"
}
