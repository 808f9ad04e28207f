# PostgreSQL: its clusters, their test of a candidate, their restart. A part of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # root, answer and why are theirs

# A number that a line of a file begins with, or "-". Its owner may have laid anything there.
word_of() { # LINE FILE
  word=$([ ! -f "$2" ] || [ -L "$2" ] || limited sed -n "$1s/^\\([0-9][0-9.]*\\)\$/\\1/p" "$2" 2>/dev/null)
  printf '%s' "${word:--}"
}

postgresql_clusters() { # VERSION NAME PORT STATUS OWNER DATA CONF, a line each
  if [ -z "$root" ] && command -v pg_lsclusters >/dev/null 2>&1; then
    limited pg_lsclusters -h | while read -r version name port status owner data _; do
      printf '%s %s %s %s %s %s %s\n' "$version" "$name" "$port" "$status" "$owner" "$data" \
        "/etc/postgresql/$version/$name/postgresql.conf"
    done
    return
  fi
  for f in "$root"/etc/postgresql/*/*/postgresql.conf; do
    if [ -f "$f" ]; then
      conf=${f#"$root"} && name=${conf%/*} && version=${name%/*}
      printf '%s %s - down postgres /var/lib/postgresql/%s %s\n' "${version##*/}" "${name##*/}" \
        "${name#/etc/postgresql/}" "$conf"
    fi
  done
  for data in "$root"/var/lib/pgsql/data "$root"/var/lib/pgsql/*/data; do
    if [ -f "$data/postgresql.conf" ]; then
      status=down
      if [ -z "$root" ] && [ -f "$data/postmaster.pid" ]; then status=online; fi
      printf '%s - %s %s postgres %s %s\n' "$(word_of 1 "$data/PG_VERSION")" \
        "$(word_of 4 "$data/postmaster.pid")" "$status" "${data#"$root"}" \
        "${data#"$root"}/postgresql.conf"
    fi
  done
}

# What a cluster's owner may have written, read as that owner and never as root.
line_of_pid_file() { limited runuser -u "$1" -- sed -n "$2p" "$3/postmaster.pid" 2>/dev/null; } # OWNER LINE DATA

# Ports and folders in the list are the owner's own words, which may look like another line's: the user that they lead to
# is believed when it is not root and the folder and the process are its own.
is_owners() { # OWNER PATH
  # A link of root's, for a folder that was moved, is believed; nobody else's.
  if [ -L "$2" ] && [ "$(stat -c %u "$2")" != 0 ]; then return 1; fi
  uid=$(id -u "$1" 2>/dev/null) && [ "$uid" != 0 ] && [ "$(stat -Lc %u "$2" 2>/dev/null)" = "$uid" ]
}

running_postgresql() { # PORT OWNER DATA
  pid=$(line_of_pid_file "$2" 1 "$3")
  case $pid in '' | *[!0-9]*) pid=0 ;; esac
  if ! is_owners "$2" "/proc/$pid"; then
    fact postgresql error "$3" "its postmaster.pid names no process of $2's"
    return
  fi
  fact postgresql command "$3" "$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null)"
  unit=$(sed -n 's|.*/\([^/]*\)\.service$|\1|p' "/proc/$pid/cgroup" | tail -n 1)
  fact postgresql process "$3" "$(readlink "/proc/$pid/exe")" "$unit" \
    "$(limited systemctl show -p TasksMax --value "$unit" 2>/dev/null)"
  result=answer
  answer=$(limited runuser -u "$2" -- psql -XAtq -F ' ' -h "$(line_of_pid_file "$2" 5 "$3")" -p "$1" -d postgres -c "
    select name, setting from pg_settings
      where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
    union all select 'file', sourcefile from pg_file_settings group by sourcefile" 2>&1) || result=error
  fact postgresql "$result" "$3" "$answer"
  printf '%s\n' "$answer" | sed -n 's/^file //p' | while IFS= read -r f; do masked "$f" postgresql; done
}

probe_postgresql() {
  postgresql_clusters | while read -r version name port status owner data conf; do
    if [ -z "$root" ] && ! is_owners "$owner" "$data"; then
      unread "$conf" "is of a cluster whose folder $data is not $owner's, or is root's"
      continue
    fi
    fact postgresql cluster "$data" "$version" "$name" "$port" "${status%%,*}" "$owner" "$conf"
    masked "$conf" postgresql
    disk "${conf%/*}"
    for f in "$root${conf%/*}"/*.conf "$root${conf%/*}"/conf.d/*.conf; do
      case $f in */pg_hba.conf | */pg_ident.conf) ;; *) masked "${f#"$root"}" postgresql ;; esac
    done
    masked "$data/postgresql.auto.conf" postgresql
    case $status in online*) running_postgresql "$port" "$owner" "$data" </dev/null ;; esac
  done
}

# Names, signs, quotes, blanks and line ends stay, so that scanner.ts reads the same lines; every other byte is an x.
# Readable are the values that are ours or name other files, and in a comment the name of a default that is ours. A line
# that PostgreSQL can't read is masked whole, so that scanner.ts refuses it too.
mask_postgresql() {
  # shellcheck disable=SC2016 # awk's
  limited awk '
    BEGIN {
      ORS = ""
      ours["max_connections"] = ours["superuser_reserved_connections"] = ours["reserved_connections"] = ours["port"] = 1
      ours["include"] = ours["include_if_exists"] = ours["include_dir"] = 1
      letter = "[A-Za-z_\001]"
      word = "^" letter "[A-Za-z_0-9\001._:/-]*"
      name = "^" letter "[A-Za-z_0-9\001]*"
      string = "^\047([^\047\\\\]|\047\047|\\\\.)*\047"
      integer = "^[-+]?(0x[0-9a-fA-F]+|[0-9]+)[a-zA-Z]*"
      real = "^[-+]?[0-9]*[.][0-9]*([Ee][-+]?[0-9]+)?"
    }

    function hidden(text) {
      gsub(/[^ \t\r]/, "x", text)
      return text
    }

    # What a line consists of is told by its classes: the line itself with each byte of the upper half as \001.
    function skip(pattern) {
      if (!match(substr(classes, at), pattern)) return 0
      at += RLENGTH
      return RLENGTH
    }

    # From its # on; of `#name =` the name stays when it is ours.
    function comment(line,   start, from) {
      start = at++
      skip("^[ \t\r]*")
      from = at
      skip(word)
      if (tolower(substr(line, from, at - from)) in ours) {
        skip("^[ \t\r]*")
        if (skip("^=")) return substr(line, start, at - start) hidden(substr(line, at))
      }
      return "#" hidden(substr(line, start + 1))
    }

    function value(   start, length_of) {
      if (skip(string)) return 1
      start = at
      if (skip(word)) return substr(classes, start, at - start) !~ (name "[.]" substr(name, 2) "$")
      length_of = match(substr(classes, at), integer) ? RLENGTH : 0
      if (match(substr(classes, at), real) && RLENGTH > length_of) length_of = RLENGTH
      at += length_of
      return length_of > 0
    }

    function hidden_value(text,   quote) {
      quote = substr(text, 1, 1) == "\047" ? "\047" : ""
      if (quote != "") text = substr(text, 2, length(text) - 2)
      gsub(/./, "x", text)
      return quote text quote
    }

    function in_file(line,   start, key, end, text) {
      classes = line
      gsub(/\001/, "\002", classes)
      gsub(/[^\001-\177]/, "\001", classes)
      at = 1
      skip("^[ \t\r]*")
      if (at > length(line)) return line
      start = at
      if (substr(line, at, 1) == "#") return substr(line, 1, at - 1) comment(line)
      if (!skip(word)) return unreadable(line)
      key = substr(classes, start, at - start)
      if (key !~ (name "$") && key !~ (name "[.]" substr(name, 2) "$")) return unreadable(line)
      key = tolower(substr(line, start, at - start))
      skip("^[ \t\r]*")
      if (skip("^=")) skip("^[ \t\r]*")
      start = at
      if (!value()) return unreadable(line)
      end = at
      skip("^[ \t\r]*")
      if (at <= length(line) && substr(line, at, 1) != "#") return unreadable(line)
      text = substr(line, start, end - start)
      if (!(key in ours)) text = hidden_value(text)
      return substr(line, 1, start - 1) text substr(line, end, at - end + 1) hidden(substr(line, at + 1))
    }

    # Of a byte order mark, which is refused as such, nothing is masked.
    function unreadable(line,   mark) {
      mark = NR == 1 && substr(line, 1, 3) == "\357\273\277" ? substr(line, 1, 3) : ""
      line = substr(line, length(mark) + 1)
      gsub(/./, "=", line)
      return mark line
    }

    { print (NR > 1 ? "\n" : "") in_file($0) }'
}

postgresql_check() { # OWNER BINARY DATA CONF MAX_CONNECTIONS
  if can_bind; then judge_postgresql 'in_place postgresql' "$@"; fi
}

# Once more where it lies, since another file may have come, and without mount namespaces for the first time.
postgresql_placed() { judge_postgresql env "$@"; } # OWNER BINARY DATA CONF MAX_CONNECTIONS

judge_postgresql() { # RUNNER OWNER BINARY DATA CONF MAX_CONNECTIONS; the last is "-" when it does not matter
  wanted=$6
  if [ "$(id -u "$2")" = 0 ]; then
    fail refused "PostgreSQL's files or its process are root's, who does not run it"
    return
  fi
  # shellcheck disable=SC2086 # words
  set -- $1 timeout 60 runuser -u "$2" -- "$3" -D "$4" -c "config_file=$5" -C max_connections
  answer=$("$@" 2>/dev/null)
  judged=$?
  if [ "$judged" = 99 ]; then
    note "PostgreSQL's new configuration could not be tested before it was in place: it was being changed"
  elif [ "$judged" != 0 ]; then
    try "$@"
    fail refused "PostgreSQL refuses the new configuration: $(reason)"
  elif [ "$wanted" != - ] && [ "$answer" != "$wanted" ]; then
    fail refused "PostgreSQL would take max_connections $answer from the new configuration, not $wanted"
  fi
}

ask_postgresql() { # OWNER PORT DATA
  # Read as its owner, who may have laid anything there, and not for ever.
  socket=$(timeout 20 runuser -u "$1" -- sed -n 5p "$3/postmaster.pid") &&
    timeout 20 runuser -u "$1" -- psql -XAtq -h "$socket" -p "$2" -d postgres -c 'SHOW max_connections'
}

postgresql_restart() { # UNIT OWNER PORT DATA MAX_CONNECTIONS; the last is "-" when it does not matter
  on_undo postgresql_restart
  cluster_unit=$1 cluster_owner=$2 cluster_port=$3 cluster_data=$4
  will_stop "$1"
  if ok; then restart_postgresql "$5" || fail refused "$why"; fi
}

undo_postgresql_restart() { restart_postgresql - || lost "$why"; }

restart_postgresql() { # MAX_CONNECTIONS
  if ! start_unit restart "$cluster_unit"; then
    why="PostgreSQL did not start: $why"
    return 1
  fi
  deadline=$(($(date +%s) + 300))
  until answer=$(ask_postgresql "$cluster_owner" "$cluster_port" "$cluster_data" 2>/dev/null 9>&-); do
    if [ "$(date +%s)" -ge "$deadline" ] || ! is_running "$cluster_unit"; then
      try ask_postgresql "$cluster_owner" "$cluster_port" "$cluster_data"
      why="PostgreSQL does not answer after its restart: $(reason)"
      return 1
    fi
    sleep 0.2
  done
  if [ "$1" != - ] && [ "$answer" != "$1" ]; then
    why="PostgreSQL says max_connections $answer after its restart, not $1"
    return 1
  fi
}
