/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * threads8 [THREADS [OPS]]: random calls of the family from many threads. Blocks change hands through a table, so that
 * most are freed or resized by another thread than the one that asked for them.
 */
#define _GNU_SOURCE
#include "crew.h"
#include "family.h"

#define PLACES 4096

static struct kept *places[PLACES];
static long ops = 4000;

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static struct kept make(uint32_t kind, size_t size)
{
	struct kept none = {};

	switch (kind % 7) {
	case 0:
		return by_calloc(2, size);
	case 1:
		return by_posix_memalign(64, size);
	case 2:
		return by_memalign(32, size);
	case 3:
		return by_aligned_alloc(16, size & ~(size_t)15);
	case 4:
		by_realloc(&none, size);
		return none;
	case 5:
		by_reallocarray(&none, 3, size);
		return none;
	}
	return by_malloc(size);
}

/* Every block holds its own description, at its start. */
static struct kept *put(struct kept k)
{
	*(struct kept *)k.p = k;
	return k.p;
}

static void turn(uint32_t *seed)
{
	uint32_t r = next_random(seed);
	struct kept **place = &places[r % PLACES];
	size_t size = sizeof(struct kept) + 16 + next_random(seed) % (r % 64 ? 700 : 150000);
	struct kept *there = __atomic_exchange_n(place, NULL, __ATOMIC_ACQ_REL);
	struct kept k;

	if (!there) {
		there = put(make(r >> 16, size));
	} else {
		k = *there;
		there = NULL;
		if ((r >> 16) % 3) {
			by_free(&k);
		} else {
			by_realloc(&k, size);
			there = put(k);
		}
	}
	if (!there)
		return;
	there = __atomic_exchange_n(place, there, __ATOMIC_ACQ_REL);
	if (there) {
		k = *there;
		by_free(&k);
	}
}

static void work(int index)
{
	uint32_t seed = 2463534242u + (uint32_t)index * 7919;
	long i;

	for (i = 0; i < ops; i++)
		turn(&seed);
}

int main(int argc, char **argv)
{
	ops = victim__arg(argc, argv, 2, ops);
	crew__start((int)victim__arg(argc, argv, 1, 8), work);
	victim__ready(argc, argv);
	crew__run();
	return victim__truth();
}
