/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cleanup: release a resource when its variable leaves scope (the GCC attribute, as in the kernel's linux/cleanup.h).
 *
 *	__cleanup_free char *path = strdup(...);
 *	__cleanup_close int fd = open(...);
 *	return steal_fd(&fd);	// hand it to the caller instead
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define __cleanup(fn) __attribute__((cleanup(fn)))

static inline void cleanup__free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup__close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup__fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup__closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define __cleanup_free	   __cleanup(cleanup__free)
#define __cleanup_close	   __cleanup(cleanup__close)
#define __cleanup_fclose   __cleanup(cleanup__fclose)
#define __cleanup_closedir __cleanup(cleanup__closedir)

static inline int steal_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

static inline void *steal_ptr_(void *pp)
{
	void *out = *(void **)pp;

	*(void **)pp = NULL;
	return out;
}
#define steal_ptr(pp) ((typeof(*(pp)))steal_ptr_(pp))
