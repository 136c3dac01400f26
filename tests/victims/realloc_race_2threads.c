/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * realloc_race_2threads [OPS [MAPPED]]: one thread resizes blocks so that they move; the other asks for blocks of the
 * old size all the time and so gets the old address before the first one's realloc has returned. One arena and no
 * thread cache, or the address would stay with its thread. MAPPED: the old block is a mapping of its own, not heap.
 */
#define _GNU_SOURCE
#include "crew.h"
#include "family.h"

#define HELD 8

static long ops = 30000, most_ops;
static size_t old_size, new_size;
static void *volatile given_up; /* by a realloc that has not returned yet */
static int volatile finished;
static long volatile taken;

static void resize(void)
{
	struct kept k;
	long i;

	for (i = 0; i < ops || (!taken && i < most_ops); i++) {
		k = by_malloc(old_size);
		given_up = k.p;
		by_realloc(&k, new_size);
		given_up = NULL;
		if (i % 100)
			by_free(&k);
	}
	finished = 1;
}

static void grab(void)
{
	struct kept held[HELD] = {};
	long i;

	for (i = 0; !finished; i++) {
		struct kept *k = &held[i % HELD];

		by_free(k);
		*k = by_malloc(old_size);
		taken += k->p == given_up;
	}
}

static void work(int index)
{
	if (index)
		grab();
	else
		resize();
}

int main(int argc, char **argv)
{
	if (!getenv("GLIBC_TUNABLES")) {
		setenv("GLIBC_TUNABLES",
		       "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1:glibc.malloc.mmap_threshold=131072", 1);
		execv("/proc/self/exe", argv);
		abort();
	}
	ops = victim__arg(argc, argv, 1, ops);
	/* A small block does not grow in place: its neighbours are in use. A mapping does not shrink into the heap in
	 * place. */
	old_size = victim__arg(argc, argv, 2, 0) ? 300000 : 24;
	most_ops = old_size == 24 ? 500000 : 0;
	new_size = 3000;
	crew__start(2, work);
	victim__ready(argc, argv);
	crew__run();
	book__note("taken", taken);
	return victim__truth();
}
