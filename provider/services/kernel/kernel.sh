# The kernel: its queues and limits of open files. A part of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # root is theirs

probe_kernel() {
  files_that_name 'somaxconn|tcp_max_syn_backlog|[*]' \
    /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d /lib/sysctl.d
  file /etc/sysctl.d/wapt.conf
  file /etc/sysctl.conf
  file /etc/security/limits.conf
  # A line "USER -" frees it of every limit, and names none.
  files_that_name . /etc/security/limits.d
  disk /etc
  if [ -n "$root" ]; then return; fi
  send_files
  kernel_logins
  kernel_managers
  # Not by the shell's own read: it takes a byte at a time, and the kernel gives no more than the first.
  (cd /proc/sys && grep -s '' net/core/somaxconn net/ipv4/tcp_max_syn_backlog fs/nr_open fs/file-max net/ipv4/ip_local_port_range) |
    tr '\t' ' ' | while IFS=: read -r key value; do fact kernel sysctl "$key" "$value"; done
  fact kernel cpus "$(nproc 2>/dev/null || echo 1)"
  fact kernel memory "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
  # In a container root can't raise its hard limit; reading does not tell, trying does.
  # shellcheck disable=SC3045 # dash and busybox have ulimit -Hn
  if ! (ulimit -Hn "$(cat /proc/sys/fs/nr_open)") 2>/dev/null; then
    limits=$(open_files 1)
    fact kernel ceiling "${limits#* }"
  fi
}

# Others that set our keys when they start, as far as they are in use: tuned by a profile, ufw by a file of its own.
kernel_managers() {
  tuned_seen=' '
  if command -v tuned-adm >/dev/null; then tuned_active; fi
  if grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then keys_set_by ufw /etc/ufw/sysctl.conf; fi
}

tuned_active() {
  for profile in $(limited tuned-adm active 2>/dev/null | sed -n 's/^Current active profile: //p'); do tuned_profile "$profile"; done
}

tuned_profile() { # PROFILE, with those that it includes
  case $tuned_seen in *" $1 "*) return ;; esac
  tuned_seen="$tuned_seen$1 "
  for folder in /etc/tuned /etc/tuned/profiles /usr/lib/tuned /usr/lib/tuned/profiles; do
    f=$folder/$1/tuned.conf
    if ! is_readable "$f"; then continue; fi
    keys_set_by "tuned's profile $1" "$f"
    for profile in $(contents "$f" | sed -n 's/^include[ \t]*=//p' | tr ',' ' '); do tuned_profile "$profile"; done
    return
  done
}

keys_set_by() { # WHO FILE
  if ! is_readable "$2"; then return; fi
  contents "$2" | sed -n 's|^[ \t]*\(net[./]core[./]somaxconn\)[ \t]*=.*|\1|p; s|^[ \t]*\(net[./]ipv4[./]tcp_max_syn_backlog\)[ \t]*=.*|\1|p' |
    while read -r key; do fact kernel manager "$1" "$2" "$key"; done
}

# What PAM gives a login of each user that a line names. A range of numbers, a group or a word in capitals may decide it.
kernel_logins() {
  if ! asks_pam; then return; fi
  for f in /etc/security/limits.conf /etc/security/limits.d/*.conf; do
    if is_readable "$f"; then contents "$f"; fi
  done | sed -n 's/^[ \t]*\([A-Za-z_][A-Za-z0-9_.-]*\)[ \t].*nofile.*/\1/p' | sort -u | head -n 10 |
    while read -r user; do
      if given=$(login_limits "$user"); then
        # shellcheck disable=SC2086 # two words
        fact kernel login "$user" $given "$(lines_of_limits "$user")"
      fi
    done
}

# Whether runuser gives what a login gets.
asks_pam() { grep -qs '^[^#]*pam_limits' /etc/pam.d/runuser; }

# shellcheck disable=SC2016 # expanded by the inner shell
login_limits() { # USER: its soft and hard limit of open files, two words
  id -u "$1" >/dev/null 2>&1 &&
    timeout 20 runuser -u "$1" -- sh -c 'printf "%s %s\n" "$(ulimit -Sn)" "$(ulimit -Hn)"' 2>/dev/null </dev/null
}

# Lines of the later files that may be about a user: not those that name another one.
lines_of_limits() { # USER
  grep -iHnE "^[[:space:]]*($1|[*@%0-9:][^[:space:]]*)[[:space:]]+(-[[:space:]]*\$|.*nofile)" /etc/security/limits.d/*.conf 2>/dev/null |
    head -n 5
}

kernel_login() { # USER TYPE LIMIT
  if ! asks_pam || ! given=$(login_limits "$1"); then return; fi
  case $2 in hard) given=${given#* } ;; *) given=${given% *} ;; esac
  if [ "$given" = "$3" ]; then return; fi
  others=$(lines_of_limits "$1" | tr '\n' ';')
  fail refused "a login of $1 gets $given open files ($2), not the $3 of limits.conf(5): another line decides${others:+ ($others)}; remove it there"
}

# A write in a network namespace of its own, where it has the key, tells without touching the real value.
# shellcheck disable=SC2016 # expanded by the inner shell
kernel_takes() { # KEY VALUE
  ! unshare -n true 2>/dev/null ||
    unshare -n sh -c '[ ! -w "/proc/sys/$1" ] || printf "%s\n" "$2" >"/proc/sys/$1"' sh "$1" "$2" 2>/dev/null
}

kernel_check() { # KEY VALUE
  if [ ! -e "/proc/sys/$1" ]; then
    fail refused "this kernel has no $1: remove the setting from the program"
  elif ! kernel_takes "$1" "$2"; then
    fail refused "the kernel refuses the value $2 for $1"
  fi
}

write_sysctl() { # KEY VALUE
  { printf '%s\n' "$2" >"/proc/sys/$1"; } 2>/dev/null
  now=$(cat "/proc/sys/$1")
  [ "$now" = "$2" ]
}

sysctls=''
kernel_sysctl() { # KEY VALUE
  on_undo kernel_sysctl
  sysctls="$sysctls$1 $(cat "/proc/sys/$1")
"
  write_sysctl "$1" "$2" || fail refused "$1 is $now after $2 was written to it: a container may not set it"
}

undo_kernel_sysctl() {
  while read -r key was; do
    [ -z "$key" ] || write_sysctl "$key" "$was" || lost "$key is $now, not $was"
  done <<END
$sysctls
END
}
