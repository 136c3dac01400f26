/* SPDX-License-Identifier: GPL-2.0-only */
/* over_libc: malloc_names with a malloc() of the program's own, which is a thin layer over libc's by its other names.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "malloc_names.c"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

void *malloc(size_t size)
{
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
	return __libc_realloc(p, size);
}

void free(void *p)
{
	__libc_free(p);
}

int posix_memalign(void **where, size_t alignment, size_t size)
{
	void *p = __libc_memalign(alignment, size);

	if (!p)
		return ENOMEM;
	*where = p;
	return 0;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return __libc_memalign(alignment, size);
}
