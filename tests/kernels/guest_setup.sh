# SPDX-License-Identifier: GPL-2.0-only
#
# Read by guest_start.sh (busybox): the host's files under the same paths, writes to them kept in memory and lost, except
# in the folder VM_SHARE. Then the command, which is in VM_FOLDER; it has a channel each for stdout, stderr and status.
mkdir /writes /new
mount -t tmpfs -o size=75% tmpfs /writes && mkdir /writes/upper /writes/work
mount -t overlay -o lowerdir=/host,upperdir=/writes/upper,workdir=/writes/work overlay /new || reboot -f
[ -z "$VM_SHARE" ] || mount --bind "/host$VM_SHARE" "/new$VM_SHARE" || reboot -f
# The host's server would let the guest write everywhere. This mount only: the share is another one.
mount -o remount,bind,ro /host
for folder in proc sys dev; do mount --move /$folder /new/$folder; done
cd /new || reboot -f
mkdir -p dev/pts dev/shm
mount -t devpts -o ptmxmode=666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs tmpfs run
mount -t tracefs tracefs sys/kernel/tracing
mount -t debugfs debugfs sys/kernel/debug
mount -t bpf bpf sys/fs/bpf
mount -t cgroup2 cgroup2 sys/fs/cgroup
ln -sf /proc/self/fd dev/fd
hostname vm
ip link set lo up
cp /busybox run/busybox
cat >run/init <<-END
	/bin/bash $VM_FOLDER/command </dev/null >/dev/vport0p1 2>/dev/vport0p2
	echo \$? >/dev/vport0p3
	/run/busybox reboot -f
END
exec switch_root /new /run/busybox sh /run/init
