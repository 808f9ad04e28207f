# The kernel: its queues and limits of open files. A part of observe.sh and apply.sh.
# shellcheck shell=sh
# shellcheck disable=SC2154 # root is theirs

probe_kernel() {
  files_that_name 'somaxconn|tcp_max_syn_backlog|[*]' \
    /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d /lib/sysctl.d
  file /etc/sysctl.d/wapt.conf
  file /etc/sysctl.conf
  file /etc/security/limits.conf
  files_that_name nofile /etc/security/limits.d
  disk /etc
  if [ -n "$root" ]; then return; fi
  for key in net/core/somaxconn net/ipv4/tcp_max_syn_backlog fs/nr_open fs/file-max net/ipv4/ip_local_port_range; do
    if [ -r "/proc/sys/$key" ]; then fact kernel sysctl "$key" "$(tr '\t' ' ' <"/proc/sys/$key")"; fi
  done
  fact kernel cpus "$(nproc 2>/dev/null || echo 1)"
  fact kernel memory "$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)"
  # In a container root can't raise its hard limit; reading does not tell, trying does.
  # shellcheck disable=SC3045 # dash and busybox have ulimit -Hn
  if ! (ulimit -Hn "$(cat /proc/sys/fs/nr_open)") 2>/dev/null; then
    limits=$(open_files 1)
    fact kernel ceiling "${limits#* }"
  fi
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
