/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mimalloc_api [ROUNDS [REALLOCF_FAILS]]: mimalloc's own interface, in two threads; and heaps, which only the thread
 * that made them uses.
 */
#define _GNU_SOURCE
#include <mimalloc.h>

#include "crew.h"
#include "family.h"

#define THREADS	    2
#define HEAP_BLOCKS 40

static volatile size_t huge = (size_t)1 << 60;
static long rounds = 40, reallocf_fails, expanded, expanded_not;

SITE static void leaked_here(void)
{
	keep(__func__, mi_malloc(7000), 7000);
}

#define GETS(name, call, size, ...)                                                                                    \
	SITE static struct kept by_##name(__VA_ARGS__)                                                                 \
	{                                                                                                              \
		return keep(__func__, call, size);                                                                     \
	}

GETS(mi_malloc, mi_malloc(n), n, size_t n)
GETS(mi_zalloc, mi_zalloc(n), n, size_t n)
GETS(mi_malloc_small, mi_malloc_small(n), n, size_t n)
GETS(mi_calloc, mi_calloc(count, n), count *n, size_t count, size_t n)
GETS(mi_mallocn, mi_mallocn(count, n), count *n, size_t count, size_t n)
GETS(mi_malloc_aligned, mi_malloc_aligned(n, alignment), n, size_t n, size_t alignment)
GETS(mi_zalloc_aligned, mi_zalloc_aligned(n, alignment), n, size_t n, size_t alignment)
GETS(mi_malloc_aligned_at, mi_malloc_aligned_at(n, 64, 8), n, size_t n)
GETS(mi_heap_malloc, mi_heap_malloc(heap, n), n, mi_heap_t *heap, size_t n)
GETS(mi_heap_zalloc, mi_heap_zalloc(heap, n), n, mi_heap_t *heap, size_t n)
GETS(mi_heap_calloc, mi_heap_calloc(heap, count, n), count *n, mi_heap_t *heap, size_t count, size_t n)
GETS(mi_heap_malloc_aligned, mi_heap_malloc_aligned(heap, n, 256), n, mi_heap_t *heap, size_t n)

#define RESIZES(name, call, size, ...)                                                                                 \
	SITE static void by_##name(struct kept *k, __VA_ARGS__)                                                        \
	{                                                                                                              \
		kept__resized(k, __func__, call, size);                                                                \
	}

RESIZES(mi_realloc, mi_realloc(k->p, n), n, size_t n)
RESIZES(mi_rezalloc, mi_rezalloc(k->p, n), n, size_t n)
RESIZES(mi_recalloc, mi_recalloc(k->p, count, n), count *n, size_t count, size_t n)
RESIZES(mi_reallocn, mi_reallocn(k->p, count, n), count *n, size_t count, size_t n)
RESIZES(mi_heap_realloc, mi_heap_realloc(heap, k->p, n), n, mi_heap_t *heap, size_t n)

/* In place, or not at all. */
SITE static void by_mi_expand(struct kept *k, size_t size)
{
	if (!mi_expand(k->p, size)) {
		__atomic_add_fetch(&expanded_not, 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_add_fetch(&expanded, 1, __ATOMIC_RELAXED);
	kept__resized(k, __func__, k->p, size);
}

/* It gives the block back also when it fails. */
SITE static void by_mi_reallocf(struct kept *k, size_t size)
{
	void *p = mi_reallocf(k->p, size);

	kept__resized(k, __func__, p, size);
	if (!p) {
		kept__dead(k);
		k->p = NULL;
	}
}

SITE static void by_mi_free(struct kept *k)
{
	kept__dead(k);
	mi_free(k->p);
	k->p = NULL;
}

SITE static void by_mi_free_size(struct kept *k)
{
	kept__dead(k);
	mi_free_size(k->p, k->size);
	k->p = NULL;
}

SITE static void by_mi_free_aligned(struct kept *k, size_t alignment)
{
	kept__dead(k);
	mi_free_aligned(k->p, alignment);
	k->p = NULL;
}

/* What is in a heap is freed with it, or goes on without it. */
static void heaps(size_t n)
{
	mi_heap_t *doomed = mi_heap_new(), *left = mi_heap_new();
	struct kept in_it[HEAP_BLOCKS], outlives;
	size_t i;

	for (i = 0; i < HEAP_BLOCKS; i += 4) {
		in_it[i] = by_mi_heap_malloc(doomed, 10 + i * n);
		in_it[i + 1] = by_mi_heap_zalloc(doomed, 3000 + i);
		in_it[i + 2] = by_mi_heap_calloc(doomed, i + 1, 7);
		in_it[i + 3] = by_mi_heap_malloc_aligned(doomed, 640);
	}
	by_mi_heap_realloc(&in_it[0], doomed, 5000);
	by_mi_free(&in_it[1]);
	outlives = by_mi_heap_malloc(left, 90 + n);
	mi_heap_delete(left);
	for (i = 0; i < HEAP_BLOCKS; i++)
		kept__dead(&in_it[i]);
	mi_heap_destroy(doomed);
	if (n % 4)
		by_mi_free(&outlives);
}

static void resized(size_t n)
{
	struct kept a = by_mi_malloc(100 + n), b = by_mi_calloc(n + 1, 10), c = by_mi_zalloc(5), none = {};

	by_mi_realloc(&a, 4000 + n);
	by_mi_realloc(&a, huge);
	by_mi_rezalloc(&a, 9000);
	by_mi_expand(&a, 8999);
	by_mi_expand(&a, 1 << 20);
	by_mi_recalloc(&b, n + 2, 11);
	by_mi_reallocn(&b, n + 3, 12);
	by_mi_reallocf(&c, 50);
	if (reallocf_fails)
		by_mi_reallocf(&c, huge);
	else
		by_mi_free(&c);
	by_mi_realloc(&none, 0);
	by_mi_free(&none);
	if (n % 4)
		by_mi_free(&a);
	if (n % 4)
		by_mi_free_size(&b);
}

static void work(int index)
{
	size_t n;

	for (n = 0; n < (size_t)rounds; n++) {
		struct kept a = by_mi_malloc_small(n + 1), b = by_mi_mallocn(n + 1, 8),
			    c = by_mi_malloc_aligned(100, 64);
		struct kept d = by_mi_zalloc_aligned(200 + n, 4096), e = by_mi_malloc_aligned_at(300);

		by_mi_malloc(huge);
		by_mi_free(&a);
		by_mi_free(&b);
		by_mi_free_aligned(&c, 64);
		by_mi_free(&d);
		if (n % 8)
			by_mi_free(&e);
		resized(n + (size_t)index);
		heaps(n + (size_t)index);
		leaked_here();
	}
}

int main(int argc, char **argv)
{
	rounds = victim__arg(argc, argv, 1, rounds);
	reallocf_fails = victim__arg(argc, argv, 2, 0);
	crew__start(THREADS, work);
	victim__ready(argc, argv);
	crew__run();
	book__note("heaps", 2 * THREADS * rounds);
	book__note("expanded", expanded);
	book__note("expanded_not", expanded_not);
	return victim__truth();
}
