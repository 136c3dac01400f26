/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lookup_root: open regular files below the root directory of a target, or of this host.
 */
#pragma once

#include <stdbool.h>

#define HOST_ROOT (-1)

/*
 * Open path for reading, as a process with that root would, and nothing but a regular file: opening a FIFO could block
 * for ever, opening a device can have effects. HOST_ROOT: this host's. Returns a descriptor or a negative errno.
 */
int lookup_root__open(int root_fd, const char *path);

/* The same, for a file that must be at that path itself: a symbolic link there is refused with -EINVAL. */
int lookup_root__open_itself(int root_fd, const char *path);

/* Whether root_fd is the same directory as this host's root. */
bool lookup_root__is_host(int root_fd);

/*
 * Whether the file can be mapped without risking SIGBUS: only this host's root could truncate it, and it lies on a
 * local file system.
 */
bool lookup_root__may_map(int root_fd, int fd);
