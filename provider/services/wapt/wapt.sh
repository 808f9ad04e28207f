# WAPT's configuration. Its services are systemd's units. A part of observe.sh.
# shellcheck shell=sh

probe_wapt() { # WAPTSERVER_INI
  fact wapt ini "$1"
  file "$1"
  disk "${1%/*}"
}
