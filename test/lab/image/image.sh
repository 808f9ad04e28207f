#!/bin/sh
# Makes a disk image for User-Mode Linux of a base: image.sh BASE WORK IMAGE
# WORK is an empty folder. It mounts: run it in a mount namespace of its own.
set -eu

base=$1
work=$2
image=$3
recipe=$(cd "$(dirname "$0")" && pwd)
size=4G
version=$(linux.uml --version | tail -n 1)

# What the image has more than the base is laid over it: the base stays as it is, and needs no copy.
mkdir "$work/upper" "$work/workdir" "$work/root"
mount -t overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/workdir" lab-image "$work/root"
root=$work/root

mkdir -p "$root/lib/modules"
cp -a "/usr/lib/uml/modules/$version" "$root/lib/modules/"
depmod -b "$root" "$version"
echo ipv6 > "$root/etc/modules-load.d/ipv6.conf" # nginx listens on [::]
echo '/dev/ubda / ext4 defaults 0 1' > "$root/etc/fstab"
install -m 644 "$recipe/lab-identity.service" "$root/etc/systemd/system/lab-identity.service"
install -m 755 "$recipe/lab-identity" "$root/usr/local/sbin/lab-identity"
chroot "$root" systemctl enable lab-identity.service
mke2fs -q -t ext4 -d "$root" "$image" "$size"
