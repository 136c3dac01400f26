/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdso: the ELF image without a file that the kernel maps into every process (vdso(7)), kept in a memfd so that it can
 * be read as any other module.
 *
 * The image is nearly always the same, but it is the target's memory: x32 has another one, and a process may make its
 * own writable (the kernel allows it for debuggers). So it is hostile input like any file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VDSO_MAX (64u << 10) /* bytes; x86-64 has 8 KiB, arm64 4 to 8 */

struct vdso {
	size_t size; /* in bytes */
	unsigned char bytes[VDSO_MAX];
};

/*
 * Read the image that process pid has at [start, end). Where its memory cannot be read (Yama may forbid it to
 * all), our own image is taken if it has that size: the kernel is the same. 0, -EFBIG for a size that no image has, or
 * another negative errno.
 */
int vdso__read(struct vdso *v, pid_t pid, uint64_t start, uint64_t end);

/* A file that holds the image, close-on-exec; the caller's. Or a negative errno. */
int vdso__create_file(const struct vdso *v);

/* Whether the file holds this image. */
bool vdso__is_in_file(const struct vdso *v, int fd);
