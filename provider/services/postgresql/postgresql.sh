# PostgreSQL: its clusters, their test of a candidate, their restart. A part of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # root, answer and why are theirs

line_end='
'
tried=''

# --- Who is believed

# Ports and folders in a list are words that a cluster's owner wrote, which may look like another line's: the user that
# they lead to is believed when it is not root and the folder and the process are its own.
is_owners() { # OWNER PATH
  # A link of root's, for a folder that was moved, is believed; nobody else's.
  if [ -L "$2" ] && [ "$(stat -c %u "$2")" != 0 ]; then return 1; fi
  uid=$(id -u "$1" 2>/dev/null) && [ "$uid" != 0 ] && [ "$(stat -Lc %u "$2" 2>/dev/null)" = "$uid" ]
}

# What a configuration makes a server do is done as its owner, so nobody else may have written it.
is_configuration_of() { # OWNER FILE
  if [ ! -e "$2" ]; then return 0; fi
  writer=$(stat -Lc %u "$2")
  [ "$writer" = 0 ] || [ "$writer" = "$(id -u "$1")" ]
}

# What a cluster's owner may have written, read as that owner and never as root.
as_owner() { # OWNER COMMAND...
  believed_owner=$1
  shift
  timeout 10 runuser -u "$believed_owner" -- "$@"
}

# --- The processes that serve

# The ids of PostgreSQL's servers: processes of its program whose parent is none.
postmasters() {
  # shellcheck disable=SC2012 # the name of a program may hold anything, and the ids alone are taken
  ls -l /proc/[0-9]*/exe 2>/dev/null |
    sed -nE 's,^[^/]*/proc/([0-9]+)/exe -> .*/post(gres|master)( \(deleted\))?$,/proc/\1/status,p' | xargs cat 2>/dev/null |
    awk '/^Pid:/ { pid = $2 } /^PPid:/ { parent[pid] = $2 } END { for (pid in parent) if (!(parent[pid] in parent)) print pid }'
}

# Its working folder is its data folder, which the kernel says.
postmaster_of() { # OWNER DATA PID...: which of these serves it
  sought_owner=$1 sought=$(stat -Lc %d:%i "$2" 2>/dev/null) || return 0
  shift 2
  for pid; do
    if [ "$(stat -Lc %d:%i "/proc/$pid/cwd" 2>/dev/null)" = "$sought" ] && is_owners "$sought_owner" "/proc/$pid"; then
      printf '%s' "$pid"
      return
    fi
  done
}

is_contained() { [ "$(readlink "/proc/$1/ns/pid")" != "$(readlink "/proc/$$/ns/pid")" ]; } # PID

# The last part of a process's control group: its unit, the session of a login, a container.
group_of() { sed -n '\|.*/[^/][^/]*$|h; $ { x; s|.*/||p; }' "/proc/$1/cgroup" 2>/dev/null; } # PID

# What an upgrade of the package has replaced is asked in its new version, which a restart would run.
program_of() { # PID
  program=$(readlink "/proc/$1/exe")
  if [ -f "${program% (deleted)}" ]; then program=${program% (deleted)}; fi
  printf '%s' "$program"
}

# The one beside the server's program: Debian's psql is a script that looks for it.
psql_of() { if [ -x "${1%/*}/psql" ]; then printf '%s' "${1%/*}/psql"; else printf psql; fi; } # PROGRAM

# Who listens on a port in place of a process: its id, name and group. Nothing where the process does, or nobody.
listener_beside() { # PORT PID
  sockets=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf ':%04X' "$1")" '
    $4 == "0A" && substr($2, length($2) - 4) == port { print "socket:[" $10 "]" }')
  # shellcheck disable=SC2010,SC2012 # names of sockets
  if [ -z "$sockets" ] || ls -l "/proc/${2:-none}/fd" 2>/dev/null | grep -qF "$sockets"; then return; fi
  # shellcheck disable=SC2012 # names of sockets
  other=$(ls -l /proc/[0-9]*/fd 2>/dev/null | awk -v socket="${sockets%%"$line_end"*}" '
    /^\/proc\/[0-9]+\/fd:$/ { split($0, parts, "/") }
    index($0, "-> " socket) { print parts[3]; exit }')
  printf '%s (%s, in %s)' "${other:-unknown}" "$(head -c 20 "/proc/${other:-none}/comm" 2>/dev/null)" "$(group_of "${other:-none}")"
}

# --- What they report

probe_postgresql() {
  live='' served='' left=8
  if [ -z "$root" ]; then
    for pid in $(postmasters); do
      if is_contained "$pid"; then fact postgresql container "$pid" "$(group_of "$pid")"; else live="$live $pid"; fi
    done
  fi
  if [ -z "$root" ] && command -v pg_lsclusters >/dev/null 2>&1; then debian_clusters; else other_clusters; fi
  for pid in $live; do
    case " $served " in *" $pid "*) continue ;; esac
    # Any account may run many programs of this name.
    left=$((left - 1))
    if [ "$left" -ge 0 ]; then unregistered_cluster "$pid"; fi
  done
}

debian_clusters() {
  if ! are_files /etc/postgresql/*/*/* /etc/postgresql/*/*/conf.d/* /var/lib/postgresql/*/*/*.pid /var/lib/postgresql/*/*/*.conf; then return; fi
  list=$(limited pg_lsclusters -h -s 2>"$errors" </dev/null) ||
    unread /etc/postgresql "can't be listed: pg_lsclusters ended with $? $(without_quote "$(cat "$errors")")"
  while read -r version name port status owner data _ more; do
    conf=/etc/postgresql/$version/$name/postgresql.conf
    if [ -z "$version" ]; then continue; fi
    printf '%s\n' "$version $name $port $data" | grep -qxE '[0-9]+([.][0-9]+)? [A-Za-z0-9_][A-Za-z0-9._-]* [0-9]+ /.*' || more=odd
    if [ -n "$more" ]; then
      unread "$conf" "is of a cluster of which pg_lsclusters says more or less than its port, status, owner, folder and log"
    else
      report_cluster "$version" "$name" "$port" "$status" "$owner" "$data" "$conf" </dev/null
    fi
  done <<END
$list
END
}

# What pg_lsclusters would wait for, or read without an end.
are_files() { # PATH...
  odd=''
  for f; do
    if [ -e "$f" ] && [ ! -f "$f" ] && [ ! -d "$f" ]; then
      odd=$f
      is_readable "$f"
    fi
  done
  [ -z "$odd" ]
}

# Where nothing registers them: below a root, and where the RHEL family puts them.
other_clusters() {
  for f in "$root"/etc/postgresql/*/*/postgresql.conf; do
    if [ -f "$f" ]; then
      conf=${f#"$root"} && name=${conf%/*} && version=${name%/*}
      report_cluster "${version##*/}" "${name##*/}" - down postgres "/var/lib/postgresql/${name#/etc/postgresql/}" "$conf"
    fi
  done
  for data in "$root"/var/lib/pgsql/data "$root"/var/lib/pgsql/*/data; do
    if [ -f "$data/postgresql.conf" ]; then
      report_cluster "$(number_in "$data/PG_VERSION")" - - down postgres "${data#"$root"}" "${data#"$root"}/postgresql.conf"
    fi
  done
}

# The number that a file begins with, or "-". Its owner may have laid anything there.
number_in() { # FILE
  found=$([ ! -f "$1" ] || [ -L "$1" ] || limited sed -n '1s/^\([0-9][0-9.]*\)$/\1/p' "$1" 2>/dev/null)
  printf '%s' "${found:--}"
}

report_cluster() { # VERSION NAME PORT STATUS OWNER DATA CONF
  if [ -z "$root" ] && ! is_owners "$5" "$6"; then
    unread "$7" "is of a cluster whose folder $6 is not $5's, or is root's"
    return 0
  fi
  # shellcheck disable=SC2086 # process ids
  serving_pid=$(postmaster_of "$5" "$6" $live)
  if [ -n "$serving_pid" ]; then
    served="$served $serving_pid"
    running_cluster "$serving_pid" "$@"
    return
  fi
  configuration_of "$5" "$6" "$7" || return 0
  fact postgresql cluster "$6" "$1" "$2" "$3" "${4%%,*}" "$5" "$7"
  options=$(debian_options "$5" "$7" | limited xargs printf '%s\n' 2>/dev/null)
  if [ -n "$options" ]; then fact postgresql command "$6" "postgres$line_end$options"; fi
  case $4 in online*) fact postgresql error "$6" "no process of $5's works in $6, whatever its postmaster.pid says" ;; esac
  if [ "$3" != - ]; then report_listener "$6" "$3" ''; fi
}

# What a start of a Debian cluster adds to the command line, as the shell that starts it would take it.
debian_options() { # OWNER CONF
  case $2 in /etc/postgresql/*/*/postgresql.conf) ;; *) return 0 ;; esac
  registered=${2%/postgresql.conf}
  version=${registered#/etc/postgresql/}
  if [ -n "$root" ] || [ ! -f "$registered/pg_ctl.conf" ]; then return 0; fi
  # shellcheck disable=SC2016 # perl's
  as_owner "$1" perl -MPgCommon -e 'my %found = PgCommon::read_cluster_conf_file(@ARGV, "pg_ctl.conf"); print $found{pg_ctl_options}' \
    "${version%/*}" "${version#*/}" 2>/dev/null
}

unregistered_cluster() { # PID
  user=$(stat -c %U "/proc/$1" 2>/dev/null)
  data=$(readlink "/proc/$1/cwd")
  case $data in *[[:cntrl:]]*) return ;; esac
  if ! is_owners "$user" "$data" || [ "$(pid_file "$user" "$data" | head -n 1)" != "$1" ]; then return; fi
  version=$(as_owner "$user" head -n 1 "$data/PG_VERSION" 2>/dev/null)
  running_cluster "$1" "$version" - - online "$user" "$data" "$data/postgresql.conf"
}

# The file that a process was started with, by its command line; else the one given.
conf_of_process() { # PID CONF
  tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | default=$2 awk '
    was == "-D" { folder = $0 }
    /^-D./ { folder = substr($0, 3) }
    /^(-c|--)?config[-_]file=/ { sub(/^[^=]*=/, ""); file = $0 }
    { was = $0 }
    END {
      if (file !~ /^\//) file = folder ~ /^\// ? folder "/postgresql.conf" : ENVIRON["default"]
      gsub(/\/\/+/, "/", file)
      print file
    }'
}

pid_file() { if [ -f "$2/postmaster.pid" ]; then as_owner "$1" head -n 8 "$2/postmaster.pid" 2>/dev/null; fi; } # OWNER DATA

running_cluster() { # PID VERSION NAME PORT STATUS OWNER DATA CONF
  serving_pid=$1 status=$5 user=$6 data=$7 program=$(program_of "$1")
  conf=$(conf_of_process "$1" "$8")
  lines=$(pid_file "$user" "$data")
  port=$(printf '%s\n' "$lines" | sed -n '4s/^\([0-9][0-9]*\)$/\1/p')
  configuration_of "$user" "$data" "$conf" || return 0
  result=answer
  if [ -n "$odd" ]; then
    result=error answer="it was not asked, since it would wait for $odd"
  elif [ "${lines%%"$line_end"*}" != "$serving_pid" ] || [ -z "$port" ]; then
    result=error answer="$data/postmaster.pid does not name process $serving_pid, which works there, with its port"
  else
    answer=$(ask_cluster "$user" "$port" "$(printf '%s\n' "$lines" | sed -n 5p)" \
      "$(psql_of "$program")" 2>&1) || result=error
  fi
  fact postgresql cluster "$data" "$2" "$3" "${port:-$4}" online "$user" "$conf"
  case $status in *,disabled*) fact postgresql disabled "$data" ;; esac
  fact postgresql command "$data" "$(tr '\0' '\n' <"/proc/$serving_pid/cmdline" 2>/dev/null)"
  unit=$(unit_of_process "$serving_pid")
  fact postgresql process "$data" "$program" "$unit" \
    "$([ -z "$unit" ] || limited systemctl show -p TasksMax --value "$unit" 2>/dev/null)" "$serving_pid" "$(group_of "$serving_pid")"
  report_listener "$data" "${port:-0}" "$serving_pid"
  report_answer "$data" "$user" "$conf"
}

report_listener() { # DATA PORT PID
  listener=$(listener_beside "$2" "$3")
  if [ -n "$listener" ]; then fact postgresql listener "$1" "$listener"; fi
}

report_answer() { # DATA OWNER CONF
  fact postgresql "$result" "$1" "$(printf '%s\n' "$answer" | sed '/^pending /d; /^fault /d')"
  if [ "$result" = error ]; then return; fi
  more_pending=''
  while IFS= read -r line; do
    case $line in
      "file "*) masked "${line#file }" postgresql </dev/null ;;
      "pending "*)
        fact postgresql pending "$1" "${line#pending }"
        case $line in "pending max_connections$tab"*) ;; *) more_pending=1 ;; esac
        ;;
      *ERROR:*)
        complaint=${line##*ERROR:}
        fact postgresql fault "$1" "$tab$tab${complaint#"${complaint%%[! ]*}"}"
        ;;
      "fault "*) fact postgresql fault "$1" "${line#fault }" ;;
    esac
  done <<END
$answer
END
  if [ -n "$more_pending" ]; then
    why=$(try_start env "$2" "$program" "$1" "$3" 2>&1) || fact postgresql trial "$1" "$why"
  fi
}

configuration_of() { # OWNER DATA CONF; `odd` is then a file that nobody should open
  odd=''
  if [ -z "$root" ]; then are_files "$2/PG_VERSION" "$2/postmaster.pid"; fi
  if [ -z "$root" ] && ! is_configuration_of "$1" "$3"; then
    unread "$3" "is $(stat -Lc %U "$3")'s, but configures a cluster of $1's: chown it to $1 or root"
    return 1
  fi
  send_configuration "$3"
  disk "${3%/*}"
  send_configuration "$2/postgresql.auto.conf"
}

# The files of a configuration, as PostgreSQL finds them from one to the next, and of its includes what is not there.
send_configuration() { # FILE
  queue="file $1$line_end" walked=$line_end left_to_walk=100
  while [ -n "$queue" ]; do
    entry=${queue%%"$line_end"*}
    queue=${queue#*"$line_end"}
    case $walked in *"$line_end$entry$line_end"*) continue ;; esac
    walked=$walked$entry$line_end left_to_walk=$((left_to_walk - 1))
    if [ "$left_to_walk" = 0 ]; then
      unread "$1" "includes more than 100 files, more than are read"
      return
    fi
    # Its own name is a folder's where a folder is included.
    at=${entry#* }
    case $entry in
      folder*)
        if [ -d "$root$at" ]; then fact postgresql folder "$at"; else fact postgresql absent "$at"; fi
        for f in "$root$at"/*.conf; do if [ -e "$f" ] && [ ! -d "$f" ]; then queue="${queue}file ${f#"$root"}$line_end"; fi; done
        ;;
      *)
        if [ ! -e "$root$at" ]; then fact postgresql absent "$at"; fi
        masked "$at" postgresql
        if [ -e "$root$at" ] && [ ! -f "$root$at" ]; then odd=$at; fi
        if [ -f "$root$at" ]; then queue=$queue$(includes_of "$at" && echo .) && queue=${queue%.}; fi
        ;;
    esac
  done
}

# A name with an escape in it is left out; nothing is taken for granted of what was not sent.
includes_of() { # FILE: "file PATH" or "folder PATH", a line each
  # shellcheck disable=SC2016 # awk's
  if [ "$text_of" = "$1" ]; then printf '%s' "$text"; else contents "$1"; fi | limited env beside="${1%/*}" awk '
    function real(path,   parts, n, i, out) {
      if (path !~ /^\//) path = ENVIRON["beside"] "/" path
      n = split(path, parts, "/")
      for (i = 1; i <= n; i++) {
        if (parts[i] == "..") sub(/\/[^\/]*$/, "", out)
        else if (parts[i] != "" && parts[i] != ".") out = out "/" parts[i]
      }
      return out == "" ? "/" : out
    }
    {
      if (!match(tolower($0), /^[ \t\r]*include(_if_exists|_dir)?/)) next
      kind = tolower(substr($0, 1, RLENGTH)) ~ /_dir$/ ? "folder " : "file "
      value = substr($0, RLENGTH + 1)
      if (value !~ /^[ \t\r=\047]/) next
      sub(/^[ \t\r]*=?[ \t\r]*/, "", value)
      if (match(value, /^\047([^\047\\]|\047\047)*\047/)) {
        value = substr(value, 2, RLENGTH - 2)
        gsub(/\047\047/, "\047", value)
      } else if (!match(value, /^[^ \t\r#=\047\\]+/)) next
      else value = substr(value, 1, RLENGTH)
      if (value !~ /^[ \t]*$/) print kind real(value)
    }'
}

# The running values, the files, and what a restart would activate beside our change. Of values of other settings only
# numbers are sent; what the rules of a login quote stays here. pg_file_settings comes first: it reads the files anew, so
# that pg_settings knows what is pending.
ask_cluster() { # OWNER PORT SOCKET PSQL
  case $3 in
    /* | @*) ;;
    *)
      echo "its postmaster.pid names no folder of a socket"
      return 1
      ;;
  esac
  # A server of another account's behind that name is told by its user.
  limited runuser -u "$1" -- env PGREQUIREPEER="$1" PGOPTIONS='-c lc_messages=C' "$4" -XAtqw -h "$3" -p "$2" -d postgres <<'END'
select 'file ' || sourcefile from pg_file_settings group by sourcefile;
select 'fault ' || coalesce(f.sourcefile, '') || E'\t' || coalesce(f.sourceline, 0) || E'\t' || translate(f.error, E'\n\t', '  ')
  from pg_file_settings f left join pg_settings s on s.name = lower(f.name)
  where f.error is not null and s.context is distinct from 'postmaster'
    -- a line that is gone, which has no name here
    and f.error not like '%cannot be changed without restarting the server';
select name || ' ' || setting from pg_settings
  where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections', 'config_file');
select 'sessions ' || count(*) from pg_stat_activity where datname is not null and pid <> pg_backend_pid();
select 'pending ' || s.name || E'\t' || coalesce(substring(current_setting(s.name) from '^[0-9]+ ?[A-Za-z]{0,3}$'), '') ||
  E'\t' || coalesce(substring(f.setting from '^[0-9]+ ?[A-Za-z]{0,3}$'), '')
  from pg_settings s left join lateral
    (select setting from pg_file_settings where lower(name) = s.name order by seqno desc limit 1) f on true
  where s.pending_restart;
select to_regclass('pg_catalog.pg_hba_file_rules') is not null as hba,
  to_regclass('pg_catalog.pg_ident_file_mappings') is not null as ident \gset
\if :hba
select 'fault ' || coalesce(to_jsonb(r) ->> 'file_name', current_setting('hba_file')) || E'\t' || line_number || E'\t' ||
  regexp_replace(translate(error, E'\n\t', '  '), '"[^"]*"', '"..."', 'g') from pg_hba_file_rules r where error is not null;
\endif
\if :ident
select 'fault ' || coalesce(to_jsonb(r) ->> 'file_name', current_setting('ident_file')) || E'\t' || line_number || E'\t' ||
  regexp_replace(translate(error, E'\n\t', '  '), '"[^"]*"', '"..."', 'g') from pg_ident_file_mappings r where error is not null;
\endif
END
}

# --- What is masked

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

# --- Test and restart

# A start with the same settings, of a cluster that is thrown away, by its owner from first to last. It may have all the
# memory that there is, and is the first to go where that is too much. What would act outside of it is left out: ports,
# logs, archives, the files of logins and certificates. Of what it complains no value is quoted.
# shellcheck disable=SC2016 # expanded by the inner shell
trial='
  program=$1 data=$2 conf=$3 server=
  folder=$(mktemp -d) || exit 1
  leave() {
    if [ -n "$server" ]; then kill -QUIT "$server" && wait "$server"; fi 2>/dev/null
    rm -rf "$folder"
  }
  trap leave EXIT
  trap "exit 1" HUP INT TERM
  say() {
    sed -n "s/^.*\(FATAL\|PANIC\|error\): *//p" "$folder/log" | tail -n 1 | sed "s/\"[^\"]*\"/\"...\"/g" >&2
    exit 1
  }
  cd "$folder" && echo 1000 >/proc/self/oom_score_adj && ulimit -v "$4"
  LC_ALL=C "${program%/*}/initdb" -D "$folder/data" -A trust -N --no-locale >/dev/null 2>"$folder/log" || say
  cp "$data/postgresql.auto.conf" "$folder/data/" 2>/dev/null
  set -- -c "config_file=$conf" -c "data_directory=$folder/data" -c "unix_socket_directories=$folder" -c listen_addresses= \
    -c "external_pid_file=$folder/pid" -c "hba_file=$folder/data/pg_hba.conf" -c "ident_file=$folder/data/pg_ident.conf" \
    -c logging_collector=off -c log_destination=stderr -c lc_messages=C -c archive_mode=off -c ssl=off
  # Until PostgreSQL 14 its statistics may be kept in a folder of another name.
  if "$program" -D "$folder/data" -C stats_temp_directory >/dev/null 2>&1; then set -- "$@" -c stats_temp_directory=pg_stat_tmp; fi
  "$program" -D "$folder/data" "$@" 2>"$folder/log" &
  server=$! left=300
  until grep -q "^ready" "$folder/data/postmaster.pid" 2>/dev/null; do
    left=$((left - 1))
    if [ "$left" = 0 ] || ! kill -0 "$server" 2>/dev/null; then say; fi
    sleep 0.1
  done'

postgresql_check() { # OWNER BINARY DATA CONF MAX_CONNECTIONS PENDING
  if can_bind; then judge_postgresql 'in_place postgresql' "$@"; fi
}

# Once more where it lies, since another file may have come, and without mount namespaces for the first time.
postgresql_placed() { judge_postgresql env "$@"; } # OWNER BINARY DATA CONF MAX_CONNECTIONS PENDING

judge_postgresql() { # RUNNER OWNER BINARY DATA CONF MAX_CONNECTIONS PENDING; the last two are "-" when they do not matter
  if [ "$(id -u "$2")" = 0 ]; then
    fail refused "PostgreSQL's files or its process are root's, who does not run it"
    return
  fi
  # shellcheck disable=SC2086 # words
  answer=$(read_postgresql "$@" 2>/dev/null)
  judged=$?
  if [ "$judged" = 99 ]; then
    note "PostgreSQL's new configuration could not be tested before it was in place: it was being changed"
  elif [ "$judged" != 0 ]; then
    try read_postgresql "$@"
    fail refused "PostgreSQL refuses the new configuration: $(reason)"
  elif [ "$6" != - ] && [ "$answer" != "$6" ]; then
    fail refused "PostgreSQL would take max_connections $answer from the new configuration, not $6"
  elif ! try read_by_debian "$2" "$5" && [ "${error#Error: }" != "$error" ]; then
    fail refused "Debian's pg_ctlcluster could not start PostgreSQL again: $(without_quote "$error")"
  elif [ "$7" != - ] && [ -z "$tried" ] && ! try try_start "$1" "$2" "$3" "$4" "$5"; then
    fail refused "PostgreSQL would not start again with what its files say of $7: $(reason). Take that back, or restart it yourself"
  else
    # Not once more while WAPT is stopped.
    tried=1
  fi
}

read_postgresql() { # as judge_postgresql
  # shellcheck disable=SC2086 # words
  $1 timeout 60 runuser -u "$2" -- "$3" -D "$4" -c "config_file=$5" -C max_connections
}

# What pg_ctlcluster reads when it starts a cluster, and ends at.
read_by_debian() { # OWNER CONF
  registered=${2%/postgresql.conf}
  case $registered in /etc/postgresql/*/*) ;; *) return 0 ;; esac
  if ! command -v pg_ctlcluster >/dev/null; then return 0; fi
  version=${registered#/etc/postgresql/}
  # shellcheck disable=SC2016 # perl's
  timeout 20 runuser -u "$1" -- perl -MPgCommon -e 'for my $f (qw(environment pg_ctl.conf)) { PgCommon::read_cluster_conf_file(@ARGV, $f) }' \
    "${version%/*}" "${version#*/}"
}

# The line of a file that Debian's programs quote stays here.
without_quote() { printf '%s\n' "$1" | sed -n '1s/^Error: \(invalid line [0-9]* in [^:]*\):.*/\1/;1p'; } # COMPLAINT

try_start() { # RUNNER OWNER BINARY DATA CONF
  # shellcheck disable=SC2086 # words
  $1 timeout 60 runuser -u "$2" -- sh -c "$trial" sh "$3" "$4" "$5" "$(awk '/^(MemTotal|SwapTotal):/ { kb += $2 } END { print kb }' /proc/meminfo)" </dev/null
}

ask_postgresql() { # OWNER PORT DATA
  # Read as its owner, who may have laid anything there, and not for ever.
  socket=$(timeout 20 runuser -u "$1" -- sed -n 5p "$3/postmaster.pid") &&
    timeout 20 runuser -u "$1" -- env PGREQUIREPEER="$1" psql -XAtqw -h "$socket" -p "$2" -d postgres -c 'SHOW max_connections'
}

postgresql_restart() { # UNIT OWNER PORT DATA MAX_CONNECTIONS; the last is "-" when it does not matter
  if ! is_run_by "$1" "$2" "$4"; then
    fail refused "PostgreSQL's process in $4 is not the main process of $1, so that is not restarted: stop it where it was started, and start $1"
    return
  fi
  on_undo postgresql_restart
  cluster_unit=$1 cluster_owner=$2 cluster_port=$3 cluster_data=$4
  will_stop "$1"
  cluster_dependants=${down#"$1"}
  # All waits of this run end with it: WAPT is stopped meanwhile.
  give_up=$(($(date +%s) + 300))
  if ! ok; then return; fi
  { restart_postgresql "$5" && start_dependants; } || fail refused "$why"
}

# What systemd stopped with it, and did not start again.
start_dependants() {
  for name in $cluster_dependants; do
    is_running "$name" || start_unit start "$name" || return 1
  done
}

# Whether a unit is the one to restart: its main process serves the data folder, or none does.
is_run_by() { # UNIT OWNER DATA
  # shellcheck disable=SC2046 # process ids
  serving_pid=$(postmaster_of "$2" "$3" $(postmasters))
  [ -z "$serving_pid" ] || [ "$(unit_of_process "$serving_pid")" = "$1" ]
}

undo_postgresql_restart() {
  # One that is still on its way is not made to begin again.
  if [ "$(date +%s)" -ge "$give_up" ] && ! answers; then
    lost "PostgreSQL ($cluster_unit) does not answer yet and was left to itself: when it does, restart it if SHOW max_connections is not what its file says"
    return
  fi
  # Short, since the file that it had is in place again.
  if [ "$give_up" -lt "$(($(date +%s) + 60))" ]; then give_up=$(($(date +%s) + 60)); fi
  # It may have been started since it was noted.
  will_stop "$cluster_unit"
  { restart_postgresql - && start_dependants; } || lost "$why"
}

answers() { answer=$(ask_postgresql "$cluster_owner" "$cluster_port" "$cluster_data" 2>/dev/null 9>&-); }

restart_postgresql() { # MAX_CONNECTIONS
  # systemd refuses a unit that was started often in a short time.
  timeout 60 systemctl reset-failed "$cluster_unit" 2>/dev/null
  try timeout "$((give_up - $(date +%s) + 1))" systemctl restart "$cluster_unit"
  restarted=$?
  if [ "$restarted" != 0 ] && [ "$restarted" != 124 ]; then
    why="PostgreSQL did not start: systemctl restart $cluster_unit: $(reason)"
    return 1
  fi
  until answers; do
    if [ "$(date +%s)" -ge "$give_up" ] || { [ "$restarted" = 0 ] && ! is_running "$cluster_unit"; }; then
      try ask_postgresql "$cluster_owner" "$cluster_port" "$cluster_data"
      why="PostgreSQL does not answer after its restart: $(reason)"
      return 1
    fi
    sleep 0.2
  done
  if [ "$1" != - ] && [ "$answer" != "$1" ]; then
    why="PostgreSQL says max_connections $answer after its restart, not $1: what starts it may set it (Debian: pg_ctl.conf)"
    return 1
  fi
}
