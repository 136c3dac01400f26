/* SPDX-License-Identifier: GPL-2.0-only */
/* over_je: malloc_names with a malloc() of the program's own, which is a thin layer over a jemalloc with a prefix. */
#define _GNU_SOURCE
#include <errno.h>

#define JEMALLOC_NO_RENAME
#define JEMALLOC_NO_DEMANGLE
#include <jemalloc/jemalloc.h>

#include "malloc_names.c"

void *malloc(size_t size)
{
	return je_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return je_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
	return je_realloc(p, size);
}

void free(void *p)
{
	je_free(p);
}

int posix_memalign(void **where, size_t alignment, size_t size)
{
	return je_posix_memalign(where, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return je_aligned_alloc(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return je_mallocx(size ? size : 1, MALLOCX_ALIGN(alignment));
}
