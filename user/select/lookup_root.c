/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "select/lookup_root.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

static int find(int root_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (root_fd == HOST_ROOT)
		return path[0] == '/' ? open(path, O_PATH | O_CLOEXEC | flags) : -1;
	/*
	 * A sandbox may deny openat2() (ENOSYS, EPERM). Then files of the target's root are not looked at: any other
	 * way to walk a path could be led out of that root by a symbolic link. This host is still searched.
	 */
	fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	return (int)fd;
}

/* O_NONBLOCK: whoever holds a lease on the file (F_SETLEASE) would keep us waiting for it otherwise. */
static int open_regular(int root_fd, const char *path, int flags)
{
	char self[64];
	__cleanup_close int fd = find(root_fd, path, flags);
	struct stat st;
	int out;

	if (fd < 0 || fstat(fd, &st))
		return -ENOENT;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	out = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return out < 0 ? -errno : out;
}

int lookup_root__open(int root_fd, const char *path)
{
	return open_regular(root_fd, path, 0);
}

int lookup_root__open_itself(int root_fd, const char *path)
{
	return open_regular(root_fd, path, O_NOFOLLOW);
}

bool lookup_root__is_host(int root_fd)
{
	struct stat a, b;

	return root_fd == HOST_ROOT ||
	       (!fstat(root_fd, &a) && !stat("/", &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

bool lookup_root__may_map(int root_fd, int fd)
{
	struct statfs fs;
	struct stat st;

	if (root_fd != HOST_ROOT || fstat(fd, &st) || fstatfs(fd, &fs))
		return false;
	if (st.st_uid || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return false;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case SQUASHFS_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}
