# WAPT's configuration, and which of its bytes its units' processes have read. A part of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # root, state, placed and the like are theirs; wapt_ini is used by eval

probe_wapt() { # WAPTSERVER_INI, "" for the one that WAPT's units read
  wapt_units
  set -- "${1:-$(wapt_chosen)}"
  fact wapt ini "$1"
  masked "$1" ini
  disk "${1%/*}"
  if [ -n "$root" ]; then return; fi
  wapt_values "$1"
  wapt_listener
  wapt_own_host
  fact wapt changed "$(limited stat -Lc %Z "$1" 2>/dev/null)"
  if ! is_readable /var/lib/pulumi-wapt/read; then return 0; fi
  contents /var/lib/pulumi-wapt/read | while read -r unit start hash; do fact wapt read "$unit" "$start" "$hash"; done
}

# The last value of some keys, where it is a number or a name, in `db_host` and `port`.
wapt_values() { # WAPTSERVER_INI
  db_host='' port=8080
  if ! is_readable "$1" >/dev/null; then return; fi
  while read -r key value; do
    case $key in db_host) db_host=$value ;; waptserver_port) port=$value ;; esac
  done <<END
$(contents "$1" | sed -n "s/^\([a-z_]*\)[ $tab]*[=:][ $tab]*\([0-9A-Za-z._-][0-9A-Za-z._-]*\)[ $tab$cr]*\$/\1 \2/p")
END
}
cr=$(printf '\r')

# Whether db_host leads to an address of this server's own.
wapt_own_host() {
  if [ -z "$db_host" ]; then return; fi
  own=$(awk '/\|-- / { address = $2 } /32 host LOCAL/ { print address }' /proc/net/fib_trie 2>/dev/null)
  for address in $(limited getent ahostsv4 -- "$db_host" | awk '{ print $1 }'); do
    # All of 127 is loopback, and Debian names a server by 127.0.1.1.
    case "
$own
$(case $address in 127.*) printf '%s' "$address" ;; esac)
" in *"
$address
"*) fact wapt own-host "$db_host" && return ;; esac
  done
}

# Each unit of WAPT's that is in use, with the file that its command line names, "" for none, the name of its program, and
# how many processes it names: those that run or are started at boot, and the usual one of a kind of which none is.
wapt_units() {
  named='' several='' plain='' taken=''
  know_unit_files 'waptserver-*' 'wapttasks-*'
  # shellcheck disable=SC2046 # names of units
  set -- $(unit_names 'waptserver-*' waptserver 'wapttasks-*' wapttasks)
  while IFS=$unit_separator read -r unit in_use program f processes; do
    # One that only has such a name, as for a backup, is no server.
    case $unit,$f,$program in ,*) continue ;; *-*,,uwsgi*) ;; *-*,,*) continue ;; esac
    if [ -n "$in_use" ]; then
      taken="$taken ${unit%%-*}"
    else
      case $unit,$taken in *-*,* | waptserver,*waptserver* | wapttasks,*wapttasks*) continue ;; esac
    fi
    fact wapt unit "$unit" "$f" "$program" "$processes"
    case $unit,$f in
      waptserver*,) plain=1 ;;
      waptserver*)
        if [ "${named:-$f}" != "$f" ]; then several=1; fi
        named=$f
        ;;
    esac
  done <<END
$(wapt_shown "$@" | wapt_commands "$@")
END
}

# What systemctl shows of units, or would.
wapt_shown() { # UNIT...
  if [ -z "$root" ]; then
    limited systemctl show -p Id -p ExecStart -p UnitFileState -p ActiveState "$@" 2>/dev/null
    return
  fi
  units_below_root "$@" | while read -r unit fragment; do
    if ! is_readable "$fragment" >/dev/null; then continue; fi
    printf 'Id=%s.service\n' "$unit"
    contents "$fragment" | sed -n 's/^ExecStart=[-@:+!]*\(.*\)/ExecStart={ argv[]=\1 ; ignore_errors=no }/p'
    for f in "$root"/etc/systemd/system/*.wants/"$unit.service"; do if [ -L "$f" ]; then echo UnitFileState=enabled; fi; done
    echo
  done
}

# Of each unit, in the order of its arguments, a line: its name, whether it runs or is started at boot, the name of its
# program, its ini file, its processes. By its own name: another name of a unit is no other unit, and a command line may have
# an empty line in it.
wapt_commands() { # UNIT...; reads what systemctl shows
  units=$* awk -v OFS="$unit_separator" '
    function is_ini(word) { return word ~ /^\/.*\.ini$/ }
    # That of an option -c and the like, or the one at the end, as huey takes it. The -c of a shell that starts it names none.
    function ini_of(words, count,   at, word) {
      for (at = 2; at <= count; at++) {
        word = words[at]
        if (sub(/^--?(c|config|configfile|ini)=/, "", word) && is_ini(word)) return word
        if (word ~ /^--?(c|config|configfile|ini)$/ && is_ini(words[at + 1])) return words[at + 1]
        if (at == count && is_ini(word)) return word
      }
      return ""
    }
    # How many processes uwsgi shall have.
    function processes_of(words, count,   at, word, found) {
      for (at = 2; at <= count; at++) {
        word = words[at]
        if (sub(/^(--(processes|workers)=|-p)/, "", word) && word ~ /^[0-9]+$/) found = word
        else if (words[at] ~ /^(-p|--(processes|workers))$/) found = words[at + 1]
      }
      return found
    }
    BEGIN { RS = "" }
    {
      id = command = in_use = ""
      count = split($0, lines, "\n")
      for (i = 1; i <= count; i++) {
        if (lines[i] ~ /^Id=/) id = substr(lines[i], 4)
        else if (lines[i] ~ /^(ActiveState=active|UnitFileState=enabled.*)$/) in_use = 1
        else if (command == "" && match(lines[i], /^ExecStart=.* argv\[\]=/)) {
          command = substr(lines[i], RLENGTH + 1)
          if (!sub(/ ; ignore_errors=.*/, "", command)) command = ""
        }
      }
      if (command != "" && !(id in commands)) { commands[id] = command; used[id] = in_use }
    }
    END {
      total = split(ENVIRON["units"], names, " ")
      for (i = 1; i <= total; i++) {
        id = names[i] ".service"
        count = split(commands[id], words, " ")
        if (count == 0) continue
        program = words[1]
        sub(/.*\//, "", program)
        print names[i], used[id], program, ini_of(words, count), processes_of(words, count)
      }
    }'
}

# Where WAPT's installer puts it, by the version, unless its units name one.
wapt_chosen() {
  if [ -n "$named" ] && [ -z "$plain$several" ]; then
    printf '%s' "$named"
  elif [ ! -e "$root/opt/wapt/conf/waptserver.ini" ] && [ -e "$root/opt/wapt/waptserver/waptserver.ini" ]; then
    printf /opt/wapt/waptserver/waptserver.ini
  else
    printf /opt/wapt/conf/waptserver.ini
  fi
}

# Who listens on waptserver's port: its program may have been started outside its unit.
wapt_listener() {
  listener=$(limited ss -ltnpH "sport = :$port" 2>/dev/null | sed -n '/.*pid=\([0-9]*\).*/ { s//\1/p; q; }')
  if [ -z "$listener" ]; then return; fi
  fact wapt listener "$port" "$listener" "$(group_unit "$listener")" "$(cat "/proc/$listener/comm" 2>/dev/null)"
}

# A file's time changes with its owner or its mode, too, and when it is put back. So what the processes have read is kept
# on the server: lines of UNIT START SHA256, by the start of the unit's process.
wapt_ini='' wapt_hash=''
wapt_remember() { # WAPTSERVER_INI SHA256 UNIT...: those that were started behind the last change of what stands
  wapt_ini=$1 wapt_hash=$2
  changed=$(timeout 20 stat -Lc %Z "$1" 2>/dev/null) hash=$2
  shift 2
  lines=$(for unit; do
    begun=$(start_of_unit "$unit")
    if [ -z "$begun" ]; then continue; fi
    if [ "${changed:-0}" -le "$((begun + 1))" ]; then
      printf '%s %s %s\n' "$unit" "$begun" "$hash"
    else
      grep "^$unit $begun " "$state/read" 2>/dev/null
    fi
  done)
  keep_read "$lines"
}

# By times alone a file of the future, as of a clock that was set back, would never have been read.
wapt_started() { # UNIT...: they have read what this run put in place, else what stood
  hash=${wapt_hash#-}
  for id in $placed_first $placed; do
    eval "if [ \"\$path_$id\" = \"\$wapt_ini\" ]; then hash=\$new_hash_$id; fi"
  done
  if [ -z "$hash" ]; then return; fi
  lines=$(for unit; do
    begun=$(start_of_unit "$unit")
    if [ -n "$begun" ]; then printf '%s %s %s\n' "$unit" "$begun" "$hash"; fi
  done)
  keep_read "$lines"
}

keep_read() { # LINES
  try write_read "$1" || note "what WAPT has read of its configuration could not be noted: $(reason)"
}

write_read() { printf '%s\n' "$1" | cat >"$state/read.new" && mv -f "$state/read.new" "$state/read"; } # LINES

# Sections, keys, delimiters, blanks and line ends stay, so that ini-parser.ts reads the same lines; every other byte is an
# x. Readable are the values of our keys, and comments that the server's record holds as well: an edit has moved them
# there from a value, and they are sent with the record anyway.
mask_ini() {
  # shellcheck disable=SC2016 # awk's
  limited env record="$root/var/lib/pulumi-wapt/record.json" awk '
    BEGIN {
      ORS = ""
      ours["db_host"] = ours["db_port"] = ours["db_max_connections"] = ours["max_clients"] = ours["processes"] = ours["workers"] = 1
      # What Python strips: in ASCII, and in UTF-8 of two and three bytes.
      ascii = " \t\v\f\r\034\035\036\037"
      wide["\302\205"] = wide["\302\240"] = wide["\341\232\200"] = wide["\342\201\237"] = wide["\343\200\200"] = 1
      wide["\342\200\250"] = wide["\342\200\251"] = wide["\342\200\257"] = 1
      for (i = 128; i <= 138; i++) wide["\342\200" sprintf("%c", i)] = 1
      path = ENVIRON["record"]
      while ((getline line < path) > 0) if (line ~ /"before"/) record = record line "\n"
      # A byte as it stands in the record: in JSON, and each of the upper half as a character of its own in UTF-8.
      for (i = 1; i < 256; i++) {
        c = sprintf("%c", i)
        json[c] = i < 32 ? sprintf("\\u%04x", i) : i < 128 ? c : sprintf(i < 192 ? "\302%c" : "\303%c", i < 192 ? i : i - 64)
      }
      json["\t"] = "\\t"; json["\f"] = "\\f"; json["\b"] = "\\b"; json["\r"] = "\\r"; json["\\"] = "\\\\"; json["\""] = "\\\""
    }

    function hidden(text) {
      gsub(/[^ \t\v\f\r\034\035\036\037]/, "x", text)
      return text
    }

    # How many bytes the blank takes that begins at a place, or that ends there; 0 when none does.
    function blank_at(text, at,   c) {
      c = substr(text, at, 1)
      if (c == "") return 0
      if (index(ascii, c)) return 1
      if (substr(text, at, 2) in wide) return 2
      return (substr(text, at, 3) in wide) ? 3 : 0
    }
    function blank_before(text, end,   c) {
      c = substr(text, end, 1)
      if (index(ascii, c)) return 1
      if (end >= 2 && (substr(text, end - 1, 2) in wide)) return 2
      return (end >= 3 && (substr(text, end - 2, 3) in wide)) ? 3 : 0
    }
    function behind_blanks(text, at, end,   length_of) {
      blanks = 0
      while (at <= end && (length_of = blank_at(text, at))) {
        at += length_of
        blanks++
      }
      return at
    }
    function before_blanks(text, start, end,   length_of) {
      while (end >= start && (length_of = blank_before(text, end))) end -= length_of
      return end
    }

    function is_recorded(text,   sought, i) {
      sub(/\r$/, "", text)
      if (record == "" || length(text) > length(record)) return 0
      for (i = 1; i <= length(text); i++) sought = sought json[substr(text, i, 1)]
      return index(record, sought)
    }

    # The line with what stands from a place up to another one masked.
    function masked(line, from, end) {
      return substr(line, 1, from - 1) hidden(substr(line, from, end - from + 1)) substr(line, end + 1)
    }

    function last(text, c,   at, found) {
      while (at = index(text, c)) {
        found += at
        text = substr(text, at + 1)
      }
      return found + 0
    }

    function in_ini(line,   from, end, bracket, sign, key, value) {
      if (NR == 1 && substr(line, 1, 3) == "\357\273\277") return masked(line, 4, length(line))
      if (NR == 1 && (line ~ /^\377\376/ || line ~ /^\376\377/)) return masked(line, 3, length(line))
      # Python takes a lone one for a line end. Such a file is refused, so nothing of the line is needed.
      if (line ~ /\r./) return masked(line, 1, length(line))
      from = behind_blanks(line, 1, length(line))
      indent = blanks
      end = before_blanks(line, from, length(line))
      if (from > end) return line
      if (substr(line, from, 1) ~ /[#;]/) return is_recorded(line) ? line : masked(line, from + 1, length(line))
      if (is_within && indent > level) return is_ours ? line : masked(line, from, end)
      level = indent
      is_within = 0
      bracket = substr(line, from, 1) == "[" ? last(substr(line, from, end - from + 1), "]") : 0
      if (bracket >= 3) return masked(line, from + bracket, length(line))
      if (!match(substr(line, from, end - from + 1), /[=:]/)) return masked(line, from, end)
      sign = from + RSTART - 1
      key = substr(line, from, before_blanks(line, from, sign - 1) - from + 1)
      value = behind_blanks(line, sign + 1, end)
      is_within = 1
      is_ours = tolower(key) in ours
      return is_ours ? line : masked(line, value, end)
    }

    { print (NR > 1 ? "\n" : "") in_ini($0) }'
}
