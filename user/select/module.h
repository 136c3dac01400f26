/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * module: one executable file that a target has mapped (its program, a shared library), opened when first seen and held
 * open, so that names survive dlclose(), the target's exit and a package upgrade that replaces the file.
 *
 * The file is opened through the target's own view (/proc/PID/map_files, then /proc/PID/root), never through ours: in a
 * container the same path names another file.
 *
 * The vdso is a module, too: fd is a memfd with a copy of its image, path is "[vdso]".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BUILD_ID_MAX 20

struct module {
	char *path;	/* as the target sees it, without " (deleted)" */
	bool deleted;	/* replaced or unlinked since it was mapped */
	bool vdso;	/* the kernel's, in no file system */
	int fd;		/* read-only, close-on-exec; -1 when it could not be opened */
	int open_error; /* negative errno that says why, when fd < 0 */
	int root_fd;	/* O_PATH of the target's root directory, for separate debug files; -1 if unknown */
	pid_t pid;	/* a process that mapped it (first seen), for messages */
	dev_t map_dev;	/* device and inode as /proc/PID/maps shows them (on overlayfs they differ from fstat's) */
	ino_t map_ino;
	uint8_t build_id[BUILD_ID_MAX];
	size_t build_id_len; /* 0: the file has none */
};

/* The build-id as lower-case hex into buf[size]; empty string when there is none. Returns buf. */
char *module__build_id_hex(const struct module *m, char *buf, size_t size);

/* Cut off the " (deleted)" that the kernel appends to the path of a file without a name. True if it was there. */
bool module__strip_deleted(char *path);

/* The last component of path. Never NULL. */
const char *module__name(const struct module *m);

/* Is this its path, or the last component of that? */
bool module__is_called(const struct module *m, const char *name);
