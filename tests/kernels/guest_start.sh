#!/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The first program in the guest, in the initrd: drivers, the host's files at /host, and on to the script there that VM_SETUP
# names (by the kernel's command line).
for folder in proc sys dev host bin; do /busybox mkdir -p /$folder; done
/busybox --install -s /bin
PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
	[ ! -e "$module" ] || insmod "$module" || echo "vm: cannot load $module"
done
mount -t virtiofs host /host && . "/host$VM_SETUP"
reboot -f
