/* SPDX-License-Identifier: GPL-2.0-only */
/* libc_family [THREADS]: every function of the family, blocks kept and blocks freed by every function that frees. */
#define _GNU_SOURCE
#include "crew.h"
#include "family.h"

#define ROUNDS 60

static void release(struct kept *k, int round)
{
	if (round % 3 == 0 && optional.cfree)
		by_cfree(k);
	else if (round % 3 == 1 && optional.free_sized)
		by_free_sized(k);
	else
		by_free(k);
}

static void aligned(int round)
{
	size_t n = (size_t)round;
	struct kept k;

	by_posix_memalign(64, 100 + n);
	k = by_posix_memalign(4096, 1 + n);
	release(&k, 2);
	by_aligned_alloc(32, 32 * (n + 1));
	k = by_aligned_alloc(256, 512);
	if (optional.free_aligned_sized)
		by_free_aligned_sized(&k, 256);
	else
		by_free(&k);
	by_memalign(128, 10 + n);
	k = by_memalign(16, 7);
	release(&k, 2);
	by_page_functions(n);
}

static void plain(int round)
{
	size_t n = (size_t)round;
	struct kept k, none = {};

	by_malloc(24 + n);
	by_malloc(200000 + n);
	k = by_malloc(1000 * n);
	release(&k, round);
	by_calloc(n + 1, 12);
	k = by_calloc(3, n);
	release(&k, round);
	k = by_malloc(64);
	by_realloc(&k, 128 + n);
	by_realloc(&none, 40 + n);
	k = by_calloc(1, 33);
	by_reallocarray(&k, n + 2, 50);
	if (round % 2)
		release(&k, round);
	by_free(&(struct kept){});
}

static void work(int index)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		plain(i + index);
		aligned(i + index);
	}
}

int main(int argc, char **argv)
{
	family__look_up();
	crew__start((int)victim__arg(argc, argv, 1, 1), work);
	victim__ready(argc, argv);
	crew__run();
	book__note("has_pvalloc", optional.pvalloc != NULL);
	book__note("has_cfree", optional.cfree != NULL);
	book__note("has_free_sized", optional.free_sized != NULL);
	return victim__truth();
}
