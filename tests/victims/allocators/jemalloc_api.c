/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * jemalloc_api [ROUNDS]: jemalloc's own interface, in two threads. Built with a prefix (-DPREFIX=_rjem_), malloc() is
 * that of libc and used, too.
 */
#define _GNU_SOURCE
#define JEMALLOC_NO_DEMANGLE /* keep je_ as what it is called by here */
#ifdef PREFIX
#define JEMALLOC_NO_RENAME
#define PREFIXED_(prefix, name) prefix##name
#define PREFIXED(prefix, name)	PREFIXED_(prefix, name)
#define je_malloc		PREFIXED(PREFIX, malloc)
#define je_calloc		PREFIXED(PREFIX, calloc)
#define je_realloc		PREFIXED(PREFIX, realloc)
#define je_free			PREFIXED(PREFIX, free)
#define je_posix_memalign	PREFIXED(PREFIX, posix_memalign)
#define je_aligned_alloc	PREFIXED(PREFIX, aligned_alloc)
#define je_mallocx		PREFIXED(PREFIX, mallocx)
#define je_rallocx		PREFIXED(PREFIX, rallocx)
#define je_xallocx		PREFIXED(PREFIX, xallocx)
#define je_dallocx		PREFIXED(PREFIX, dallocx)
#define je_sdallocx		PREFIXED(PREFIX, sdallocx)
#endif
#include <jemalloc/jemalloc.h>

#include "crew.h"
#include "family.h"

#define THREADS 2
#define LEAK	40000

/* Not more than jemalloc can have, which would be undefined for these. */
static volatile size_t huge = (size_t)1 << 60;
static long rounds = 60, stayed, moved_not;

SITE static void leaked_here(void)
{
	keep(__func__, je_mallocx(LEAK, 0), LEAK);
}

SITE static struct kept by_mallocx(size_t size, int flags)
{
	return keep(__func__, je_mallocx(size, flags), size);
}

SITE static void by_rallocx(struct kept *k, size_t size, int flags)
{
	kept__resized(k, __func__, je_rallocx(k->p, size, flags), size);
}

/* In place, or not at all: then it has what it had. */
SITE static void by_xallocx(struct kept *k, size_t size, size_t extra)
{
	if (je_xallocx(k->p, size, extra, 0) < size) {
		__atomic_add_fetch(&moved_not, 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_add_fetch(&stayed, 1, __ATOMIC_RELAXED);
	kept__resized(k, __func__, k->p, size);
}

SITE static void by_dallocx(struct kept *k, int flags)
{
	kept__dead(k);
	je_dallocx(k->p, flags);
	k->p = NULL;
}

SITE static void by_sdallocx(struct kept *k, int flags)
{
	kept__dead(k);
	je_sdallocx(k->p, k->size, flags);
	k->p = NULL;
}

SITE static struct kept by_je_malloc(size_t size)
{
	return keep(__func__, je_malloc(size), size);
}

SITE static struct kept by_je_calloc(size_t count, size_t size)
{
	return keep(__func__, je_calloc(count, size), count * size);
}

SITE static struct kept by_je_posix_memalign(size_t alignment, size_t size)
{
	void *p = NULL;

	if (je_posix_memalign(&p, alignment, size))
		p = NULL;
	return keep(__func__, p, size);
}

SITE static struct kept by_je_aligned_alloc(size_t alignment, size_t size)
{
	return keep(__func__, je_aligned_alloc(alignment, size), size);
}

SITE static void by_je_realloc(struct kept *k, size_t size)
{
	kept__resized(k, __func__, je_realloc(k->p, size), size);
}

SITE static void by_je_free(struct kept *k)
{
	kept__dead(k);
	je_free(k->p);
	k->p = NULL;
}

static void own_names(size_t n)
{
	struct kept a = by_mallocx(100 + n, 0), b = by_mallocx(3 * n + 1, MALLOCX_ZERO);
	struct kept c = by_mallocx(200, MALLOCX_ALIGN(4096)), d = by_mallocx(70000, MALLOCX_TCACHE_NONE);

	by_mallocx(huge, 0);
	by_rallocx(&a, 150 + n, 0);
	by_rallocx(&a, 60000 + 100 * n, MALLOCX_ZERO);
	by_rallocx(&a, huge, 0);
	by_xallocx(&a, 60000 + 100 * n + 1, 0);
	by_xallocx(&b, 3 * n + 2, 0);
	by_xallocx(&b, 1 << 20, 0);
	by_xallocx(&d, 100000, 0);
	by_xallocx(&d, 65000, 5000);
	by_xallocx(&d, 200, 0);
	by_sdallocx(&c, MALLOCX_ALIGN(4096));
	by_dallocx(&d, MALLOCX_TCACHE_NONE);
	if (n % 4)
		by_dallocx(&a, 0);
	if (n % 8)
		by_sdallocx(&b, 0);
}

static void malloc_names(size_t n)
{
	struct kept a = by_je_malloc(33 + n), b = by_je_calloc(n + 1, 9), none = {};
	struct kept c = by_je_posix_memalign(128, 500), d = by_je_aligned_alloc(64, 640);

	by_je_malloc(huge);
	by_je_realloc(&a, 2000 + n);
	by_je_realloc(&none, 17);
	by_je_realloc(&none, 0);
	if (none.p)
		by_je_free(&none);
	by_je_free(&c);
	by_je_free(&d);
	if (n % 4)
		by_je_free(&a);
	if (n % 4)
		by_je_free(&b);
}

/* Libc's where jemalloc has a prefix, else jemalloc's once more. */
static void program_names(size_t n)
{
	struct kept a = by_malloc(44 + n), b = by_calloc(2, n + 5);

	by_realloc(&a, 900 + n);
	by_free(&b);
	if (n % 8)
		by_free(&a);
}

static void work(int index)
{
	int i;

	for (i = 0; i < rounds; i++) {
		own_names((size_t)(i + index));
		malloc_names((size_t)(i + index));
		program_names((size_t)(i + index));
		leaked_here();
	}
}

int main(int argc, char **argv)
{
	rounds = victim__arg(argc, argv, 1, rounds);
	crew__start(THREADS, work);
	victim__ready(argc, argv);
	crew__run();
	book__note("stayed", stayed);
	book__note("moved_not", moved_not);
	return victim__truth();
}
