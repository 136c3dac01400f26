/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -shared -fPIC
/*
 * preload_header: to preload, a malloc() that calls the next one and puts a header in front of what it hands out, as
 * tools that count or check memory do. Nobody else sees the next one's pointers.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct header {
	void *raw; /* the next one's block */
	size_t size;
};

static void *(*next_malloc)(size_t size);
static void *(*next_realloc)(void *p, size_t size);
static void *(*next_memalign)(size_t alignment, size_t size);
static void (*next_free)(void *p);

/* dlsym() that finds what it looks for allocates nothing. */
static void find_next(void)
{
	*(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&next_memalign = dlsym(RTLD_NEXT, "memalign");
	*(void **)&next_free = dlsym(RTLD_NEXT, "free");
	*(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
}

static struct header *header_of(void *p)
{
	return (struct header *)p - 1;
}

static void *hand_out(void *raw, size_t before, size_t size)
{
	void *p = (char *)raw + before;

	if (!raw)
		return NULL;
	header_of(p)->raw = raw;
	header_of(p)->size = size;
	return p;
}

/* Between the two, as in larger ones. */
static __attribute__((noinline)) void *take(size_t size)
{
	void *volatile p = next_malloc(size);

	return p;
}

void *malloc(size_t size)
{
	if (!next_malloc)
		find_next();
	if (size > PTRDIFF_MAX - sizeof(struct header)) {
		errno = ENOMEM;
		return NULL;
	}
	return hand_out(take(size + sizeof(struct header)), sizeof(struct header), size);
}

void *calloc(size_t count, size_t size)
{
	size_t all;
	void *p;

	if (__builtin_mul_overflow(count, size, &all))
		return NULL;
	p = malloc(all);
	return p ? memset(p, 0, all) : NULL;
}

void free(void *p)
{
	if (p)
		next_free(header_of(p)->raw);
}

void *memalign(size_t alignment, size_t size)
{
	size_t before = alignment < sizeof(struct header) ? sizeof(struct header) : alignment;

	if (!next_malloc)
		find_next();
	return hand_out(next_memalign(alignment, size + before), before, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **where, size_t alignment, size_t size)
{
	void *p = memalign(alignment, size);

	if (!p)
		return ENOMEM;
	*where = p;
	return 0;
}

/* Like glibc's: to nothing is free. */
void *realloc(void *p, size_t size)
{
	struct header old;
	void *raw, *now;

	if (!p)
		return malloc(size);
	if (!size) {
		free(p);
		return NULL;
	}
	old = *header_of(p);
	if (size > PTRDIFF_MAX - sizeof(struct header)) {
		errno = ENOMEM;
		return NULL;
	}
	if ((char *)p - (char *)old.raw == sizeof(struct header)) {
		raw = next_realloc(old.raw, size + sizeof(struct header));
		return hand_out(raw, sizeof(struct header), size);
	}
	now = malloc(size);
	if (now) {
		memcpy(now, p, old.size < size ? old.size : size);
		free(p);
	}
	return now;
}
