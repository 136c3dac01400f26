/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * family: one calling function for each function of the libc family, so that each shows as a site of its own, and the
 * books kept for it. Functions that not every libc has are looked up at run time; NULL when they are not there.
 */
#pragma once

#include <dlfcn.h>
#include <malloc.h>

#include "victim.h"

struct kept {
	void *p;
	size_t size;
	const char *by; /* who asked for it */
};

static UNUSED struct {
	void *(*pvalloc)(size_t size);
	void *(*valloc)(size_t size);
	void (*cfree)(void *p);
	void (*free_sized)(void *p, size_t size);
	void (*free_aligned_sized)(void *p, size_t alignment, size_t size);
} optional;

/* dlsym() allocates when it finds nothing: call this before victim__ready(). */
static UNUSED void family__look_up(void)
{
#ifndef STATIC_LIBC
	*(void **)&optional.pvalloc = dlsym(RTLD_DEFAULT, "pvalloc");
	*(void **)&optional.valloc = dlsym(RTLD_DEFAULT, "valloc");
#ifdef __GLIBC__
	/* Only for programs from before 2.26, so that it must be asked for by version. */
	*(void **)&optional.cfree = dlvsym(RTLD_DEFAULT, "cfree", "GLIBC_2.2.5");
#else
	*(void **)&optional.cfree = dlsym(RTLD_DEFAULT, "cfree");
#endif
	*(void **)&optional.free_sized = dlsym(RTLD_DEFAULT, "free_sized");
	*(void **)&optional.free_aligned_sized = dlsym(RTLD_DEFAULT, "free_aligned_sized");
#endif
}

static UNUSED struct kept keep(const char *by, void *p, size_t size)
{
	struct kept k = {.p = book__born(by, p, size), .size = size, .by = by};

	return k;
}

SITE static UNUSED struct kept by_malloc(size_t size)
{
	return keep(__func__, malloc(size), size);
}

SITE static UNUSED struct kept by_calloc(size_t count, size_t size)
{
	return keep(__func__, calloc(count, size), count * size);
}

SITE static UNUSED struct kept by_posix_memalign(size_t alignment, size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, alignment, size))
		p = NULL;
	return keep(__func__, p, size);
}

SITE static UNUSED struct kept by_aligned_alloc(size_t alignment, size_t size)
{
	return keep(__func__, aligned_alloc(alignment, size), size);
}

SITE static UNUSED struct kept by_memalign(size_t alignment, size_t size)
{
	return keep(__func__, memalign(alignment, size), size);
}

SITE static UNUSED struct kept by_valloc(size_t size)
{
	return keep(__func__, optional.valloc(size), size);
}

SITE static UNUSED struct kept by_pvalloc(size_t size)
{
	return keep(__func__, optional.pvalloc(size), size);
}

/* After a successful or failed realloc of k to `size` with result p: the new state of k. */
static UNUSED void kept__resized(struct kept *k, const char *by, void *p, size_t size)
{
	if (p) {
		if (k->p)
			book__dead(k->by, k->size);
		*k = keep(by, p, size);
	} else if (k->p && !size) {
		book__dead(k->by, k->size);
		k->p = NULL;
	} else {
		book__born(by, NULL, size);
	}
}

/* The block may be handed to another thread while realloc runs, but its books are ours: they may come after it. */
SITE static UNUSED void by_realloc(struct kept *k, size_t size)
{
	kept__resized(k, __func__, realloc(k->p, size), size);
}

SITE static UNUSED void by_reallocarray(struct kept *k, size_t count, size_t size)
{
	kept__resized(k, __func__, reallocarray(k->p, count, size), count * size);
}

static UNUSED void kept__dead(struct kept *k)
{
	if (k->p)
		book__dead(k->by, k->size);
}

SITE static UNUSED void by_free(struct kept *k)
{
	kept__dead(k);
	free(k->p);
	k->p = NULL;
}

SITE static UNUSED void by_cfree(struct kept *k)
{
	kept__dead(k);
	optional.cfree(k->p);
	k->p = NULL;
}

SITE static UNUSED void by_free_sized(struct kept *k)
{
	kept__dead(k);
	optional.free_sized(k->p, k->size);
	k->p = NULL;
}

SITE static UNUSED void by_free_aligned_sized(struct kept *k, size_t alignment)
{
	kept__dead(k);
	optional.free_aligned_sized(k->p, alignment, k->size);
	k->p = NULL;
}

/* Those that hand out whole pages, some of which stay; not every libc has them. */
static UNUSED void by_page_functions(size_t n)
{
	struct kept k;

	if (optional.valloc) {
		by_valloc(5 + n);
		k = by_valloc(5000);
		by_free(&k);
	}
	if (optional.pvalloc) {
		by_pvalloc(11 + n);
		k = by_pvalloc(4097);
		by_free(&k);
	}
}
