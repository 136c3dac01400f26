/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * malloc_names [ROUNDS]: the names of malloc(3), whoever is behind them: two threads, blocks that come and go, some
 * handed from one thread to the other, some kept; and most in leaked_here().
 *
 * Allocators differ in what these do with a size of 0 and in which of them they have; the books go by what was seen.
 */
#define _GNU_SOURCE
#include "crew.h"
#include "family.h"

#define THREADS	      2
#define ROUNDS_MAX    4096
#define LEAKS_A_ROUND 4
#define LEAK	      3000

static volatile size_t huge = PTRDIFF_MAX - 4095;
static long rounds = 40;
static struct kept handed[THREADS][ROUNDS_MAX], *box;

#ifdef STATIC_LIBC
extern void *valloc(size_t size) __attribute__((weak));
extern void *pvalloc(size_t size) __attribute__((weak));
#endif

/* Whoever has malloc() has a function, too: that of another allocator must not meet its blocks. */
static bool is_of_malloc(const char *name, void *fn)
{
#ifdef STATIC_LIBC
	return name && fn;
#else
	Dl_info its, ours;

	return fn && dladdr(fn, &its) && dladdr(dlsym(RTLD_DEFAULT, "malloc"), &ours) &&
	       its.dli_fbase == ours.dli_fbase && name;
#endif
}

#define KEEP_IF_OURS(name)                                                                                             \
	do {                                                                                                           \
		if (!is_of_malloc(#name, (void *)optional.name))                                                       \
			optional.name = NULL;                                                                          \
		book__note("has_" #name, optional.name != NULL);                                                       \
	} while (0)

static void look_up(void)
{
	family__look_up();
#ifndef STATIC_LIBC
	if (!is_of_malloc("cfree", (void *)optional.cfree))
		*(void **)&optional.cfree = dlsym(RTLD_DEFAULT, "cfree");
#elif !defined(ANOTHER_MALLOC)
	optional.valloc = valloc;
	optional.pvalloc = pvalloc;
#endif
	KEEP_IF_OURS(valloc);
	KEEP_IF_OURS(pvalloc);
	KEEP_IF_OURS(cfree);
	KEEP_IF_OURS(free_sized);
	KEEP_IF_OURS(free_aligned_sized);
}

SITE static void leaked_here(void)
{
	keep(__func__, malloc(LEAK), LEAK);
}

static void release(struct kept *k, int round)
{
	if (round % 3 == 0 && optional.cfree)
		by_cfree(k);
	else if (round % 3 == 1 && optional.free_sized)
		by_free_sized(k);
	else
		by_free(k);
}

/* Into the box, and free what was in it: most often the other thread's. */
static void hand_over(int index, int round, struct kept k)
{
	struct kept *mine = &handed[index][round % ROUNDS_MAX], *other;

	*mine = k;
	other = __atomic_exchange_n(&box, mine, __ATOMIC_ACQ_REL);
	if (other)
		by_free(other);
}

static void aligned(int round)
{
	size_t n = (size_t)round;
	struct kept k;

	k = by_posix_memalign(4096, 1 + n);
	by_free(&k);
	k = by_aligned_alloc(256, 512);
	if (optional.free_aligned_sized)
		by_free_aligned_sized(&k, 256);
	else
		by_free(&k);
	k = by_memalign(16, 7);
	by_free(&k);
	if (round % 8)
		return;
	by_posix_memalign(64, 100 + n);
	by_aligned_alloc(32, 32 * (n + 1));
	by_memalign(128, 10 + n);
	by_page_functions(n);
}

static void resized(int round)
{
	size_t n = (size_t)round;
	struct kept k, none = {};

	k = by_malloc(64);
	by_realloc(&k, 128 + n);	   /* grows */
	by_realloc(&k, 20);		   /* shrinks */
	by_realloc(&k, 300000 + 4096 * n); /* moves to a mapping of its own */
	by_realloc(&k, huge);		   /* fails, the block stays */
	by_realloc(&k, 0);		   /* frees it, or not */
	by_free(&k);
	by_realloc(&none, 40 + n);
	if (round % 4)
		by_free(&none);
	k = by_calloc(1, 33);
	by_reallocarray(&k, n + 2, 50);
	if (round % 8)
		by_free(&k);
	by_free(&(struct kept){});
}

static void work(int index)
{
	struct kept k;
	int i, n;

	for (i = 0; i < rounds; i++) {
		k = by_malloc(1000 * (size_t)(i + index));
		release(&k, i);
		k = by_calloc(3, (size_t)i);
		release(&k, i);
		if (i % 8 == 0) {
			by_malloc(24 + (size_t)i);
			by_malloc(0);
			by_calloc((size_t)i + 1, 12);
			by_malloc(huge);
			by_calloc(huge / 16, 32);
		}
		resized(i + index);
		aligned(i + index);
		hand_over(index, i, by_malloc(70 + (size_t)i));
		for (n = 0; n < LEAKS_A_ROUND; n++)
			leaked_here();
	}
}

int main(int argc, char **argv)
{
	rounds = victim__arg(argc, argv, 1, rounds);
	look_up();
	crew__start(THREADS, work);
	victim__ready(argc, argv);
	crew__run();
	return victim__truth();
}
