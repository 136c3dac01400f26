/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -shared -fPIC
/*
 * late_lib: a library with an allocator inside, for late_allocator to load. Either a jemalloc of its own, with a
 * prefix; or a family with a name of its own.
 */
#include <stddef.h>
#include <string.h>

void *lib_alloc(size_t size);
void lib_free(void *p);

#ifdef PREFIX
void *_rjem_malloc(size_t size);
void _rjem_free(void *p);

void *lib_alloc(size_t size)
{
	return _rjem_malloc(size);
}

void lib_free(void *p)
{
	_rjem_free(p);
}
#else
#define SLOTS 512
#define ROOM  256

static char memory[SLOTS][ROOM] __attribute__((aligned(16)));
static char taken[SLOTS];

void *late_alloc(size_t size);
void late_free(void *p);

__attribute__((noinline)) void *late_alloc(size_t size)
{
	int i;

	for (i = 0; i < SLOTS && size <= ROOM; i++) {
		if (!taken[i]) {
			taken[i] = 1;
			return memory[i];
		}
	}
	return NULL;
}

__attribute__((noinline)) void late_free(void *p)
{
	if (p)
		taken[((char *)p - memory[0]) / ROOM] = 0;
}

void *lib_alloc(size_t size)
{
	return late_alloc(size);
}

void lib_free(void *p)
{
	late_free(p);
}
#endif
